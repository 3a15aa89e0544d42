package server

import (
	"context"
	"sync"
)

// budget bounds the bytes of request frames in work over all connections.
// Waiters are served in order, so a large frame cannot starve. A frame takes
// its share as it grows; when all that is taken belongs to frames which wait
// for more, nobody would ever give anything back, and the oldest is let on.
type budget struct {
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

func newBudget(size int64) *budget {
	b := &budget{size: size}
	b.mu.free = size
	return b
}

// take waits until n bytes are free, for a frame that holds some already. A
// frame larger than the whole budget is admitted alone.
func (b *budget) take(ctx context.Context, n, held int64) error {
	b.mu.Lock()
	if len(b.mu.waiters) == 0 && b.mu.free >= n {
		b.mu.free -= n
		b.mu.Unlock()
		return nil
	}
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

func (b *budget) cancel(w *waiter) {
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

// give returns n bytes.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.free += n
	b.grantLocked()
}

func (b *budget) grantLocked() {
	for len(b.mu.waiters) > 0 && (b.mu.free >= b.mu.waiters[0].n || b.size-b.mu.free == b.mu.stuck) {
		w := b.mu.waiters[0]
		b.mu.waiters = b.mu.waiters[1:]
		b.mu.free -= w.n
		b.mu.stuck -= w.held
		close(w.ready)
	}
}
