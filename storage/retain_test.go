package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/storage/epoch"
)

// segmented writes 10 segments of one batch of 2 records, a minute apart.
func (b *bench) segmented() *Log {
	b.t.Helper()
	b.cfg.SegmentBytes, b.cfg.RetentionMs = 150, -1
	l := b.create()
	for i := range 10 {
		b.append(l, b.batch(fmt.Sprintf("segment %d", i), 2))
		b.now = b.now.Add(time.Minute)
	}
	if l.SegmentCount() != 10 {
		b.t.Fatalf("%d segments", l.SegmentCount())
	}
	l.SetHighWatermark(l.EndOffset())
	return l
}

func (b *bench) retain(l *Log) Retained {
	b.t.Helper()
	r, err := l.Retain(b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) files(l *Log, contains string) int {
	b.t.Helper()
	entries, err := b.fs.ReadDir(l.Path())
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if strings.Contains(e.Name(), contains) {
			n++
		}
	}
	return n
}

func TestRetention(t *testing.T) {
	f := func(how string, change func(b *bench, l *Log), segments int, start int64) {
		t.Helper()
		b := newBench(t)
		l := b.segmented()
		change(b, l)
		r := b.retain(l)
		if r.Segments != segments || r.StartOffset != start || l.StartOffset() != start {
			t.Errorf("%s: %+v, want %d segments and start %d", how, r, segments, start)
		}
		if n := len(readAll(t, l, 1000)); n != int(l.EndOffset()-start) {
			t.Errorf("%s: %d records left", how, n)
		}
		end := l.EndOffset()
		b.append(l, b.batch("next", 1))
		for _, clean := range []bool{false, true} {
			if clean {
				b.stop(l)
			} else {
				b.checkpoint(l)
				b.kill()
			}
			if l = b.mustReopen(); l.StartOffset() != start || l.EndOffset() != end+1 {
				t.Errorf("%s: reopened (clean %v) as [%d, %d)", how, clean, l.StartOffset(), l.EndOffset())
			}
		}
	}
	f("without limits", func(*bench, *Log) {}, 0, 0)
	f("by time", func(b *bench, l *Log) { b.cfg.RetentionMs = 330_000 }, 5, 10)
	f("all of it", func(b *bench, l *Log) { b.cfg.RetentionMs = 1 }, 10, 20)
	f("by size", func(b *bench, l *Log) { b.cfg.RetentionSize = 3 * l.Size() / 10 }, 7, 14)
	f("not above the high watermark", func(b *bench, l *Log) { b.cfg.RetentionMs = 1; l.SetHighWatermark(9) }, 4, 8)
	f("compacted", func(b *bench, l *Log) { b.cfg.RetentionMs, b.cfg.Delete = 1, false }, 0, 0)
	f("deleted records", func(b *bench, l *Log) {
		b.cfg.Delete = false
		if err := l.RaiseStart(7); err != nil {
			t.Fatal(err)
		}
	}, 3, 7)
}

func TestRetentionWithoutTimestamps(t *testing.T) {
	b := newBench(t)
	b.cfg.RetentionMs = 60_000
	l := b.create()
	b.append(l, b.batchAt("x", 1, -1))
	l.SetHighWatermark(1)
	if r := b.retain(l); r.Segments != 0 {
		t.Errorf("%+v", r)
	}
	b.now = b.now.Add(2 * time.Minute)
	if r := b.retain(l); r.Segments != 1 {
		t.Errorf("%+v", r)
	}
}

func TestDeletedFilesGoLater(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	held, err := l.Read(0, 20, 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := held.AppendTo(nil)
	b.cfg.RetentionMs = 330_000
	b.retain(l)
	if n := b.files(l, suffixDeleted); n != 15 { // five logs with two indexes each
		t.Errorf("%d files are marked", n)
	}
	if b.files(l, suffixSnapshot) != 5 {
		t.Errorf("%d snapshots", b.files(l, suffixSnapshot))
	}
	next, ok, err := l.RemoveDeleted(b.now.Add(59 * time.Second))
	if err != nil || !ok || !next.Equal(b.now.Add(time.Minute)) || b.files(l, suffixDeleted) != 15 {
		t.Errorf("next %v %v, %v", next, ok, err)
	}
	if _, ok, err := l.RemoveDeleted(b.now.Add(time.Minute)); ok || err != nil || b.files(l, suffixDeleted) != 0 {
		t.Errorf("%v %v, %d files left", ok, err, b.files(l, suffixDeleted))
	}
	if got, err := held.AppendTo(nil); err != nil || string(got) != string(want) {
		t.Errorf("a span held over the deletion: %d bytes, %v", len(got), err)
	}
	held.Release()
	if _, err := l.Read(0, 20, 1000, true); !errors.As(err, new(*OffsetError)) {
		t.Errorf("read below the start: %v", err)
	}
}

func TestRaiseStartAboveTheHighWatermark(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	l.SetHighWatermark(5)
	if err := l.RaiseStart(6); !errors.As(err, new(*OffsetError)) {
		t.Error(err)
	}
	if err := l.RaiseStart(5); err != nil || l.StartOffset() != 5 {
		t.Errorf("start %d, %v", l.StartOffset(), err)
	}
	if err := l.RaiseStart(3); err != nil || l.StartOffset() != 5 {
		t.Errorf("start %d, %v", l.StartOffset(), err)
	}
}

func TestRollByTime(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentMs = 60_000
	l := b.create()
	at := b.now.UnixMilli()
	for _, c := range []struct {
		ms       int64
		segments int
	}{{at, 1}, {at + 60_000, 1}, {at + 60_001, 2}, {at, 2}, {at + 130_000, 3}} {
		b.append(l, b.batchAt("x", 1, c.ms))
		if l.SegmentCount() != c.segments {
			t.Errorf("record at +%d: %d segments, want %d", c.ms-at, l.SegmentCount(), c.segments)
		}
	}
	// Without timestamps the broker's clock counts, also after a restart.
	b.stop(l)
	l = b.mustReopen()
	b.append(l, b.batchAt("x", 1, -1))
	if l.SegmentCount() != 3 {
		t.Errorf("%d segments", l.SegmentCount())
	}
	b.append(l, b.batchAt("x", 1, at+200_001))
	if l.SegmentCount() != 4 {
		t.Errorf("%d segments after a restart", l.SegmentCount())
	}
}

func TestRollByIndex(t *testing.T) {
	b := newBench(t)
	b.cfg.IndexIntervalBytes, b.cfg.IndexBytes = 0, 48
	l := b.create()
	for i := range 20 {
		b.append(l, b.batchAt("x", 1, int64(i)))
	}
	if l.SegmentCount() < 4 {
		t.Errorf("%d segments", l.SegmentCount())
	}
	if n := len(readAll(t, l, 1000)); n != 20 {
		t.Errorf("%d records", n)
	}
}

func TestTruncate(t *testing.T) {
	for offset := int64(0); offset <= 21; offset++ {
		b := newBench(t)
		l := b.segmented()
		want := readAll(t, l, 1000)
		cut, err := l.TruncateTo(offset)
		if err != nil || cut != (offset < 20) {
			t.Fatalf("to %d: %v %v", offset, cut, err)
		}
		// Batches hold two records: the one that reaches the offset goes whole.
		whole := min(20, offset/2*2)
		end := whole
		if l.EndOffset() != end || l.HighWatermark() != end || l.RecoveryPoint() > end {
			t.Errorf("to %d: end %d, high watermark %d, recovery point %d", offset, l.EndOffset(), l.HighWatermark(), l.RecoveryPoint())
		}
		b.append(l, b.batch("next", 1))
		want = append(want[:whole:whole], fmt.Sprintf("%d:next-0", end))
		for _, step := range []string{"", "kill", "stop"} {
			switch step {
			case "kill":
				b.checkpoint(l)
				b.kill()
				l = b.mustReopen()
			case "stop":
				b.stop(l)
				l = b.mustReopen()
			}
			if got := readFrom(t, l); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("to %d, %s: %v, want %v", offset, step, got, want)
			}
		}
	}
}

// readFrom is readAll for logs with holes.
func readFrom(t *testing.T, l *Log) (out []string) {
	for _, b := range readBatches(t, l) {
		for r := range b.Records() {
			out = append(out, fmt.Sprintf("%d:%s", r.Offset, r.Value))
		}
	}
	return out
}

func TestTruncateFully(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	if err := l.TruncateFullyAndStartAt(500, 500); err != nil {
		t.Fatal(err)
	}
	if l.StartOffset() != 500 || l.EndOffset() != 500 || l.HighWatermark() != 500 || l.Size() != 0 {
		t.Errorf("[%d, %d), %d bytes", l.StartOffset(), l.EndOffset(), l.Size())
	}
	b.kill()
	if l = b.mustReopen(); l.StartOffset() != 500 || l.EndOffset() != 500 {
		t.Errorf("after a kill [%d, %d)", l.StartOffset(), l.EndOffset())
	}
	if info := b.append(l, b.batch("x", 1)); info.FirstOffset != 500 {
		t.Errorf("%+v", info)
	}
}

func TestEpochsOfALog(t *testing.T) {
	b := newBench(t)
	l := b.create()
	put := func(e int32) {
		t.Helper()
		if _, err := l.AppendLeader(b.batch("x", 2), AppendOptions{Now: b.now, LeaderEpoch: e}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := l.LatestEpoch(); ok || err != nil {
		t.Error(ok, err)
	}
	put(3)
	put(3)
	put(5)
	if err := l.StartEpoch(8); err != nil {
		t.Fatal(err)
	}
	f := func(ask, e int32, end int64) {
		t.Helper()
		if got, o, err := l.EndOffsetForEpoch(ask); got != e || o != end || err != nil {
			t.Errorf("epoch %d: (%d, %d), want (%d, %d)", ask, got, o, e, end)
		}
	}
	f(3, 3, 4)
	f(4, 3, 4)
	f(5, 5, 6)
	f(8, 8, 6)
	f(9, epoch.None, epoch.Undefined)
	if e, _ := l.EpochFor(4); e != 5 {
		t.Errorf("offset 4 is of epoch %d", e)
	}
	b.stop(l)
	l = b.mustReopen()
	f(5, 5, 6)
	if cut, err := l.TruncateTo(6); cut || err != nil {
		t.Error(cut, err)
	}
	f(8, epoch.None, epoch.Undefined) // no record was written in it
	if _, err := l.TruncateTo(4); err != nil {
		t.Fatal(err)
	}
	f(3, 3, 4)
	f(5, epoch.None, epoch.Undefined)
}

func TestTimeLookup(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes = 600, 100
	l := b.create()
	// Timestamps that mostly rise, with a record out of order here and there.
	var times []int64
	for i := range int64(60) {
		ms := 1000 + 10*i
		if i%7 == 3 {
			ms -= 55
		}
		times = append(times, ms)
		b.append(l, b.batchAt("x", 1, ms))
	}
	check := func(how string) {
		t.Helper()
		for ms := int64(900); ms < 1700; ms += 3 {
			want := -1
			for i, at := range times {
				if at >= ms && int64(i) >= l.StartOffset() {
					want = i
					break
				}
			}
			got, ok, err := l.OffsetForTime(ms)
			if err != nil || ok != (want >= 0) || ok && (got.Offset != int64(want) || got.Timestamp != times[want]) {
				t.Fatalf("%s: time %d: %+v %v %v, want offset %d", how, ms, got, ok, err, want)
			}
		}
		if got, ok, err := l.MaxTimestamp(); !ok || err != nil || got.Offset != 58 || got.Timestamp != times[58] {
			t.Errorf("%s: largest %+v %v %v", how, got, ok, err)
		}
	}
	times[59] = 1000 // the last one is not the newest
	if _, err := l.TruncateTo(59); err != nil {
		t.Fatal(err)
	}
	b.append(l, b.batchAt("x", 1, 1000))
	check("written")
	b.kill()
	l = b.mustReopen()
	check("after a kill")
	b.stop(l)
	l = b.mustReopen()
	check("after a clean stop")
	l.SetHighWatermark(30)
	if err := l.RaiseStart(30); err != nil {
		t.Fatal(err)
	}
	check("after records were deleted")
}

func TestTimeLookupWithoutTimestamps(t *testing.T) {
	b := newBench(t)
	l := b.create()
	b.append(l, b.batchAt("x", 3, -1))
	if got, ok, err := l.OffsetForTime(0); ok || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, ok, err := l.MaxTimestamp(); ok || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSegmentStarts(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	starts, err := l.SegmentStarts()
	if err != nil || len(starts) != 10 || starts[3].Offset != 6 || starts[9].Empty || starts[0].Modified == 0 {
		t.Errorf("%+v, %v", starts, err)
	}
}
