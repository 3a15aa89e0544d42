package decide

import (
	"fmt"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

// One event is handled by a program: a stack of steps, run until one of them
// asks for znode operations. The program then rests; ZnodesDone runs what
// waits for the results and goes on. A step that calls then or znodes returns
// right after it: what it pushed runs before what was pushed earlier.
//
// So a duty reads from top to bottom like a function that blocks, state changes
// where a step says so and nowhere else, and a new event cannot slip in between.

// program is the rest of the event in progress.
type program struct {
	steps []func()
	// resume takes the results of the outstanding batch; nil when none is.
	resume func([]Result)
	// asked is the outstanding batch.
	asked []Op
	// tag is set while a request waits for its reply.
	tag    uint64
	tagged bool
	// rescue runs when the event is given up; may be nil.
	rescue func(error)
	// ran counts steps.
	ran int
}

// maxStepsPerEvent bounds what one event can cause. A failover of 200,000
// partitions takes some dozens of steps, for steps handle all partitions at
// once; only topic deletions and reassignments take some per topic or partition.
const maxStepsPerEvent = 10_000_000

// maxConflicts is how often one write is tried again after a refused
// compare-and-set. Nobody else but an old leader writes these nodes, and it
// gives up when it loses; so a few suffice.
const maxConflicts = 20

// Step handles one event. now is the wall clock.
func (s *State) Step(now time.Time, ev Event) Effects {
	s.now, s.out = now, nil
	if done, ok := ev.(ZnodesDone); ok {
		s.resume(done.Results)
	} else {
		s.begin(ev)
	}
	s.run()
	return s.out
}

// Busy reports whether an event is in progress: Step then takes ZnodesDone only.
func (s *State) Busy() bool { return s.prog.resume != nil }

func (s *State) begin(ev Event) {
	must.Hold(!s.Busy(), "an event was stepped while another waits for znodes")
	s.prog = program{}
	s.prog.tag, s.prog.tagged = Tag(ev)
	s.handle(ev)
}

// resume takes the results of the outstanding batch.
func (s *State) resume(results []Result) {
	must.Hold(s.Busy(), "results of znode operations that nobody asked for")
	must.Hold(len(results) == len(s.prog.asked), "a batch and its results differ in length")
	asked, next := s.prog.asked, s.prog.resume
	s.prog.asked, s.prog.resume = nil, nil
	for i, r := range results {
		switch {
		case r.Moved:
			s.moved()
			return
		case sessionGone(r.Err):
			// Somebody else is or will be controller: ask there.
			s.answer(Failed{wire.CodeNotController})
			s.abort(fmt.Errorf("%s: %w", asked[i].Path, r.Err))
			return
		}
	}
	next(results)
}

// sessionGone reports errors after which no other operation can succeed.
func sessionGone(err zk.Err) bool {
	switch err {
	case zk.ErrSessionExpired, zk.ErrConnectionLoss, zk.ErrAuthFailed, zk.ErrSessionMoved:
		return true
	}
	return false
}

func (s *State) run() {
	for !s.Busy() && len(s.prog.steps) > 0 {
		last := len(s.prog.steps) - 1
		step := s.prog.steps[last]
		s.prog.steps = s.prog.steps[:last]
		s.prog.ran++
		must.Hold(s.prog.ran < maxStepsPerEvent, "an event of the controller does not end")
		step()
	}
}

// then runs steps in order, before all that waits already.
func (s *State) then(steps ...func()) {
	for i := len(steps) - 1; i >= 0; i-- {
		s.prog.steps = append(s.prog.steps, steps[i])
	}
}

// znodes asks for operations and goes on with their results. No operations
// have no results: next runs at once.
func (s *State) znodes(ops []Op, next func([]Result)) {
	if len(ops) == 0 {
		next(nil)
		return
	}
	for i := range ops {
		if ops[i].Fence && ops[i].FenceVersion == 0 {
			ops[i].FenceVersion = s.fence
		}
	}
	s.prog.asked, s.prog.resume = ops, next
	s.emit(Znodes{Ops: ops})
}

// abort ends the event in progress. Its request, if it was one, is answered.
func (s *State) abort(err error) {
	rescue := s.prog.rescue
	s.prog.steps, s.prog.resume, s.prog.rescue = nil, nil, nil
	s.batch.clear()
	s.note("gave up on an event: %v", err)
	code := wire.CodeUnknownServerError
	if !s.Active() {
		code = wire.CodeNotController
	}
	s.answer(Failed{code})
	if rescue != nil {
		rescue(err)
	}
}

// moved is what a refused fence leads to: look who is controller now.
func (s *State) moved() {
	s.prog.steps, s.prog.rescue = nil, nil
	s.batch.clear()
	s.note("controller epoch %d was superseded", s.epoch)
	s.answer(Failed{wire.CodeNotController})
	s.then(s.maybeResign)
}

// each runs a step for every element, in order.
func each[E any](s *State, list []E, step func(E)) {
	for _, e := range slices.Backward(list) {
		s.then(func() { step(e) })
	}
}

// answer replies to the request in progress, once.
func (s *State) answer(a Answer) {
	if s.prog.tagged {
		s.prog.tagged = false
		s.emit(Reply{Tag: s.prog.tag, Answer: a})
	}
}

func (s *State) emit(e Effect) { s.out = append(s.out, e) }

func (s *State) note(format string, args ...any) {
	s.emit(Note{Text: fmt.Sprintf(format, args...)})
}

// warn is a note of something that may need an operator.
func (s *State) warn(format string, args ...any) {
	s.emit(Note{Text: fmt.Sprintf(format, args...), Warn: true})
}

func (s *State) refuse(subject fmt.Stringer, from, to fmt.Stringer, format string, args ...any) {
	s.emit(Refused{Subject: subject.String(), From: from.String(), To: to.String(), Why: fmt.Sprintf(format, args...)})
}

// Preempt returns the answer to a request event that is dropped from the queue
// because the session ended or the process leaves.
func Preempt(ev Event) (Reply, bool) {
	tag, ok := Tag(ev)
	return Reply{Tag: tag, Answer: Failed{wire.CodeNotController}}, ok
}
