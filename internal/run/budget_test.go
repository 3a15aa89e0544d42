package run

import (
	"context"
	"testing"
	"testing/synctest"
)

// takeLater takes from a goroutine of its own, tells when it has, and returns
// when that waits or has ended.
func takeLater(ctx context.Context, b *Budget, n, held int64) (done <-chan error) {
	ch := make(chan error, 1)
	go func() { ch <- b.Take(ctx, n, held) }()
	synctest.Wait()
	return ch
}

func waits(t *testing.T, what string, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		t.Fatalf("%s does not wait: %v", what, err)
	default:
	}
}

func TestBudgetAdmitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		if !b.TryTake(80) || b.TryTake(21) {
			t.Fatal("80 of 100, then 21 more")
		}
		ctx, cancel := context.WithCancel(t.Context())
		large := takeLater(ctx, b, 500, 0) // larger than all: waits for the whole budget
		small := takeLater(t.Context(), b, 10, 0)
		waits(t, "the large one", large)
		waits(t, "the small one behind it", small)
		if b.TryTake(1) {
			t.Error("passed those who wait")
		}
		cancel()
		if err := <-large; err == nil {
			t.Error("cancelled, but granted")
		}
		if err := <-small; err != nil {
			t.Error(err)
		}
		b.Give(90)
		alone := takeLater(t.Context(), b, 500, 0)
		if err := <-alone; err != nil || b.Free() != -400 {
			t.Errorf("alone: %v, %d free", err, b.Free())
		}
		b.Give(500)
		if b.Free() != 100 {
			t.Errorf("%d free after all was given back", b.Free())
		}
	})
}

// Requests that grow can take the whole budget together with none of them
// whole: the oldest is let on, and the rest follow one by one.
func TestBudgetLetsTheOldestOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		for range 2 {
			if !b.TryTake(50) {
				t.Fatal("not to be had")
			}
		}
		first := takeLater(t.Context(), b, 70, 50)
		waits(t, "one, while another holds half of the budget and waits for nothing", first)
		second := takeLater(t.Context(), b, 70, 50)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		waits(t, "the second", second)
		b.Give(120)
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		b.Give(120)
		if b.Free() != 100 || b.mu.stuck != 0 {
			t.Errorf("free = %d, stuck = %d after all was given back", b.Free(), b.mu.stuck)
		}
	})
}

// What is granted to somebody who just gave up is not lost.
func TestBudgetTakesBackWhatNobodyTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		b.TryTake(100)
		ctx, cancel := context.WithCancel(t.Context())
		done := takeLater(ctx, b, 60, 0)
		b.Give(100) // granted, not yet seen
		cancel()
		if err := <-done; err == nil {
			b.Give(60) // it saw the grant first
		}
		if b.Free() != 100 {
			t.Errorf("%d free", b.Free())
		}
	})
}
