package check

import (
	"fmt"
	"sync"
)

// Births notes when things were created, by czxid: no two creations ever share
// one, and what was created later has the larger one.
type Births struct {
	mu struct {
		sync.Mutex
		of   map[int64]string
		when map[string]int64
		last map[string]int64 // of each series
	}
}

// NewBirths returns an empty history.
func NewBirths() *Births {
	b := &Births{}
	b.mu.of, b.mu.when, b.mu.last = map[int64]string{}, map[string]int64{}, map[string]int64{}
	return b
}

// Note says that a thing was created at a czxid; it is told of as often as it
// is seen.
func (b *Births) Note(what string, czxid int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if other, ok := b.mu.of[czxid]; ok && other != what {
		return fmt.Errorf("czxid %#x belongs to %s, now to %s too", czxid, other, what)
	}
	if was, ok := b.mu.when[what]; ok && was != czxid {
		return fmt.Errorf("czxid of %s was %#x, is %#x", what, was, czxid)
	}
	b.mu.of[czxid], b.mu.when[what] = what, czxid
	return nil
}

// Next says that the next member of a series was created, such as the next
// registration of one broker.
func (b *Births) Next(series string, czxid int64) error {
	b.mu.Lock()
	last, ok := b.mu.last[series]
	b.mu.last[series] = czxid
	b.mu.Unlock()
	if ok && czxid <= last {
		return fmt.Errorf("czxid of %s went from %#x to %#x", series, last, czxid)
	}
	return b.Note(fmt.Sprintf("%s (%#x)", series, czxid), czxid)
}
