package page

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shell is a bash that runs one command after the other.
type shell struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   output
	count int
}

// output keeps what a shell writes, and tells of every write.
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

func (o *output) get() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Reset()
}

// open starts a shell in a directory, with the program found by its name. It
// and all that it started end with the test.
func open(t *testing.T, dir, programs string) *shell {
	t.Helper()
	s := &shell{cmd: exec.Command("bash", "--norc", "--noprofile")}
	s.out.changed = make(chan struct{})
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, &s.out, &s.out
	s.cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "LC_ALL=C")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What runs in the background keeps the shell's output open; the shell's own
	// end counts.
	s.cmd.WaitDelay = time.Second
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // an error says that all have ended
		_ = s.cmd.Wait()
	})
	return s
}

// run returns what a command prints, when it has ended.
func (s *shell) run(t *testing.T, command string, limit time.Duration) string {
	t.Helper()
	s.count++
	mark := fmt.Sprintf("-- end of command %d --", s.count)
	s.out.reset()
	if _, err := fmt.Fprintf(s.in, "%s\necho '%s'\n", command, mark); err != nil {
		t.Fatal(err)
	}
	patience := time.NewTimer(limit)
	defer patience.Stop()
	for {
		text, changed := s.out.get()
		if before, _, ended := strings.Cut(text, mark+"\n"); ended {
			return before
		}
		select {
		case <-changed:
		case <-patience.C:
			t.Fatalf("%s\ndid not end within %v:\n%s", command, limit, text)
		}
	}
}
