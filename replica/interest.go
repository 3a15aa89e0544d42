package replica

import (
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/env"
)

// interest is what one fetch (or one fetch session) wants to read. Its entries
// stand in the subscriber lists of their partitions, which mark them when they
// have something new, so that a fetch over 5,000 idle partitions and 10 busy
// ones looks at 10.
type interest struct {
	// follower is the broker whose session this is; nil for consumers, and
	// without a session. It never changes.
	follower *follower
	mu       struct {
		sync.Mutex
		dirty  []*entry // to look at, in this order
		parked *parked  // a fetch that waits for more
	}
}

// entry is one partition of an interest. Its fields belong to who holds the op
// lock of the fetch or session, but for dirty, which interest.mu guards, and
// the links, which Partition.subs guards.
type entry struct {
	set        *interest
	dirty      bool
	forgotten  bool // the session dropped it: it may still be among the dirty
	want       FetchPartition
	part       *Partition // nil while unknown here
	prev, next *entry     // the partition's subscriber list
	linked     bool

	// What the client was last told, for incremental replies; the start values
	// differ from any real one.
	sentHW, sentStart int64
	sentFailed        bool
	// outside says that the follower was not in sync when it was read: the next
	// request looks again, though nothing happens here, for another change may be
	// on its way or the follower not be known to live yet.
	outside bool
	// held says that the throttle kept records from the reader: more of them are
	// no reason to wake it. Those who mark the entry look at it.
	held atomic.Bool
}

func newEntry(set *interest, want FetchPartition) *entry {
	return &entry{set: set, want: want, sentHW: -2, sentStart: -2}
}

// detach lets the partition forget the entry.
func (e *entry) detach() {
	if e.part != nil {
		e.part.unsubscribe(e)
		if e.set.follower != nil {
			e.part.left(e.set.follower)
		}
		e.part = nil
	}
}

// view is what a reader may see of a partition, which decides what is news.
type view uint8

const (
	viewWatermark view = iota // up to the high watermark
	viewStable                // up to the last stable offset
	viewEnd                   // all: a follower
)

// news tells how many bytes became readable in each view. urgent wakes a fetch
// whatever it waits for: an error, another leader.
type news struct {
	bytes  [viewEnd + 1]int
	urgent bool
}

// parked is one fetch that found too little.
type parked struct {
	view     view
	minBytes int
	bytes    int // what is known to be readable; guarded by interest.mu
	timer    env.Timer
	wake     func()
	next     *parked // in the list of those that one notify wakes
}

// fire answers a fetch that is parked no more.
func (p *parked) fire() {
	p.timer.Stop()
	p.wake()
}

func (s *interest) addLocked(e *entry) {
	if !e.dirty && !e.forgotten {
		e.dirty = true
		s.mu.dirty = append(s.mu.dirty, e)
	}
}

// mark notes that e's partition changed. It returns the fetch that has enough
// now, for the caller to fire when it holds no lock.
func (e *entry) mark(n *news) *parked {
	s := e.set
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(e)
	p := s.mu.parked
	if p == nil {
		return nil
	}
	if !e.held.Load() {
		p.bytes += n.bytes[p.view]
	}
	if p.bytes < p.minBytes && !n.urgent {
		return nil
	}
	s.mu.parked = nil
	return p
}

// wakeParked answers a parked fetch: another request of the same session
// arrived, or the session ends, so nobody waits for more.
func (s *interest) wakeParked() {
	s.mu.Lock()
	p := s.mu.parked
	s.mu.parked = nil
	s.mu.Unlock()
	if p != nil {
		p.fire()
	}
}

// take returns what is dirty and forgets it: a change after this call marks
// the entry again.
func (s *interest) take() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.mu.dirty
	s.mu.dirty = nil
	for _, e := range out {
		e.dirty = false
	}
	return out
}

// putBack makes entries dirty again. Those that were not reached, because the
// reply was full, come before all others next time; those that gave something
// come last, so that no partition keeps the others from being read.
func (s *interest) putBack(unread, read []*entry) {
	if len(unread)+len(read) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putBackLocked(unread, read)
}

func (s *interest) putBackLocked(unread, read []*entry) {
	marked := s.mu.dirty
	if len(unread) > 0 {
		s.mu.dirty = make([]*entry, 0, len(unread)+len(marked)+len(read))
		for _, e := range unread {
			s.addLocked(e)
		}
		s.mu.dirty = append(s.mu.dirty, marked...)
	}
	for _, e := range read {
		s.addLocked(e)
	}
}

// park waits for more, unless something changed since take; start makes the
// timer, under the lock, so that the timer finds the fetch parked. What was
// found is looked at again when it is woken.
func (s *interest) park(p *parked, unread, read []*entry, start func() env.Timer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := len(s.mu.dirty) > 0
	s.putBackLocked(unread, read)
	if changed {
		return false
	}
	p.timer = start()
	s.mu.parked = p
	return true
}

// unpark removes a parked fetch; it reports whether p was still parked, so
// that exactly one of timer, data and close answers it.
func (s *interest) unpark(p *parked) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.parked != p {
		return false
	}
	s.mu.parked = nil
	return true
}
