package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
)

func TestLeaderRefuses(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxMessageBytes = 500
	b.cfg.MaxAfterMs = 1000
	l := b.create()
	f := func(how string, batch []byte, want error, as any) {
		t.Helper()
		_, err := l.AppendLeader(batch, AppendOptions{Now: b.now})
		if want != nil && !errors.Is(err, want) || as != nil && !errors.As(err, as) {
			t.Errorf("%s: %v", how, err)
		}
		if l.EndOffset() != 0 || b.dir.Failed() != nil {
			t.Fatalf("%s: end %d, %v", how, l.EndOffset(), b.dir.Failed())
		}
	}
	good := b.batch("x", 2)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	f("a flipped bit", flipped, nil, new(*record.CorruptError))
	f("half a batch", good[:50], nil, new(*record.CorruptError))
	f("nothing", nil, nil, new(*record.CorruptError))
	f("two batches", append(bytes.Clone(good), good...), nil, new(*record.InvalidError))
	moved := bytes.Clone(good)
	record.Batch(moved).SetBaseOffset(5)
	f("base offset", moved, nil, new(*record.InvalidError))
	f("too large", b.batch(strings.Repeat("x", 600), 1), ErrTooLarge, nil)
	f("too early", b.batchAt("x", 1, b.now.UnixMilli()+5000), nil, new(*record.RejectedError))
	marker := record.AppendEndTxnMarker(nil, 1, 0, record.EndTxnMarker{}, 0)
	f("marker of a client", marker, nil, new(*record.InvalidError))
	b.cfg.SegmentBytes = 50
	f("too large for a segment", good, ErrSegmentTooSmall, nil)
	b.cfg.SegmentBytes = 1000
	b.append(l, append(good, 1, 2, 3)) // bytes that are no batch are cut off
	if l.EndOffset() != 2 || l.Size() != int64(len(good)) {
		t.Errorf("end %d, size %d", l.EndOffset(), l.Size())
	}
}

func TestCompactedTopicNeedsKeys(t *testing.T) {
	b := newBench(t)
	b.cfg.Compact = true
	l := b.create()
	var bl record.Builder
	bl.Reset(record.Spec{})
	bl.Append(1, nil, []byte("v"))
	batch, _ := bl.Build()
	rejected, ok := errors.AsType[*record.RejectedError](second(l.AppendLeader(batch, AppendOptions{Now: b.now})))
	if !ok || rejected.Timestamp {
		t.Errorf("got %v", rejected)
	}
	b.append(l, b.batch("with key", 1))
}

func second[A, B any](_ A, b B) B { return b }

func TestLogAppendTime(t *testing.T) {
	b := newBench(t)
	b.cfg.TimestampType = record.LogAppendTime
	l := b.create()
	info := b.append(l, b.batchAt("x", 2, 5))
	if info.LogAppendTime != b.now.UnixMilli() || info.MaxTimestamp != b.now.UnixMilli() {
		t.Errorf("%+v", info)
	}
	got := readBatches(t, l)
	if got[0].TimestampType() != record.LogAppendTime || got[0].MaxTimestamp() != b.now.UnixMilli() {
		t.Errorf("stored %v at %d", got[0].TimestampType(), got[0].MaxTimestamp())
	}
}

func readBatches(t *testing.T, l *Log) (out []record.Batch) {
	t.Helper()
	for at := l.StartOffset(); at < l.EndOffset(); {
		s, err := l.Read(at, l.EndOffset(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.AppendTo(nil)
		s.Release()
		if err != nil || len(data) == 0 {
			t.Fatalf("read at %d: %d bytes, %v", at, len(data), err)
		}
		for b, err := range record.All(data) {
			if err == nil {
				err = b.Verify()
			}
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
			at = b.LastOffset() + 1
		}
	}
	return out
}

// TestHeadersThatLie: the broker sets the largest timestamp itself.
func TestHeadersThatLie(t *testing.T) {
	b := newBench(t)
	l := b.create()
	batch := record.Batch(b.batchAt("x", 3, 77))
	batch.SetMaxTimestamp(record.CreateTime, 1<<40)
	if info := b.append(l, batch); info.MaxTimestamp != 77 {
		t.Errorf("largest timestamp %d", info.MaxTimestamp)
	}
	if got := readBatches(t, l)[0].MaxTimestamp(); got != 77 {
		t.Errorf("stored %d", got)
	}
}

func TestTopicCodec(t *testing.T) {
	b := newBench(t)
	l := b.create()
	for _, c := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		b.cfg.KeepCodec, b.cfg.Codec = false, c
		b.append(l, b.batch("y", 3))
	}
	for i, got := range readBatches(t, l) {
		if got.Codec() != record.Codec(i) || got.BaseOffset() != int64(3*i) || got.Count() != 3 {
			t.Errorf("batch %d: %s at %d", i, got.Codec(), got.BaseOffset())
		}
	}
	if n := len(readAll(t, l, 1<<20)); n != 15 {
		t.Errorf("%d records", n)
	}
}

// oldMessage is one message of magic 1.
func oldMessage(offset, timestamp int64, value string) []byte {
	body := []byte{1, 0}
	body = binary.BigEndian.AppendUint64(body, uint64(timestamp))
	body = binary.BigEndian.AppendUint32(body, math.MaxUint32)
	body = binary.BigEndian.AppendUint32(body, uint32(len(value)))
	body = append(body, value...)
	out := binary.BigEndian.AppendUint64(nil, uint64(offset))
	out = binary.BigEndian.AppendUint32(out, uint32(4+len(body)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, body...)
}

func TestOldProducer(t *testing.T) {
	b := newBench(t)
	l := b.create()
	set := append(oldMessage(0, 50, "a"), oldMessage(1, 40, "b")...)
	if info := b.append(l, set); info.LastOffset != 1 || info.MaxTimestamp != 50 {
		t.Errorf("%+v", info)
	}
	if got := fmt.Sprint(readAll(t, l, 1000)); got != "[0:a 1:b]" {
		t.Error(got)
	}
	set[len(set)-1] ^= 1
	if _, err := l.AppendLeader(set, AppendOptions{Now: b.now}); err == nil {
		t.Error("a damaged message was taken")
	}
}

// TestOldLog opens a log that was written before v2 batches existed.
func TestOldLog(t *testing.T) {
	b := newBench(t)
	l := b.create()
	var set []byte
	for i := range int64(100) {
		set = append(set, oldMessage(i, 1000+i, fmt.Sprint("old ", i))...)
	}
	if _, err := l.AppendFollower(set); err != nil {
		t.Fatal(err)
	}
	b.append(l, b.batch("new", 1))
	check := func(l *Log) {
		t.Helper()
		s, err := l.Read(40, l.EndOffset(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		data, _ := s.AppendTo(nil)
		if offset := binary.BigEndian.Uint64(data); l.EndOffset() != 101 || offset != 40 {
			t.Errorf("end %d, offset %d", l.EndOffset(), offset)
		}
		if found, ok, err := l.OffsetForTime(1050); !ok || found.Offset != 50 || err != nil {
			t.Errorf("found %+v %v %v", found, ok, err)
		}
	}
	check(l)
	b.kill()
	l = b.mustReopen()
	check(l)
	b.stop(l)
	check(b.mustReopen())
}

func TestIdempotence(t *testing.T) {
	b := newBench(t)
	b.cfg.VerifyTxn = false
	l := b.create()
	send := func(seq int32, n int) (AppendInfo, error) {
		var bl record.Builder
		bl.Reset(record.Spec{HasProducer: true, ProducerID: 9, BaseSequence: seq})
		for range n {
			bl.Append(b.now.UnixMilli(), nil, []byte("v"))
		}
		batch, _ := bl.Build()
		return l.AppendLeader(batch, AppendOptions{Now: b.now})
	}
	first, err := send(0, 3)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := send(0, 3); err != nil || !again.Duplicate || again.FirstOffset != first.FirstOffset || again.LastOffset != 2 {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := send(5, 1); !errors.Is(err, producer.ErrOutOfOrder) {
		t.Errorf("gap: %v", err)
	}
	if info, err := send(3, 1); err != nil || info.FirstOffset != 3 {
		t.Errorf("%+v, %v", info, err)
	}
	b.kill()
	l = b.mustReopen()
	if again, err := send(3, 1); err != nil || !again.Duplicate || again.FirstOffset != 3 {
		t.Errorf("after a kill: %+v, %v", again, err)
	}
	if again, err := send(0, 3); err != nil || !again.Duplicate {
		t.Errorf("older batch after a kill: %+v, %v", again, err)
	}
	b.stop(l)
	l = b.mustReopen()
	if again, err := send(3, 1); err != nil || !again.Duplicate {
		t.Errorf("after a clean stop: %+v, %v", again, err)
	}
	b.now = b.now.Add(25 * time.Hour)
	if n := l.ExpireProducers(); n != 1 {
		t.Errorf("%d producers expired", n)
	}
}

func TestStableOffsetFollowsTransactions(t *testing.T) {
	b := newBench(t)
	l := b.create()
	stable := func(want int64) {
		t.Helper()
		l.SetHighWatermark(l.EndOffset())
		if got, err := l.LastStableOffset(); got != want || err != nil {
			t.Errorf("last stable offset %d, want %d (%v)", got, want, err)
		}
	}
	send := func(pid int64) error {
		guard, err := l.StartVerification(pid, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var bl record.Builder
		bl.Reset(record.Spec{HasProducer: true, ProducerID: pid, Transactional: true})
		bl.Append(b.now.UnixMilli(), nil, []byte("v"))
		batch, _ := bl.Build()
		if _, err := l.AppendLeader(bytes.Clone(batch), AppendOptions{Now: b.now}); !errors.Is(err, producer.ErrTxnState) {
			t.Errorf("without a guard: %v", err)
		}
		_, err = l.AppendLeader(batch, AppendOptions{Now: b.now, Guard: guard})
		return err
	}
	end := func(pid int64, how record.ControlType) {
		t.Helper()
		m := record.AppendEndTxnMarker(nil, pid, 0, record.EndTxnMarker{Type: how}, b.now.UnixMilli())
		if _, err := l.AppendLeader(m, AppendOptions{Now: b.now, Origin: producer.Coordinator}); err != nil {
			t.Fatal(err)
		}
	}
	b.append(l, b.batch("plain", 2))
	stable(2)
	if err := errors.Join(send(1), send(2)); err != nil {
		t.Fatal(err)
	}
	b.append(l, b.batch("plain", 1))
	stable(2)
	if open, err := l.HasTxn(1); !open || err != nil {
		t.Error(open, err)
	}
	// The state survives a clean stop without the log being read.
	b.stop(l)
	l = b.mustReopen()
	stable(2)
	end(2, record.ControlAbort)
	stable(2)
	end(1, record.ControlCommit)
	l.SetHighWatermark(l.EndOffset() - 1) // the commit is not replicated yet
	if got, _ := l.LastStableOffset(); got != 2 {
		t.Errorf("before replication %d", got)
	}
	stable(l.EndOffset())
	aborted, err := l.AbortedTxns(0, l.EndOffset())
	if err != nil || len(aborted) != 1 || aborted[0].ProducerID != 2 || aborted[0].FirstOffset != 3 || aborted[0].LastStable != 2 {
		t.Errorf("aborted %+v, %v", aborted, err)
	}
	if aborted, _ := l.AbortedTxns(0, 3); len(aborted) != 0 {
		t.Errorf("aborted below 3: %+v", aborted)
	}
	if _, ok := l.OldestTxn(); ok {
		t.Error("a transaction is open")
	}
}

// TestMarkersStayUnstableOverARestart: what is above the high watermark may
// still be cut off, so its transactions are not decided.
func TestMarkersStayUnstableOverARestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		b := newBench(t)
		l := b.create()
		b.append(l, b.batch("plain", 3))
		b.produce(l, 2, 0) // a transaction in [3, 5), its marker at 5
		if clean {
			b.stop(l)
		} else {
			b.kill()
		}
		l = b.mustReopen()
		for _, c := range []struct{ high, stable int64 }{{2, 2}, {3, 3}, {5, 3}, {6, 6}} {
			l.SetHighWatermark(c.high)
			want := c.stable
			if clean { // snapshots, as Kafka's, know open transactions only
				want = c.high
			}
			if got, err := l.LastStableOffset(); err != nil || got != want {
				t.Errorf("clean %v: high watermark %d: stable %d, want %d (%v)", clean, c.high, got, want, err)
			}
		}
	}
}

func TestFollowerTakesWhatTheLeaderHas(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentBytes, b.cfg.VerifyTxn = 700, false
	leader := b.create()
	for i := range 20 {
		b.produce(leader, int64(i%3), int32(i/10))
	}
	var all []byte
	for _, batch := range readBatches(t, leader) {
		all = append(all, batch...)
	}
	f := newBench(t)
	f.cfg.SegmentBytes = 700
	follower := f.create()
	info, err := follower.AppendFollower(append(bytes.Clone(all), all[:70]...)) // with a batch that is cut off
	if err != nil || !info.Rolled || info.LastOffset != leader.EndOffset()-1 {
		t.Fatalf("%+v, %v", info, err)
	}
	if !slices.Equal(readAll(t, leader, 1000), readAll(t, follower, 1000)) {
		t.Error("logs differ")
	}
	p1, _ := leader.ActiveProducers()
	p2, _ := follower.ActiveProducers()
	a1, _ := leader.AbortedTxns(0, 1000)
	a2, _ := follower.AbortedTxns(0, 1000)
	e1, _ := leader.epochs.Entries()
	e2, _ := follower.epochs.Entries()
	if fmt.Sprint(p1, a1, e1) != fmt.Sprint(p2, a2, e2) {
		t.Errorf("derived state differs:\n%v\n%v", []any{p1, a1, e1}, []any{p2, a2, e2})
	}
	order, ok := errors.AsType[*OrderError](second(follower.AppendFollower(all)))
	if !ok || order.First != 0 || order.End != follower.EndOffset() {
		t.Errorf("batches that are there already: %v", order)
	}
	bad := bytes.Clone(all)
	bad[100] ^= 1
	if _, err := follower.AppendFollower(bad); !errors.As(err, new(*record.CorruptError)) {
		t.Errorf("a flipped bit: %v", err)
	}
	// A gap, as compaction leaves it, is fine.
	gap := record.Batch(b.batch("gap", 1))
	gap.SetBaseOffset(follower.EndOffset() + 10)
	if _, err := follower.AppendFollower(gap); err != nil {
		t.Error(err)
	}
	s, err := follower.Read(follower.EndOffset()-5, follower.EndOffset(), 1000, true)
	if err != nil || s.Size() != len(gap) {
		t.Errorf("read in the gap: %d bytes, %v", s.Size(), err)
	}
	s.Release()
}

// Bytes behind the last whole entry are dropped, as long as they could be the
// beginning of one.
func TestTailIsCutOff(t *testing.T) {
	b := newBench(t)
	l := b.create()
	v2 := b.batch("x", 2)
	old, err := record.Downconvert(nil, b.batch("x", 2), 1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	bad := append(bytes.Clone(v2[:30]), v2...)
	bad[16] = 9 // magic
	end := int64(0)
	f := func(how string, src []byte, as any) {
		t.Helper()
		_, err := l.AppendLeader(bytes.Clone(src), AppendOptions{Now: b.now})
		switch {
		case as != nil && !errors.As(err, as):
			t.Errorf("%s: %v", how, err)
		case as == nil && err != nil:
			t.Errorf("%s: %v", how, err)
		case as == nil:
			end += 2
		}
		if l.EndOffset() != end {
			t.Fatalf("%s: end %d, not %d", how, l.EndOffset(), end)
		}
	}
	for _, first := range [][]byte{v2, old} {
		for _, tail := range []int{0, 1, 16, 17, 30} {
			f(fmt.Sprintf("tail of %d", tail), slices.Concat(first, v2[:tail]), nil)
			f(fmt.Sprintf("old tail of %d", tail), slices.Concat(first, old[:tail]), nil)
		}
		f("no magic", slices.Concat(first, bad), new(*record.CorruptError))
	}
	f("two batches", slices.Concat(v2, v2, v2[:10]), new(*record.InvalidError))
	f("half an old entry", old[:20], new(*record.CorruptError))
	b.cfg.TimestampType = record.LogAppendTime
	l.SetConfig(&b.cfg)
	f("the broker's time", slices.Concat(old, old[:5]), nil)
	got := readBatches(t, l)
	if last := got[len(got)-1]; last.TimestampType() != record.LogAppendTime || last.MaxTimestamp() != b.now.UnixMilli() {
		t.Errorf("stamped %v %d", last.TimestampType(), last.MaxTimestamp())
	}
}
