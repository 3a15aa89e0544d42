package virtual

import (
	"container/heap"
	"sync"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// Scheduler is the clock of a world. It releases one event at a time, each at
// an instant of its own, when all goroutines rest.
type Scheduler struct {
	mu struct {
		sync.Mutex
		events events
		taken  map[int64]bool // instants of pending events, in ns
		fired  int
	}
	sooner chan struct{} // a token: an event comes before what run sleeps for
	done   chan struct{}
}

var _ env.Clock = (*Scheduler)(nil)

// NewScheduler returns a clock at which nothing is due.
func NewScheduler() *Scheduler {
	s := &Scheduler{sooner: make(chan struct{}, 1), done: make(chan struct{})}
	s.mu.taken = map[int64]bool{}
	return s
}

// event is one pending timer.
type event struct {
	s    *Scheduler
	at   time.Time
	c    chan time.Time // nil with f
	f    func()
	slot int // in the heap, -1 when it is not pending
}

// Run releases events until Stop; it must be a goroutine of the bubble.
func (s *Scheduler) Run() {
	for {
		synctest.Wait()
		left, some := s.step()
		var due <-chan time.Time
		if some && left <= 0 {
			continue
		}
		if some {
			t := time.NewTimer(left)
			defer t.Stop()
			due = t.C
		}
		select {
		case <-due:
		case <-s.sooner:
		case <-s.done:
			return
		}
	}
}

// Stop ends Run.
func (s *Scheduler) Stop() { close(s.done) }

// step fires the oldest event if it is due, or says how long until it is.
func (s *Scheduler) step() (left time.Duration, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.events) == 0 {
		return 0, false
	}
	e := s.mu.events[0]
	now := time.Now()
	if left := e.at.Sub(now); left > 0 {
		return left, true
	}
	s.removeLocked(e)
	s.mu.fired++
	if e.c != nil {
		e.c <- now // empty: Stop and Reset drain it
	} else {
		go e.f()
	}
	return 0, true
}

// Fired returns how many events there were.
func (s *Scheduler) Fired() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.fired
}

// Now implements env.Clock.
func (s *Scheduler) Now() time.Time { return time.Now() }

// NewTimer implements env.Clock.
func (s *Scheduler) NewTimer(d time.Duration) env.Timer {
	return s.add(&event{s: s, c: make(chan time.Time, 1)}, d)
}

// AfterFunc implements env.Clock.
func (s *Scheduler) AfterFunc(d time.Duration, f func()) env.Timer {
	return s.add(&event{s: s, f: f}, d)
}

func (s *Scheduler) add(e *event, d time.Duration) *event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(e, d)
	return e
}

func (s *Scheduler) addLocked(e *event, d time.Duration) {
	// Never now: what is to happen after nothing happens in a step of its own.
	e.at = time.Now().Add(max(d, 1))
	for s.mu.taken[e.at.UnixNano()] {
		e.at = e.at.Add(1)
	}
	s.mu.taken[e.at.UnixNano()] = true
	heap.Push(&s.mu.events, e)
	if e.slot == 0 {
		select {
		case s.sooner <- struct{}{}:
		default:
		}
	}
}

func (s *Scheduler) removeLocked(e *event) bool {
	if e.slot < 0 {
		return false
	}
	heap.Remove(&s.mu.events, e.slot)
	delete(s.mu.taken, e.at.UnixNano())
	return true
}

// C implements env.Timer.
func (e *event) C() <-chan time.Time { return e.c }

// Stop implements env.Timer.
func (e *event) Stop() bool {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	return e.stopLocked()
}

func (e *event) stopLocked() bool {
	stopped := e.s.removeLocked(e)
	select {
	case <-e.c:
		return true
	default:
		return stopped
	}
}

// Reset implements env.Timer.
func (e *event) Reset(d time.Duration) bool {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	stopped := e.stopLocked()
	e.s.addLocked(e, d)
	return stopped
}

// events is a heap by time.
type events []*event

func (h events) Len() int           { return len(h) }
func (h events) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h events) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push implements heap.Interface.
func (h *events) Push(x any) {
	e, _ := x.(*event)
	e.slot = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *events) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	e.slot = -1
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
