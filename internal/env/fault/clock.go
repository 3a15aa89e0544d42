package fault

import (
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// clock is a life's env.Clock.
type clock struct{ life *life }

// Now implements env.Clock: the wall clock with the host's jumps, and a
// monotonic reading without them.
func (c clock) Now() time.Time {
	h := c.life.host
	return split(h.base.Clock.Now(), h.epoch, time.Duration(h.skew.Load()))
}

// NewTimer implements env.Clock.
func (c clock) NewTimer(d time.Duration) env.Timer {
	return c.start(&timer{clock: c, c: make(chan time.Time, 1)}, d)
}

// AfterFunc implements env.Clock.
func (c clock) AfterFunc(d time.Duration, f func()) env.Timer {
	return c.start(&timer{clock: c, f: f}, d)
}

func (c clock) start(t *timer, d time.Duration) *timer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armLocked(d)
	return t
}

// timer fires when its time has come and its process runs.
type timer struct {
	clock clock
	c     chan time.Time // nil with f
	f     func()
	mu    struct {
		sync.Mutex
		base    env.Timer
		turn    int // counts Stop and Reset: what belongs to a former one is stale
		pending bool
	}
}

func (t *timer) armLocked(d time.Duration) {
	turn := t.mu.turn
	t.mu.pending = true
	t.mu.base = t.clock.life.host.base.Clock.AfterFunc(d, func() { t.fire(turn) })
}

func (t *timer) fire(turn int) {
	t.clock.life.awaitRun()
	if t.take(turn) && t.f != nil {
		t.f()
	}
}

// take ends a turn, and sends the time where somebody waits for it.
func (t *timer) take(turn int) bool {
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.turn != turn || !t.mu.pending {
		return false
	}
	t.mu.pending = false
	if t.c != nil {
		t.c <- now // empty: it was drained when this turn began
	}
	return true
}

// C implements env.Timer.
func (t *timer) C() <-chan time.Time { return t.c }

// Stop implements env.Timer.
func (t *timer) Stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopLocked()
}

func (t *timer) stopLocked() bool {
	stopped := t.mu.pending
	t.mu.base.Stop()
	t.mu.turn++
	t.mu.pending = false
	select {
	case <-t.c:
		stopped = true
	default:
	}
	return stopped
}

// Reset implements env.Timer.
func (t *timer) Reset(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	stopped := t.stopLocked()
	t.armLocked(d)
	return stopped
}
