package run

import (
	"context"
	"sync"
)

// Budget bounds the bytes of requests in work over all connections. Waiters are
// served in order, so a large request cannot starve. A request takes its share
// as it grows; when all that is taken belongs to requests which wait for more,
// nobody would ever give anything back, and the oldest is let on.
type Budget struct {
	mu struct {
		sync.Mutex
		free    int64 // below 0 after somebody was let on
		stuck   int64 // what waiters hold already
		waiters []*waiter
	}
	size int64
}

type waiter struct {
	n, held int64
	ready   chan struct{}
}

// NewBudget returns a budget of size bytes.
func NewBudget(size int64) *Budget {
	b := &Budget{size: size}
	b.mu.free = size
	return b
}

// Free returns how many bytes nobody has taken; below 0 after somebody was let
// on.
func (b *Budget) Free() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.free
}

// TryTake takes n bytes if it need not wait for them.
func (b *Budget) TryTake(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ok := len(b.mu.waiters) == 0 && b.mu.free >= n
	if ok {
		b.mu.free -= n
	}
	return ok
}

// Take waits until n bytes are free, for a request that holds some already, or
// until ctx ends. A request larger than the whole budget is admitted alone.
func (b *Budget) Take(ctx context.Context, n, held int64) error {
	if b.TryTake(n) {
		return nil
	}
	b.mu.Lock()
	w := &waiter{n: n, held: held, ready: make(chan struct{})}
	b.mu.waiters = append(b.mu.waiters, w)
	b.mu.stuck += held
	b.grantLocked()
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		b.cancel(w)
		return context.Cause(ctx)
	}
}

func (b *Budget) cancel(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.mu.waiters {
		if other == w {
			b.mu.waiters = append(b.mu.waiters[:i], b.mu.waiters[i+1:]...)
			b.mu.stuck -= w.held
			b.grantLocked()
			return
		}
	}
	b.mu.free += w.n // it was granted meanwhile
	b.grantLocked()
}

// Give returns n bytes.
func (b *Budget) Give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.free += n
	b.grantLocked()
}

func (b *Budget) grantLocked() {
	for len(b.mu.waiters) > 0 && (b.mu.free >= b.mu.waiters[0].n || b.size-b.mu.free == b.mu.stuck) {
		w := b.mu.waiters[0]
		b.mu.waiters = b.mu.waiters[1:]
		b.mu.free -= w.n
		b.mu.stuck -= w.held
		close(w.ready)
	}
}
