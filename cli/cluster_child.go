package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// child is a process of the cluster that this process has started.
type child struct {
	member
	args []string
	cmd  *exec.Cmd
	from int64         // where its output begins in the log file
	done chan struct{} // closed when it has ended; err is valid then
	err  error         // how it ended, nil for exit code 0
}

// ended reports whether the process is gone.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// signal sends a signal; an error would say that the process has ended.
func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }

// launch starts this program as one process of the cluster. Its output is
// appended to its log file. The calling goroutine must stay on its thread:
// the kernel takes the thread's end for the parent's.
func (d *clusterDir) launch(g *run.Group, m member, args []string, ended chan<- *child) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := d.files.Open(m.output(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	from, err := log.Size()
	if err != nil {
		return nil, err
	}
	c := &child{member: m, args: args, cmd: exec.Command(self, args...), from: from, done: make(chan struct{})}
	out := env.OSFile(log)
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = m.dir, out, out, childAttr()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", m.name, err)
	}
	g.Go("child", func(context.Context) error {
		c.err = c.cmd.Wait()
		close(c.done)
		ended <- c
		return nil
	})
	return c, d.writePID(m.pid(), c.cmd.Process.Pid)
}

// arguments are what a process is started with.
func (m member) arguments(overrides []string, level string) []string {
	args := []string{m.verb, "--config", m.config}
	if level != "" {
		args = append(args, "--log-level", level)
	}
	for _, o := range overrides {
		args = append(args, "--override", o)
	}
	return args
}

// command is what a user types to start the process alone.
func (m member) command(args []string) string {
	words := []string{"cd", quoted(m.dir), "&&", "gregor"}
	for _, a := range args {
		words = append(words, quoted(a))
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

const (
	// tailBytes is how much of a log file is looked at for its last lines.
	tailBytes = 8 << 10
	// tailLines is how many of them are shown.
	tailLines = 10
)

// tail returns the last lines of a log file, those after the byte from.
func (d *clusterDir) tail(name string, from int64) ([]string, error) {
	f, err := d.files.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	from = max(from, size-tailBytes)
	if from >= size {
		return nil, nil
	}
	b := make([]byte, size-from)
	n, err := f.ReadAt(b, from)
	if n == 0 {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(b[:n]), "\n"), "\n")
	return lines[max(0, len(lines)-tailLines):], nil
}
