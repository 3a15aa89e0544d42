package run

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed is returned by Inbox.Put after Close, and by Get when a closed
// inbox is empty.
var ErrClosed = errors.New("inbox closed")

// ErrFull is returned by Inbox.TryPut when the bound is reached.
var ErrFull = errors.New("inbox full")

// Inbox is a bounded first-in-first-out queue with many writers and one reader.
type Inbox[E any] struct {
	mu struct {
		sync.Mutex
		items  []E
		closed bool
	}
	limit int
	// ready and space hold at most one token each: a hint to look again.
	ready, space chan struct{}
}

// NewInbox returns an inbox that holds at most limit elements.
func NewInbox[E any](limit int) *Inbox[E] {
	return &Inbox[E]{limit: limit, ready: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// TryPut appends e, or returns ErrFull or ErrClosed at once.
func (q *Inbox[E]) TryPut(e E) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return ErrClosed
	}
	if len(q.mu.items) >= q.limit {
		return ErrFull
	}
	q.mu.items = append(q.mu.items, e)
	Hint(q.ready)
	return nil
}

// Put appends e, waiting for space until ctx ends.
func (q *Inbox[E]) Put(ctx context.Context, e E) error {
	for {
		err := q.TryPut(e)
		if !errors.Is(err, ErrFull) {
			q.passSpace()
			return err
		}
		select {
		case <-q.space:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// passSpace hands the space token on, for another writer that waits.
func (q *Inbox[E]) passSpace() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || len(q.mu.items) < q.limit {
		Hint(q.space)
	}
}

// Drain waits until something is there and returns all of it, appended to buf,
// even when ctx has ended. It returns ErrClosed once the inbox is closed and empty.
func (q *Inbox[E]) Drain(ctx context.Context, buf []E) ([]E, error) {
	for {
		if out, err := q.take(buf); err != nil || len(out) > len(buf) {
			return out, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			if out, err := q.take(buf); err != nil || len(out) > len(buf) {
				return out, err
			}
			return buf, context.Cause(ctx)
		}
	}
}

// Get waits until something is there and returns the oldest element alone, even
// when ctx has ended: for owners that leave the rest where Clear finds it. It returns ErrClosed once the
// inbox is closed and empty.
func (q *Inbox[E]) Get(ctx context.Context) (E, error) {
	for {
		if e, ok, err := q.pop(); ok || err != nil {
			return e, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			e, ok, err := q.pop()
			if !ok && err == nil {
				err = context.Cause(ctx)
			}
			return e, err
		}
	}
}

func (q *Inbox[E]) pop() (e E, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.items) == 0 {
		if q.mu.closed {
			err = ErrClosed
		}
		return e, false, err
	}
	var none E
	e, q.mu.items[0] = q.mu.items[0], none
	if q.mu.items = q.mu.items[1:]; len(q.mu.items) == 0 {
		q.mu.items = nil
	}
	Hint(q.space)
	return e, true, nil
}

// Ready returns the channel that gets a token when something was put: for
// owners that select over several sources and then call TryDrain.
func (q *Inbox[E]) Ready() <-chan struct{} { return q.ready }

// TryDrain returns what is there now, appended to buf, without waiting.
func (q *Inbox[E]) TryDrain(buf []E) []E {
	out, _ := q.take(buf)
	return out
}

func (q *Inbox[E]) take(buf []E) ([]E, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.items) == 0 {
		if q.mu.closed {
			return buf, ErrClosed
		}
		return buf, nil
	}
	buf = append(buf, q.mu.items...)
	clear(q.mu.items)
	q.mu.items = q.mu.items[:0]
	Hint(q.space)
	return buf, nil
}

// Len returns how many elements wait.
func (q *Inbox[E]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.mu.items)
}

// Clear drops all that waits and returns it: preemption, as the controller's
// Expire event needs it.
func (q *Inbox[E]) Clear() []E {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.mu.items
	q.mu.items = nil
	Hint(q.space)
	return out
}

// Close refuses further elements and wakes the reader; those inside remain.
func (q *Inbox[E]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.closed = true
	Hint(q.ready)
	Hint(q.space)
}
