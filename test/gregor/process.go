package gregor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is one run of the program, with whatever arguments.
type Process struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// output keeps what a process writes, and tells of every write.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) get() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// Run starts the program in a directory. It is killed when the test ends, and
// its output is shown when the test failed.
func Run(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	return RunUnder(t, nil, dir, args...)
}

// RunUnder is Run behind a command that ends by becoming what follows it, such
// as nsenter.
func RunUnder(t testing.TB, command []string, dir string, args ...string) *Process {
	t.Helper()
	if External() {
		t.Skip("this test starts and stops its own processes")
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(command, []string{bin}, args)
	p := &Process{cmd: exec.Command(whole[0], whole[1:]...), done: make(chan struct{})}
	p.out.changed = make(chan struct{})
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = dir, &p.out, &p.out, childAttr()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the state tells how it ended
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			lines := strings.Split(strings.TrimSpace(p.Output()), "\n")
			t.Logf("last lines of gregor %s:\n%s", strings.Join(args, " "), strings.Join(lines[max(0, len(lines)-tailLines):], "\n"))
		}
	})
	return p
}

// Output returns what the process has written so far, to both of its streams.
func (p *Process) Output() string {
	text, _ := p.out.get()
	return text
}

// Await waits until the process has written a text.
func (p *Process) Await(ctx context.Context, want string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		text, changed := p.out.get()
		if strings.Contains(text, want) {
			return nil
		}
		select {
		case <-changed:
		case <-p.done:
			if strings.Contains(p.Output(), want) {
				return nil
			}
			return fmt.Errorf("gregor ended (%v) before it wrote %q: %w\n%s", p.cmd.ProcessState, want, os.ErrProcessDone, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("gregor did not write %q within %v: %w\n%s", want, limit, context.Cause(ctx), p.Output())
		}
	}
}

// Wait waits for the end and returns the exit code, -1 for a signal's.
func (p *Process) Wait(ctx context.Context, limit time.Duration) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("gregor still runs after %v: %w\n%s", limit, context.Cause(ctx), p.Output())
	}
}

// Ended reports whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill is kill -9; it returns when the process is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended, which is the aim
	<-p.done
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%v: %w", s, err)
	}
	return nil
}

// Terminate sends SIGTERM and waits for a clean end.
func (p *Process) Terminate(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := p.Wait(ctx, stopLimit)
	if err == nil && code != 0 {
		err = fmt.Errorf("gregor ended with code %d after SIGTERM\n%s", code, p.Output())
	}
	return err
}

// Trouble returns an error when the process panicked or raced.
func (p *Process) Trouble() error {
	for _, sign := range []string{"panic:", "fatal error:", "WARNING: DATA RACE"} {
		if _, rest, found := strings.Cut(p.Output(), sign); found {
			return errors.New(sign + rest[:min(len(rest), 4000)])
		}
	}
	return nil
}

// FreePorts returns ports of the loopback interface that nobody listens on.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	ports, err := freePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}
