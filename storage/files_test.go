package storage

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/internal/run"
)

func TestIdleLogsHoldNoFile(t *testing.T) {
	b := newBench(t)
	l := b.create()
	b.append(l, b.batch("x", 3))
	span, err := l.Read(0, 3, 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	b.dir.CloseIdle() // used since the last call
	b.dir.CloseIdle() // held by the span
	if n := b.dir.files.open(); n != 1 {
		t.Errorf("%d files open while a span is held", n)
	}
	span.Release()
	b.dir.CloseIdle()
	b.dir.CloseIdle()
	if n := b.dir.files.open(); n != 0 {
		t.Errorf("%d files open", n)
	}
	b.append(l, b.batch("y", 1)) // opens it again
	if n := len(readAll(t, l, 1000)); n != 4 {
		t.Errorf("%d records", n)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	b := newBench(t)
	b.dir.files.limit = 3
	l := b.segmented()
	var held []Span
	for range 3 {
		for at := int64(0); at < 20; at += 2 {
			s, err := l.Read(at, 20, 1000, true)
			if err != nil {
				t.Fatal(err)
			}
			if at < 10 && len(held) < 5 {
				held = append(held, s)
				continue
			}
			s.Release()
		}
	}
	if n := b.dir.files.open(); n > 5+3 {
		t.Errorf("%d files open with 5 held", n)
	}
	for _, s := range held {
		if data, err := s.AppendTo(nil); err != nil || len(data) != s.Size() {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		s.Release()
	}
	b.dir.CloseIdle()
	b.dir.CloseIdle()
	if n := b.dir.files.open(); n != 0 {
		t.Errorf("%d files open at the end", n)
	}
}

func TestSpanReadsLikeAReaderAt(t *testing.T) {
	b := newBench(t)
	l := b.create()
	b.append(l, b.batch("some words", 3))
	b.append(l, b.batch("more", 1))
	s, err := l.Read(0, 4, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	whole, err := s.AppendTo([]byte("prefix"))
	if err != nil || string(whole[:6]) != "prefix" {
		t.Fatal(err)
	}
	whole = whole[6:]
	for off := range len(whole) + 2 {
		p := make([]byte, 20)
		n, err := s.ReadAt(p, int64(off))
		want := max(0, min(20, len(whole)-off))
		if n != want || (err == nil) != (want == 20) || string(p[:n]) != string(whole[min(off, len(whole)):][:n]) {
			t.Fatalf("at %d: %d bytes, %v", off, n, err)
		}
	}
	if f, pos, n := s.File(); f == nil || pos != 0 || n != len(whole) {
		t.Errorf("file %v, %d bytes at %d", f, n, pos)
	}
	if s.Trim(10).Size() != 10 || s.Trim(1<<30).Size() != len(whole) {
		t.Error("trim")
	}
	if got := l.SpanEnd(s); got != 4 {
		t.Errorf("span ends at %d", got)
	}
}

func TestReadBounds(t *testing.T) {
	b := newBench(t)
	l := b.create()
	size := 0
	for i := range 6 {
		batch := b.batch(fmt.Sprint("b", i), 2)
		size = len(batch)
		b.append(l, batch)
	}
	f := func(offset, maxOffset int64, maxBytes int, minOne bool, want int) {
		t.Helper()
		for _, cold := range []bool{false, true} {
			if cold {
				l.tail.Load().reset(l.active(), l.end.Load()) // look positions up in the file
			}
			s, err := l.Read(offset, maxOffset, maxBytes, minOne)
			if err != nil || s.Size() != want {
				t.Errorf("cold %v: [%d, %d) up to %d bytes: got %d, want %d (%v)", cold, offset, maxOffset, maxBytes, s.Size(), want, err)
			}
			s.Release()
		}
		b.append(l, b.batch("b0", 2)) // warms the tail for the next one
		if _, err := l.TruncateTo(12); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			b.append(l, b.batch("b0", 2))
		}
		if _, err := l.TruncateTo(12); err != nil {
			t.Fatal(err)
		}
	}
	f(0, 12, 1<<20, true, 6*size)
	f(0, 12, size+10, true, size+10) // the last batch may be cut off
	f(0, 12, 10, true, size)
	f(0, 12, 10, false, 0)
	f(0, 12, 0, true, size)
	f(0, 12, 0, false, 0)
	f(3, 12, 1<<20, true, 5*size) // begins inside of a batch
	f(0, 6, 1<<20, true, 3*size)
	f(0, 5, 1<<20, true, 2*size) // the limit lies inside of a batch
	f(4, 5, 1<<20, true, 0)
	f(12, 12, 1<<20, true, 0)
	f(6, 4, 1<<20, true, 0)
}

// TestReadersAndWriters runs under the race detector: one appends and flushes,
// others read, look up and retain.
func TestReadersAndWriters(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes, b.cfg.RetentionMs, b.cfg.RetentionSize = 2000, 100, -1, 6000
	b.cfg.FileDeleteMs = 0
	b.dir.files.limit = 2
	l := b.create()
	const records = 400
	group := run.NewGroup(t.Context())
	group.Light(func() {
		for i := range records {
			if _, err := l.AppendLeader(b.batch(fmt.Sprint("r", i), 1), AppendOptions{Now: b.now}); err != nil {
				t.Error(err)
			}
			l.SetHighWatermark(l.EndOffset())
		}
	})
	for range 2 {
		group.Light(func() {
			for l.EndOffset() < records {
				if err := l.Flush(); err != nil {
					t.Error(err)
				}
				if _, err := l.Retain(b.now); err != nil {
					t.Error(err)
				}
				if _, _, err := l.RemoveDeleted(b.now); err != nil {
					t.Error(err)
				}
				b.dir.CloseIdle()
			}
		})
		group.Light(func() {
			for l.EndOffset() < records {
				readSome(t, l)
				if _, _, err := l.OffsetForTime(b.now.UnixMilli()); err != nil {
					t.Error(err)
				}
				if _, err := l.LastStableOffset(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, l, 1000); len(got) != int(records-l.StartOffset()) {
		t.Errorf("%d records from %d on", len(got), l.StartOffset())
	}
}

func readSome(t *testing.T, l *Log) {
	for at := l.StartOffset(); at < l.EndOffset(); at += 7 {
		s, err := l.Read(at, l.EndOffset(), 500, true)
		if _, gone := errors.AsType[*OffsetError](err); gone {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		if data, err := s.AppendTo(nil); err != nil || len(data) != s.Size() {
			t.Errorf("%d bytes of %d, %v", len(data), s.Size(), err)
		}
		s.Release()
	}
}

// TestGroupCommit: many appends that wait for a flush share few of them.
func TestGroupCommit(t *testing.T) {
	b := newBench(t)
	b.cfg.FlushMessages = 1
	l := b.create()
	for i := range 5 {
		b.append(l, b.batch(fmt.Sprint("r", i), 2))
		if l.RecoveryPoint() != l.EndOffset() {
			t.Errorf("append %d: flushed to %d of %d", i, l.RecoveryPoint(), l.EndOffset())
		}
	}
	b.cfg.FlushMessages = 5
	for i := range 3 {
		b.append(l, b.batch(fmt.Sprint("s", i), 2))
	}
	if l.RecoveryPoint() != 16 {
		t.Errorf("flushed to %d", l.RecoveryPoint())
	}
	b.append(l, b.batch("t", 1))
	b.cfg.FlushMs = 1000
	if err := l.FlushDue(); err != nil || l.RecoveryPoint() != 16 {
		t.Errorf("flushed to %d, %v", l.RecoveryPoint(), err)
	}
	b.now = b.now.Add(1e9)
	if err := l.FlushDue(); err != nil || l.RecoveryPoint() != 17 {
		t.Errorf("flushed to %d, %v", l.RecoveryPoint(), err)
	}
}

// Appends go on between the moment when a reader looks at the size of a segment
// and the one when it looks at the index.
func TestIndexEntriesYoungerThanTheSize(t *testing.T) {
	b := newBench(t)
	b.cfg.IndexIntervalBytes = 0
	l := b.create()
	for i := range 3 {
		b.append(l, b.batch(fmt.Sprint("before ", i), 1))
	}
	s := l.active()
	size, end := s.size.Load(), l.EndOffset()
	for i := range 2 * tailBatches {
		b.append(l, b.batch(fmt.Sprint("after ", i), 1))
	}
	x, ok, err := l.locateIn(s, 0, end, size, true)
	if err != nil || !ok || x.pos != 0 || x.limit != size || s.mu.rebuilt {
		t.Errorf("found %+v, %v, %v; index rebuilt: %v", x, ok, err, s.mu.rebuilt)
	}
}

// open is how many files are open.
func (c *fileCache) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, h := range c.mu.ring {
		if h.refs.Load() >= 0 {
			n++
		}
	}
	return n
}
