package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// Trace is the event log of a run. Its hash is the same whenever the same things
// happened at the same times. What happens at one instant has no order: it is
// what one event sets off in goroutines that know nothing of each other.
type Trace struct {
	began time.Time
	mu    struct {
		sync.Mutex
		sum   uint64
		lines int
		at    time.Duration // the instant of the lines that are not hashed yet
		now   []string      // these lines
		// out is the whole log, nil when nobody wants to read it. It goes to the file
		// in the end: a call to the operating system on the way would let real time in.
		out  *bytes.Buffer
		file *os.File
	}
}

// NewTrace returns a log, which is also written to a file if one is named; it
// fails when that cannot be made.
func NewTrace(name string) (*Trace, error) {
	tr := &Trace{began: time.Now()}
	if name == "" {
		return tr, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	tr.mu.file, tr.mu.out = f, &bytes.Buffer{}
	return tr, nil
}

// Add notes something.
func (tr *Trace) Add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if at := time.Since(tr.began); at != tr.mu.at {
		tr.passLocked()
		tr.mu.at = at
	}
	tr.mu.now = append(tr.mu.now, line)
}

// passLocked ends an instant.
func (tr *Trace) passLocked() {
	slices.Sort(tr.mu.now)
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%x %v", tr.mu.sum, tr.mu.at) // a hash does not fail
	for _, line := range tr.mu.now {
		_, _ = fmt.Fprintln(h, line)
		if tr.mu.out != nil {
			_, _ = fmt.Fprintln(tr.mu.out, tr.mu.at, line) // a buffer does not fail
		}
	}
	tr.mu.sum = h.Sum64()
	tr.mu.lines += len(tr.mu.now)
	tr.mu.now = tr.mu.now[:0]
}

// Began returns when the log begins.
func (tr *Trace) Began() time.Time { return tr.began }

// Hash returns what stands for all that happened so far.
func (tr *Trace) Hash() (sum uint64, lines int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.passLocked()
	return tr.mu.sum, tr.mu.lines
}

// Close writes the file.
func (tr *Trace) Close() error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.passLocked()
	if tr.mu.out == nil {
		return nil
	}
	_, err := tr.mu.out.WriteTo(tr.mu.file)
	return errors.Join(err, tr.mu.file.Close())
}

// Net returns a network on which it is noted what a host sends.
func (tr *Trace) Net(n env.Net, host string) env.Net { return tracedNet{n, tr, host} }

type tracedNet struct {
	env.Net
	tr   *Trace
	host string
}

// Dial implements env.Net.
func (n tracedNet) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.Net.Dial(ctx, network, address)
	n.tr.Add("%s dials %s: %v", n.host, address, err)
	if err != nil {
		return nil, err
	}
	return tracedConn{c, n}, nil
}

// Listen implements env.Net.
func (n tracedNet) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := n.Net.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return tracedListener{l, n}, nil
}

type tracedListener struct {
	net.Listener
	n tracedNet
}

// Accept implements net.Listener.
func (l tracedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tracedConn{c, l.n}, nil
}

type tracedConn struct {
	net.Conn
	n tracedNet
}

// Write implements net.Conn.
func (c tracedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n.tr.Add("%s %v>%v %d %08x %v", c.n.host, c.LocalAddr(), c.RemoteAddr(), n, crc32.ChecksumIEEE(p[:n]), err)
	return n, err
}

// Close implements net.Conn.
func (c tracedConn) Close() error {
	c.n.tr.Add("%s %v>%v closes", c.n.host, c.LocalAddr(), c.RemoteAddr())
	return c.Conn.Close()
}
