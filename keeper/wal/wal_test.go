package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
)

const dir = "/log"

// disk is an empty memory disk with the log's directory.
func disk(t testing.TB) *memfs.FS {
	t.Helper()
	f := memfs.New(0, time.Now)
	if err := f.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	return f
}

func entry(i uint64) Entry {
	return Entry{Term: 1 + i/10, Index: i, Type: int32(i % 2), Data: []byte(strings.Repeat(fmt.Sprintf("entry %d;", i), 1+int(i%7)*9))}
}

var opts = Options{DirID: 77, SegmentBytes: 4 << 10}

// grown writes a log of n entries in appends of varying size. acked tells after
// each append how many entries it made durable, and where the file ended.
func grown(t testing.TB, f *memfs.FS, n int, acked func(entries int)) *Log {
	t.Helper()
	l, err := Create(f, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= uint64(n); {
		var batch []Entry
		for range 1 + i%4 {
			if i <= uint64(n) {
				batch = append(batch, entry(i))
				i++
			}
		}
		var st *State
		if i%3 == 0 {
			st = &State{Term: i / 10, Vote: 1, Commit: i - 2}
		}
		if err := l.Append(batch, st); err != nil {
			t.Fatal(err)
		}
		if acked != nil {
			acked(int(i - 1))
		}
	}
	return l
}

func mustPrefix(t *testing.T, got []Entry, atLeast, atMost int, what string) {
	t.Helper()
	if len(got) < atLeast || len(got) > atMost {
		t.Fatalf("%s: %d entries, want %d to %d", what, len(got), atLeast, atMost)
	}
	for i, e := range got {
		if want := entry(uint64(i + 1)); !reflect.DeepEqual(e, want) {
			t.Fatalf("%s: entry %d is %+v", what, i+1, e)
		}
	}
}

func TestLogSurvivesReopening(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 200, nil)
	if len(l.segments) < 3 {
		t.Fatalf("%d segments, the test wants some", len(l.segments))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, after := range []uint64{0, 1, 57, 150, 200} {
		l, c, err := Open(f, dir, opts, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Entries) != int(200-after) || after < 200 && c.Entries[0].Index != after+1 || c.Cut != 0 {
			t.Fatalf("after %d: %d entries, cut %d", after, len(c.Entries), c.Cut)
		}
		if c.State != (State{Term: 20, Vote: 1, Commit: 199}) {
			t.Fatalf("after %d: state %+v", after, c.State)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendReplacesWhatFollows(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 20, nil)
	other := Entry{Term: 9, Index: 15, Data: []byte("other")}
	if err := l.Append([]Entry{other}, nil); err != nil {
		t.Fatal(err)
	}
	_, c, err := Open(f, dir, opts, 0)
	if err != nil || len(c.Entries) != 15 || !reflect.DeepEqual(c.Entries[14], other) {
		t.Fatalf("%d entries, %v", len(c.Entries), err)
	}
	if _, _, err := Open(f, dir, opts, 14); err != nil {
		t.Fatal(err)
	}
}

func TestPurgeKeepsWhatIsNeeded(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 200, nil)
	before := l.Bytes()
	if err := l.Purge(90); err != nil {
		t.Fatal(err)
	}
	if l.Bytes() >= before {
		t.Fatal("nothing was deleted")
	}
	if _, c, err := Open(f, dir, opts, 90); err != nil || len(c.Entries) != 110 {
		t.Fatalf("%d entries, %v", len(c.Entries), err)
	}
	if _, _, err := Open(f, dir, opts, 0); !errors.Is(err, ErrMissing) {
		t.Fatalf("without the first segments: %v", err)
	}
}

// TestCutAtEachByte cuts the last segment everywhere: what is left is a prefix.
func TestCutAtEachByte(t *testing.T) {
	f := disk(t)
	ends := map[int64]int{} // size of the last segment -> entries then
	var l *Log
	var name string
	l, err := Create(f, dir, Options{DirID: 77})
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 30; i++ {
		if err := l.Append([]Entry{entry(i)}, nil); err != nil {
			t.Fatal(err)
		}
		ends[l.size] = int(i)
	}
	name = l.segments[0].name
	whole, err := f.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for cut := 0; cut <= len(whole); cut++ {
		if n, ok := ends[int64(cut)]; ok {
			known = n
		}
		g := disk(t)
		put(t, g, name, whole[:cut])
		l, c, err := Open(g, dir, opts, 0)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		mustPrefix(t, c.Entries, known, known, fmt.Sprintf("cut at %d", cut))
		// The log goes on where it was cut.
		if err := l.Append([]Entry{entry(uint64(known + 1))}, nil); err != nil {
			t.Fatal(err)
		}
		_, c, err = Open(g, dir, opts, 0)
		if err != nil {
			t.Fatalf("cut at %d, after an append: %v", cut, err)
		}
		mustPrefix(t, c.Entries, known+1, known+1, fmt.Sprintf("cut at %d, after an append", cut))
	}
}

func put(t testing.TB, f *memfs.FS, name string, b []byte) {
	t.Helper()
	h, err := f.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Sync(), h.Close(), f.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
}

// TestFlippedBitIsNeverAccepted flips one bit of each byte: the log is refused
// with file and place, or, within what may be a torn last append, cut.
func TestFlippedBitIsNeverAccepted(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 60, nil)
	lastSize := l.synced
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i, s := range l.segments {
		whole, err := f.ReadFile(s.name)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for at := range whole {
			bad := bytes.Clone(whole)
			bad[at] ^= 1 << (at % 8)
			put(t, f, s.name, bad)
			_, c, err := Open(f, dir, opts, 0)
			if err == nil {
				if i < len(l.segments)-1 || int64(at) < lastSize {
					t.Fatalf("segment %d byte %d: accepted with %d entries", i, at, len(c.Entries))
				}
				mustPrefix(t, c.Entries, 60, 60, "flip in the closing record")
				continue
			}
			refused++
			if !strings.Contains(err.Error(), s.name) {
				t.Fatalf("byte %d: %v does not name %s", at, err, s.name)
			}
		}
		if refused == 0 {
			t.Fatal("nothing was refused")
		}
		put(t, f, s.name, whole)
	}
}

// TestPowerCut crashes the disk at every append: all that was acknowledged is
// there, and nothing that was not written.
func TestPowerCut(t *testing.T) {
	for seed := range uint64(40) {
		f := disk(t)
		r := rand.New(rand.NewPCG(seed, 0))
		var after *memfs.FS
		at := r.IntN(70)
		grown(t, f, 80, func(n int) {
			if n >= at && after == nil {
				after = f.CrashClone(memfs.Crash{Rand: r, KeepPercent: int(seed % 3 * 50)})
				at = n
			}
		})
		l, c, err := Open(after, dir, opts, 0)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		mustPrefix(t, c.Entries, at, at, "after the cut")
		if err := l.Append([]Entry{entry(uint64(at + 1))}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPowerCutWithinAppend crashes between write and fsync.
func TestPowerCutWithinAppend(t *testing.T) {
	for seed := range uint64(300) {
		f := disk(t)
		r := rand.New(rand.NewPCG(seed, 7))
		l := grown(t, f, 10+r.IntN(30), nil)
		have := int(l.last)
		var batch []Entry
		for i := range 1 + r.IntN(5) {
			batch = append(batch, entry(uint64(have+1+i)))
		}
		var crashed *memfs.FS
		f.SetInjector(func(op memfs.Op, name string) error {
			if op == memfs.OpSync && crashed == nil {
				return errors.New("power is gone")
			}
			return nil
		})
		err := l.Append(batch, nil)
		if err == nil {
			t.Fatal("the append was acknowledged")
		}
		if again := l.Append(batch, nil); again == nil {
			t.Fatal("an append after a failed fsync was acknowledged")
		}
		f.SetInjector(nil)
		crashed = f.CrashClone(memfs.Crash{Rand: r, KeepPercent: 60})
		_, c, err := Open(crashed, dir, opts, 0)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		mustPrefix(t, c.Entries, have, have+len(batch), "after the cut")
	}
}

// TestEndsThatAreKnown cuts a log of several segments where only what is known of
// it tells: at the end of an append.
func TestEndsThatAreKnown(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 200, nil)
	end := l.End()
	names := l.segments
	if len(names) < 4 {
		t.Fatalf("%d segments", len(names))
	}
	last := names[len(names)-1].name
	known := opts
	known.Durable = end
	refused := func(how string, o Options, after uint64, text string) {
		t.Helper()
		if _, _, err := Open(f, dir, o, after); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", how, err, text)
		}
	}
	whole, err := f.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if end != (End{filepath.Base(last), int64(len(whole))}) {
		t.Fatalf("end %+v", end)
	}
	put(t, f, last, whole[:segmentHeader])
	refused("the mark", known, 0, fmt.Sprintf("it ends there, and had %d bytes that were durable", len(whole)))
	refused("the mark behind a snapshot", known, 150, "that were durable")
	refused("the newest snapshot", opts, 200, fmt.Sprintf("ends with entry %d", names[len(names)-1].first-1))
	if _, _, err := Open(f, dir, opts, names[len(names)-1].first-1); err != nil {
		t.Errorf("a snapshot up to where the log ends: %v", err)
	}
	begun := opts
	begun.Durable = End{end.Segment, segmentHeader}
	put(t, f, last, make([]byte, segmentHeader))
	refused("the header", begun, 0, "does not begin like")
	put(t, f, last, whole)
	if _, c, err := Open(f, dir, known, 0); err != nil || len(c.Entries) != 200 {
		t.Errorf("whole: %d entries, %v", len(c.Entries), err)
	}
	old := opts
	old.Durable = End{segmentName(0), 1 << 20} // purged long ago
	if _, _, err := Open(f, dir, old, 0); err != nil {
		t.Errorf("an old mark: %v", err)
	}
	if err := f.Remove(last); err != nil {
		t.Fatal(err)
	}
	refused("without the last segment", known, 0, "is missing")

	// The last segment is new and empty: nothing follows the entry before it.
	put(t, f, last, appendSegmentHeader(nil, 77, names[len(names)-1].first))
	before := names[len(names)-2].name
	whole, err = f.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	put(t, f, before, whole[:segmentHeader])
	refused("the segment before", opts, 0, "the next segment begins with")
}

func TestForeignLogIsRefused(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 5, nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(f, dir, Options{DirID: 78}, 0); err == nil || !strings.Contains(err.Error(), "another keeper") {
		t.Fatalf("log of another directory: %v", err)
	}
	newer, err := f.ReadFile(l.segments[0].name)
	if err != nil {
		t.Fatal(err)
	}
	b := appendSegmentHeader(nil, 77, 1)
	b[7]++
	b = append(b[:segmentHeader-4:segmentHeader-4], crcOf(b[:segmentHeader-4])...)
	put(t, f, l.segments[0].name, append(b, newer[segmentHeader:]...))
	if _, _, err := Open(f, dir, opts, 0); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Fatalf("newer format: %v", err)
	}
	put(t, f, dir+"/stranger.log", []byte("hello"))
	if _, _, err := Open(f, dir, opts, 0); err == nil || !strings.Contains(err.Error(), "stranger.log") {
		t.Fatalf("foreign file: %v", err)
	}
}

func crcOf(b []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, table))
}

func FuzzOpen(fz *testing.F) {
	f := disk(fz)
	l := grown(fz, f, 6, nil)
	whole, err := f.ReadFile(l.segments[0].name)
	if err != nil {
		fz.Fatal(err)
	}
	fz.Add(whole)
	fz.Add(whole[:len(whole)-9])
	fz.Add(whole[:segmentHeader])
	fz.Fuzz(func(t *testing.T, b []byte) {
		g := disk(t)
		put(t, g, l.segments[0].name, b)
		l, c, err := Open(g, dir, opts, 0)
		if err != nil {
			return
		}
		for i, e := range c.Entries {
			if e.Index != uint64(i+1) {
				t.Fatalf("entry %d has index %d", i, e.Index)
			}
		}
		if err := l.Append([]Entry{{Term: 1, Index: uint64(len(c.Entries) + 1)}}, nil); err != nil {
			t.Fatal(err)
		}
		if _, again, err := Open(g, dir, opts, 0); err != nil || len(again.Entries) != len(c.Entries)+1 {
			t.Fatalf("%d entries after an append to %d, %v", len(again.Entries), len(c.Entries), err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	f := disk(b)
	l, err := Create(f, dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]Entry, 16)
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		for j := range batch {
			i++
			batch[j] = Entry{Term: 1, Index: i, Data: make([]byte, 150)}
		}
		if err := l.Append(batch, nil); err != nil {
			b.Fatal(err)
		}
		if i%(1<<14) == 0 {
			if err := l.Purge(i); err != nil {
				b.Fatal(err)
			}
		}
	}
}
