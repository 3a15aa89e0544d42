package run

import (
	"context"
	"errors"
	"testing"
)

func TestInboxGetLeavesTheRest(t *testing.T) {
	q := NewInbox[int](3)
	for i := range 3 {
		if err := q.TryPut(i); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := q.Get(t.Context()); v != 0 || err != nil || q.Len() != 2 {
		t.Fatalf("%d, %v, %d left", v, err, q.Len())
	}
	if err := q.TryPut(3); err != nil {
		t.Fatalf("no space after Get: %v", err)
	}
	if rest := q.Clear(); len(rest) != 3 || rest[0] != 1 || rest[2] != 3 {
		t.Fatalf("cleared %v", rest)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := q.Get(ctx); err == nil || err.Error() != "enough" {
		t.Fatalf("cancelled: %v", err)
	}
	if err := q.TryPut(9); err != nil {
		t.Fatal(err)
	}
	q.Close()
	if v, err := q.Get(t.Context()); v != 9 || err != nil {
		t.Fatalf("after close: %d, %v", v, err)
	}
	if _, err := q.Get(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatalf("empty and closed: %v", err)
	}
}
