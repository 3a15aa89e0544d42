package run

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestWhatIsThereGoesBeforeTheEnd: when the context has ended and an element has
// come before the one who waits gets to look, it gets the element.
func TestWhatIsThereGoesBeforeTheEnd(t *testing.T) {
	f := func(get func(*Inbox[int], context.Context) (int, error)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			q := NewInbox[int](1)
			ctx, cancel := context.WithCancel(t.Context())
			var got int
			var err error
			go func() { got, err = get(q, ctx) }()
			synctest.Wait() // it waits
			q.mu.Lock()     // woken by the end, it finds the element
			cancel()
			q.mu.items = append(q.mu.items, 7)
			q.mu.Unlock()
			synctest.Wait()
			if got != 7 || err != nil {
				t.Errorf("got %d, %v; want 7", got, err)
			}
			if _, err := get(q, ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("afterwards: %v, want %v", err, context.Canceled)
			}
		})
	}
	f(func(q *Inbox[int], ctx context.Context) (int, error) { return q.Get(ctx) })
	f(func(q *Inbox[int], ctx context.Context) (int, error) {
		out, err := q.Drain(ctx, nil)
		if len(out) == 0 {
			return 0, err
		}
		return out[0], err
	})
}
