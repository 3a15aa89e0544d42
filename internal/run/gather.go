package run

import "sync"

// gatherWindow bounds how much of one request is asked for at a time: enough to
// hide the way to ZooKeeper and back, little enough that a request which names
// a topic a million times costs no more than its bytes.
const gatherWindow = 64

// Gather asks about every element, a window of them at a time and each on its
// own, and answers once, in their order, when the last answer is there. Answers
// come at once or later from any goroutine, each exactly once; ask runs on the
// goroutine of the caller or of an answer and must not block.
func Gather[R, A any](in []R, ask func(R, func(A)), done func([]A)) {
	g := &gathering[R, A]{in: in, out: make([]A, len(in)), ask: ask, done: done}
	if len(in) == 0 {
		done(g.out)
		return
	}
	g.pump()
}

type gathering[R, A any] struct {
	in   []R
	ask  func(R, func(A))
	done func([]A)
	out  []A // each element is written once, before answered counts it

	mu struct {
		sync.Mutex
		next, answered int
		pumping        bool
	}
}

// pump asks on while the window has room. Only one caller does it: answers that
// come at once would otherwise nest as deep as there are elements.
func (g *gathering[R, A]) pump() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.pumping {
		return // who pumps looks again before it stops
	}
	g.mu.pumping = true
	for g.mu.next < len(g.in) && g.mu.next-g.mu.answered < gatherWindow {
		i := g.mu.next
		g.mu.next++
		g.mu.Unlock()
		g.ask(g.in[i], func(a A) { g.answer(i, a) })
		g.mu.Lock()
	}
	g.mu.pumping = false
}

func (g *gathering[R, A]) answer(i int, a A) {
	g.out[i] = a
	g.mu.Lock()
	g.mu.answered++
	last := g.mu.answered == len(g.in)
	g.mu.Unlock()
	if last {
		g.done(g.out)
		return
	}
	g.pump()
}
