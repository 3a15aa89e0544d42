package run

import (
	"slices"
	"sync"
	"testing"
)

func TestGatherKeepsOrderAndWindow(t *testing.T) {
	in := make([]int, 5*gatherWindow+3)
	for i := range in {
		in[i] = i
	}
	var waiting []func()
	most := 0
	var got []int
	Gather(in, func(n int, done func(int)) {
		if n%7 == 0 {
			done(-n) // at once
			return
		}
		waiting = append(waiting, func() { done(-n) })
		most = max(most, len(waiting))
	}, func(out []int) {
		if got != nil {
			t.Error("answered twice")
		}
		got = out
	})
	for len(waiting) > 0 { // the youngest first
		last := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		last()
	}
	if most != gatherWindow {
		t.Errorf("%d asked at a time, want %d", most, gatherWindow)
	}
	if want := len(in); len(got) != want || !slices.IsSortedFunc(got, func(a, b int) int { return b - a }) {
		t.Errorf("%d answers of %d: %v", len(got), want, got)
	}
}

func TestGatherAnswersFromManyGoroutines(t *testing.T) {
	in := make([]int, 10_000)
	var wg sync.WaitGroup
	answers := make(chan int, 2)
	Gather(in, func(_ int, done func(int)) { wg.Go(func() { done(1) }) }, func(out []int) {
		sum := 0
		for _, n := range out {
			sum += n
		}
		answers <- sum
	})
	if sum := <-answers; sum != len(in) {
		t.Errorf("%d answers of %d", sum, len(in))
	}
	wg.Wait()
	if len(answers) > 0 {
		t.Error("answered twice")
	}
}

// TestGatherDoesNotNest: a million answers at once need no deep stack, and no
// elements no answer.
func TestGatherDoesNotNest(t *testing.T) {
	depth, deepest := 0, 0
	n := -1
	Gather(make([]int, 1_000_000), func(_ int, done func(int)) {
		depth++
		deepest = max(deepest, depth)
		done(0)
		depth--
	}, func(out []int) { n = len(out) })
	if n != 1_000_000 || deepest != 1 {
		t.Errorf("%d answers, %d deep", n, deepest)
	}
	Gather(nil, func(int, func(int)) { t.Error("asked") }, func(out []int) { n = len(out) })
	if n != 0 {
		t.Errorf("%d answers to nothing", n)
	}
}
