package storage

import (
	"errors"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

// afterRemove is a disk on which something happens between the removal of a
// file and the moment when its caller learns of it.
type afterRemove struct {
	env.FS
	then func()
}

func (f *afterRemove) Remove(name string) error {
	err := f.FS.Remove(name)
	if f.then != nil {
		f.then()
	}
	return err
}

// A reader that looks up a place while its segment is cut off finds no file.
// That is no fault of the disk.
func TestReadingWhileTruncatedLeavesTheDirectoryAlone(t *testing.T) {
	for name, c := range map[string]struct {
		cut func(l *Log) error
		end int64
	}{
		"to an offset":             {func(l *Log) error { return second(l.TruncateTo(5)) }, 4},
		"to the start":             {func(l *Log) error { return second(l.TruncateTo(0)) }, 0},
		"fully, on where it began": {func(l *Log) error { return l.TruncateFullyAndStartAt(0, 0) }, 0},
		"fully, on in the middle":  {func(l *Log) error { return l.TruncateFullyAndStartAt(7, 7) }, 7},
		"fully, on behind":         {func(l *Log) error { return l.TruncateFullyAndStartAt(100, 100) }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			disk := &afterRemove{FS: b.fs}
			b.env.FS = disk
			if err := b.dir.Close(); err != nil {
				t.Fatal(err)
			}
			b.openDir()
			l := b.segmented()
			b.dir.files.closeIdle(true)
			reads := 0
			disk.then = func() {
				for at := range int64(21) {
					reads++
					s, err := l.Read(at, 20, 1000, true)
					if _, outside := errors.AsType[*OffsetError](err); err != nil && !outside {
						t.Fatalf("read at %d: %v", at, err)
					}
					s.Release()
				}
			}
			if err := c.cut(l); err != nil {
				t.Fatal(err)
			}
			disk.then = nil
			if err := b.dir.Failed(); err != nil || reads == 0 {
				t.Fatalf("after %d reads the directory is offline: %v", reads, err)
			}
			if l.EndOffset() != c.end {
				t.Errorf("ends at %d, want %d", l.EndOffset(), c.end)
			}
			b.append(l, b.batch("goes on", 1))
			readAll(t, l, 1000)
		})
	}
}
