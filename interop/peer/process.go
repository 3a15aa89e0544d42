//go:build interop

package peer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of how long a peer may take on a busy machine. A consumer of 0.8.2 that
// stops waits for a fetch that nobody answers: 30 s, and as long again.
const (
	startWithin = 90 * time.Second
	stopWithin  = 3 * time.Minute
	toolWithin  = 3 * time.Minute
)

// Process is a running program. Its output goes to files, not pipes, so that
// nothing that it leaves behind can hold up the test.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdout string
	stderr string
	done   chan struct{} // closed when it has ended
}

// starter runs its functions on one thread that lives as long as this process:
// the kernel kills a child when the thread that started it ends, not when the
// process does.
var starter = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
})

// start runs a program until it ends by itself or s does.
func start(s Scope, name, bin string, args []string, stdin string) *Process {
	s.Helper()
	out, errs := logFile(s, name), logFile(s, name+"-err")
	defer out.Close()
	defer errs.Close()
	p := &Process{name: name, cmd: exec.Command(bin, args...), stdout: out.Name(), stderr: errs.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, errs
	p.cmd.SysProcAttr = childAttr()
	p.cmd.Dir = s.TempDir()
	if stdin != "" {
		f := logFile(s, name+"-in")
		defer f.Close()
		if _, err := f.WriteString(stdin); err != nil {
			s.Fatalf("input of %s: %v", name, err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			s.Fatalf("input of %s: %v", name, err)
		}
		p.cmd.Stdin = f
	}
	started := make(chan error)
	starter() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		s.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.cmd.Wait() // the state is kept in cmd
		close(p.done)
	}()
	s.Cleanup(p.kill)
	return p
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Pid returns the id of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stdout returns what the program printed so far.
func (p *Process) Stdout() string { return text(p.stdout) }

// Stderr returns what the program complained of so far.
func (p *Process) Stderr() string { return text(p.stderr) }

func text(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Output waits for the end of a program that ends by itself.
func (p *Process) Output(s Scope) (stdout, stderr string, exit int) {
	s.Helper()
	select {
	case <-p.done:
	case <-time.After(toolWithin):
		p.kill()
		s.Fatalf("%s still runs after %v\n%s", p.name, toolWithin, p.tail())
	}
	return p.Stdout(), p.Stderr(), p.cmd.ProcessState.ExitCode()
}

// Stop asks the program to end, and kills it when it does not.
func (p *Process) Stop(s Scope) {
	s.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.Fatalf("stop %s: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		p.kill()
		s.Fatalf("%s did not stop in %v\n%s", p.name, stopWithin, p.tail())
	}
}

// Kill ends the program at once, as kill -9 does.
func (p *Process) Kill(s Scope) {
	s.Helper()
	p.kill()
}

// Pause stops the program where it is until Resume, as kill -STOP does, and
// returns when it does nothing more.
func (p *Process) Pause(s Scope) {
	s.Helper()
	p.signal(s, syscall.SIGSTOP)
	if err := awaitStopped(p.Pid()); err != nil {
		s.Fatalf("pause %s: %v", p.name, err)
	}
}

// Resume lets a paused program go on.
func (p *Process) Resume(s Scope) {
	s.Helper()
	p.signal(s, syscall.SIGCONT)
}

func (p *Process) signal(s Scope, sig syscall.Signal) {
	s.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		s.Fatalf("%v to %s: %v", sig, p.name, err)
	}
}

func (p *Process) kill() {
	p.cmd.Process.Kill() // fails only when it has ended
	<-p.done
}

// tail returns the last lines of both outputs, for messages.
func (p *Process) tail() string {
	const lines = 30
	var b strings.Builder
	for _, out := range []string{p.Stdout(), p.Stderr()} {
		all := strings.Split(strings.TrimRight(out, "\n"), "\n")
		b.WriteString(strings.Join(all[max(0, len(all)-lines):], "\n"))
		b.WriteByte('\n')
	}
	return b.String()
}

// await polls until ready returns nil, the program ends, or too long passed.
// A failed test shows what a program that somebody waited for said last.
func (p *Process) await(s Scope, ready func() error) {
	s.Helper()
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("%s wrote last:\n%s", p.name, p.tail())
		}
	})
	deadline := time.After(startWithin)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.done:
			s.Fatalf("%s ended at once: %v\n%s", p.name, p.cmd.ProcessState, p.tail())
		case <-deadline:
			s.Fatalf("%s is not ready after %v: %v\n%s", p.name, startWithin, err, p.tail())
		}
	}
}

// Eventually polls until check returns nil, and fails the test with its last
// error when it does not within the given time.
func Eventually(s Scope, within time.Duration, check func() error) {
	s.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.Fatalf("after %v: %v", within, err)
		}
	}
}

// properties renders a Java properties file; no key or value here needs
// escapes.
func properties(s Scope, file string, keys []string, value func(string) string) {
	s.Helper()
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%s=%s\n", k, value(k))
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		s.Fatalf("%v", err)
	}
}
