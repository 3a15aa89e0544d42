package replica

import (
	"sync"

	"github.com/gregor-mq/gregor/internal/env"
)

// interest is what one fetch (or one fetch session) wants to read. It stands
// in the subscriber list of each of its partitions, which mark it when they
// have something new, so that a fetch over 5,000 idle partitions and 10 busy
// ones looks at 10.
type interest struct {
	mu struct {
		sync.Mutex
		dirty  []*entry // to look at, oldest first
		parked *parked  // a fetch that waits for more
		bytes  int      // appended since it was parked
	}
}

// entry is one partition of an interest. Its fields belong to whoever works on
// the interest's request, but for dirty, which interest.mu guards, and the
// links, which Partition.subs guards.
type entry struct {
	set        *interest
	dirty      bool
	want       FetchPartition
	part       *Partition // nil while unknown here
	prev, next *entry     // the partition's subscriber list
	linked     bool

	// What the client was last told, for incremental replies; the start values
	// differ from any real one.
	sentHW, sentStart int64
	sentFailed        bool
}

func newEntry(set *interest, want FetchPartition) *entry {
	return &entry{set: set, want: want, sentHW: -2, sentStart: -2}
}

// parked is one fetch that found too little.
type parked struct {
	minBytes int
	timer    env.Timer
	wake     func()
}

// mark notes that e's partition changed; n is how many bytes became readable,
// and urgent wakes the fetch whatever it waits for (an error, a new leader).
func (e *entry) mark(n int, urgent bool) {
	s := e.set
	s.mu.Lock()
	if !e.dirty {
		e.dirty = true
		s.mu.dirty = append(s.mu.dirty, e)
	}
	p := s.mu.parked
	s.mu.bytes += n
	if p == nil || s.mu.bytes < p.minBytes && !urgent {
		s.mu.Unlock()
		return
	}
	s.mu.parked = nil
	s.mu.Unlock()
	p.timer.Stop()
	p.wake()
}

// wakeParked answers a parked fetch with what is there: another request of the
// same session arrived, so nobody waits for more.
func (s *interest) wakeParked() {
	s.mu.Lock()
	p := s.mu.parked
	s.mu.parked = nil
	s.mu.Unlock()
	if p != nil {
		p.timer.Stop()
		p.wake()
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

// putBack makes entries dirty again, behind what was marked meanwhile: those
// not reached because the reply was full come after the others next time.
func (s *interest) putBack(entries []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if !e.dirty {
			e.dirty = true
			s.mu.dirty = append(s.mu.dirty, e)
		}
	}
}

// park waits for more, unless something changed since take. have is how many
// bytes the entries in back hold already; they are looked at again then.
func (s *interest) park(p *parked, have int, back []*entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.dirty) > 0 {
		return false
	}
	for _, e := range back {
		e.dirty = true
		s.mu.dirty = append(s.mu.dirty, e)
	}
	s.mu.parked, s.mu.bytes = p, have
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
