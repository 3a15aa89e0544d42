package check

import (
	"fmt"
	"sync"
)

// place is where a group commits.
type place struct {
	group string
	Partition
}

// Offsets is what groups committed. A group has one member at a time here, so
// its commits do not overtake each other.
type Offsets struct {
	mu struct {
		sync.Mutex
		tried map[place]map[int64]bool
		acked map[place]int64
	}
}

// None is the committed offset of a group that has none.
const None = -1

// NewOffsets returns an empty history.
func NewOffsets() *Offsets {
	o := &Offsets{}
	o.mu.tried, o.mu.acked = map[place]map[int64]bool{}, map[place]int64{}
	return o
}

// Committing says that a commit is about to be asked for.
func (o *Offsets) Committing(group string, p Partition, offset int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := place{group, p}
	if o.mu.tried[at] == nil {
		o.mu.tried[at] = map[int64]bool{}
	}
	o.mu.tried[at][offset] = true
}

// Committed says that it was acknowledged.
func (o *Offsets) Committed(group string, p Partition, offset int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.acked[place{group, p}] = offset
}

// Acked returns the last acknowledged offset, None without one.
func (o *Offsets) Acked(group string, p Partition) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.mu.acked[place{group, p}]; ok {
		return at
	}
	return None
}

// Check compares what the broker says (None for no offset) with the commits:
// one that was tried, not behind the last that was acknowledged, not ahead of
// the log.
func (o *Offsets) Check(group string, p Partition, found, logEnd int64) error {
	if err := o.CheckLossy(group, p, found); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	acked, ok := o.mu.acked[place{group, p}]
	switch {
	case ok && found < acked:
		return fmt.Errorf("group %s at %s: offset %d was acknowledged, %d is there", group, p, acked, found)
	case found > logEnd:
		return fmt.Errorf("group %s at %s: offset %d is ahead of the log, which ends at %d", group, p, found, logEnd)
	}
	return nil
}

// CheckLossy accepts any commit that was ever tried, and none at all, after a
// power cut without flushing; the history then goes on from what is there.
func (o *Offsets) CheckLossy(group string, p Partition, found int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if found != None && !o.mu.tried[place{group, p}][found] {
		return fmt.Errorf("group %s at %s: offset %d was never committed", group, p, found)
	}
	return nil
}

// Restart makes what is there the last acknowledged offset.
func (o *Offsets) Restart(group string, p Partition, found int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.mu.acked, place{group, p})
	if found != None {
		o.mu.acked[place{group, p}] = found
	}
}
