// Package verb runs the program's verbs inside a test's own process, as from a
// shell.
//
//   - Owns: the streams of a run.
//   - Goroutines: one per run.
//   - Disk: none of its own.
//   - Locks: stream.mu.
//   - Kafka counterpart: none.
package verb

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/cli"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/gregor"
)

// patience bounds every wait; what takes longer hangs.
const patience = time.Minute

// Run is a verb at work, or done.
type Run struct {
	t         testing.TB
	args      []string
	out, err  stream
	interrupt context.CancelFunc
	done      chan struct{}
	code      int // valid after done
}

// Start runs a verb with something to read. It is interrupted when the test
// ends.
func Start(t testing.TB, in io.Reader, args ...string) *Run {
	t.Helper()
	return start(t, in, false, args...)
}

// StartLive is Start on a terminal.
func StartLive(t testing.TB, in io.Reader, args ...string) *Run {
	t.Helper()
	return start(t, in, true, args...)
}

func start(t testing.TB, in io.Reader, live bool, args ...string) *Run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Run{t: t, args: args, interrupt: cancel, done: make(chan struct{})}
	r.out.changed, r.err.changed = make(chan struct{}), make(chan struct{})
	p := cli.Program{Env: env.Real(), In: in, Out: &r.out, Err: &r.err, Live: live, Exit: func(int) {}}
	go func() {
		defer close(r.done)
		r.code = p.Run(ctx, args)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

// Do runs a verb to its end and returns what it wrote and its exit code.
func Do(t testing.TB, stdin string, args ...string) (out, errs string, code int) {
	t.Helper()
	r := Start(t, strings.NewReader(stdin), args...)
	code = r.Wait()
	return r.Out(), r.Err(), code
}

// Must is Do for a verb that has to succeed.
func Must(t testing.TB, stdin string, args ...string) (out string) {
	t.Helper()
	out, errs, code := Do(t, stdin, args...)
	if code != 0 {
		t.Fatalf("gregor %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// Fails is Do for a verb that has to fail, with texts in what it says.
func Fails(t testing.TB, stdin string, args []string, texts ...string) {
	t.Helper()
	out, errs, code := Do(t, stdin, args...)
	if code == 0 {
		t.Fatalf("gregor %s: succeeded\n%s%s", strings.Join(args, " "), out, errs)
	}
	for _, want := range texts {
		if !strings.Contains(errs, want) {
			t.Errorf("gregor %s: says nothing of %q:\n%s", strings.Join(args, " "), want, errs)
		}
	}
}

// Interrupt is Ctrl-C.
func (r *Run) Interrupt() { r.interrupt() }

// Wait waits for the end and returns the exit code.
func (r *Run) Wait() int {
	r.t.Helper()
	select {
	case <-r.done:
		return r.code
	case <-time.After(patience):
		r.t.Fatalf("gregor %s: still runs after %v\n%s%s", strings.Join(r.args, " "), patience, r.Out(), r.Err())
		return -1
	}
}

// Out and Err return what was written so far.
func (r *Run) Out() string { return r.out.get() }

// Err returns what was written to the standard error so far.
func (r *Run) Err() string { return r.err.get() }

// Await waits until the verb has written a text, on either stream.
func (r *Run) Await(want string) {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		out, outChanged := r.out.watch()
		errs, errChanged := r.err.watch()
		if strings.Contains(out, want) || strings.Contains(errs, want) {
			return
		}
		select {
		case <-outChanged:
		case <-errChanged:
		case <-r.done:
			if all := r.Out() + r.Err(); !strings.Contains(all, want) {
				r.t.Fatalf("gregor %s: ended with %d before it wrote %q\n%s", strings.Join(r.args, " "), r.code, want, all)
			}
			return
		case <-deadline:
			r.t.Fatalf("gregor %s: did not write %q within %v\n%s%s", strings.Join(r.args, " "), want, patience, out, errs)
		}
	}
}

// stream keeps what is written, and tells of every write.
type stream struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(p)
}

func (s *stream) get() string {
	text, _ := s.watch()
	return text
}

func (s *stream) watch() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.changed
}

// Eventually calls f until it returns nil.
func Eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	gregor.Eventually(t, patience, what, f)
}

// Same fails the test when two texts differ.
func Same(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, indent(got), indent(want))
	}
}

func indent(s string) string {
	return fmt.Sprintf("  |%s", strings.ReplaceAll(s, "\n", "\n  |"))
}
