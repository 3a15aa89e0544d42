package storage

import (
	"errors"
	"os"
	"testing"

	"github.com/gregor-mq/gregor/storage/index"
)

// An index that stays corrupt, though it was made anew, spoils its segment only.
func TestCorruptIndexLeavesTheDirectoryAlone(t *testing.T) {
	b := newBench(t)
	b.cfg.IndexIntervalBytes = 0
	l := b.create()
	for range 2 * tailBatches {
		b.append(l, b.batch("x", 1))
	}
	b.stop(l)
	l = b.mustReopen()
	s := l.active()
	if _, err := s.newest(); err != nil { // loads the indexes
		t.Fatal(err)
	}
	s.mu.Lock()
	s.mu.rebuilt = true
	f, err := b.fs.Open(s.path(suffixIndex), os.O_RDWR, 0)
	s.mu.Unlock()
	if err == nil {
		err = errors.Join(f.Truncate(0), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(5, l.EndOffset(), 1000, true); !errors.Is(err, index.ErrCorrupt) {
		t.Errorf("read: got %v, want %v", err, index.ErrCorrupt)
	}
	if err := b.dir.Failed(); err != nil {
		t.Errorf("the directory went offline: %v", err)
	}
}
