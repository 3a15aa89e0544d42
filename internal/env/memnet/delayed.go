package memnet

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// Delay says how long what is sent from one address takes to another. It is
// asked once for each write, and for each end of a connection.
type Delay func(from, to net.Addr) time.Duration

// NewDelayed returns a network whose connections have buffers, as those of an
// operating system, and on which everything takes its time.
func NewDelayed(clock env.Clock, delay Delay) *Net {
	n := New()
	n.clock, n.delay = clock, delay
	return n
}

// travel waits as long as a packet takes.
func (n *Net) travel(ctx context.Context, from, to net.Addr) error {
	if n.delay == nil {
		return nil
	}
	return env.Sleep(ctx, n.clock, n.delay(from, to))
}

// pair returns the two ends of a new connection.
func (n *Net) pair(a, b net.Addr) (net.Conn, net.Conn) {
	if n.delay == nil {
		return net.Pipe()
	}
	ab, ba := newLane(n, a, b), newLane(n, b, a)
	return &end{in: ba, out: ab}, &end{in: ab, out: ba}
}

// window is how many bytes one direction takes before Write waits: about what a
// socket takes with Linux's defaults.
const window = 256 << 10

// lane is one direction of a delayed connection.
type lane struct {
	net      *Net
	from, to net.Addr
	mu       struct {
		sync.Mutex
		flying  [][]byte  // sent and not there yet, oldest first; nil is the end
		last    time.Time // when the youngest of them arrives
		arrived []byte
		size    int   // bytes of both
		over    error // what a reader gets behind the last byte: io.EOF or a reset
		broken  bool  // the reader has gone, and the writer knows
		gone    bool  // the reader has gone
		ended   bool  // the writer has closed
		read    limit
		write   limit
	}
	readable, writable chan struct{} // a token: look again
}

// limit is a deadline.
type limit struct {
	passed bool
	timer  env.Timer
	turn   int // which setting the timer belongs to
}

func newLane(n *Net, from, to net.Addr) *lane {
	return &lane{net: n, from: from, to: to, readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
}

func token(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// send puts b, or the end, on its way.
func (l *lane) sendLocked(b []byte) {
	now := l.net.clock.Now()
	at := now.Add(l.net.delay(l.from, l.to))
	if !at.After(l.mu.last) {
		at = l.mu.last.Add(1) // nothing overtakes
	}
	l.mu.last = at
	l.mu.flying = append(l.mu.flying, b)
	l.mu.size += len(b)
	l.net.clock.AfterFunc(at.Sub(now), l.arrive)
}

// arrive takes in what was sent first. Bytes for one who has gone come back as
// a reset.
func (l *lane) arrive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.mu.flying[0]
	l.mu.flying = l.mu.flying[1:]
	switch {
	case b == nil && l.mu.over == nil:
		l.mu.over = io.EOF
	case l.mu.gone && len(b) > 0:
		l.net.clock.AfterFunc(l.net.delay(l.to, l.from), l.breakOff)
	default:
		l.mu.arrived = append(l.mu.arrived, b...)
	}
	token(l.readable)
}

// breakOff tells the writer that nobody reads.
func (l *lane) breakOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.broken = true
	token(l.writable)
}

func (l *lane) read(p []byte) (int, error) {
	for {
		if n, err, wait := l.tryRead(p); !wait {
			return n, err
		}
		<-l.readable
	}
}

func (l *lane) tryRead(p []byte) (n int, err error, wait bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.mu.gone:
		token(l.readable) // for other readers
		return 0, net.ErrClosed, false
	case l.mu.read.passed:
		return 0, os.ErrDeadlineExceeded, false
	case len(p) == 0:
		return 0, nil, false
	case len(l.mu.arrived) > 0:
		n = copy(p, l.mu.arrived)
		l.mu.arrived = l.mu.arrived[n:]
		l.mu.size -= n
		token(l.writable)
		return n, nil, false
	case l.mu.over != nil:
		return 0, l.mu.over, false
	}
	return 0, nil, true
}

func (l *lane) write(p []byte) (int, error) {
	done := 0
	for {
		n, err := l.tryWrite(p[done:])
		if done += n; err != nil || done == len(p) {
			return done, err
		}
		<-l.writable
	}
}

func (l *lane) tryWrite(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.mu.ended:
		token(l.writable) // for other writers
		return 0, net.ErrClosed
	case l.mu.broken:
		return 0, syscall.EPIPE
	case l.mu.write.passed:
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(p), window-l.mu.size)
	if n > 0 {
		l.sendLocked(append([]byte{}, p[:n]...))
	}
	return n, nil
}

// leave is the reader's Close. What was not read yet makes it a reset.
func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.gone = true
	l.mu.read.stop()
	if len(l.mu.arrived) > 0 {
		l.net.clock.AfterFunc(l.net.delay(l.to, l.from), l.breakOff)
	}
	l.mu.size -= len(l.mu.arrived)
	l.mu.arrived = nil
	token(l.readable)
}

// finish is the writer's Close: the end travels behind the bytes.
func (l *lane) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.ended {
		return
	}
	l.mu.ended = true
	l.mu.write.stop()
	l.sendLocked(nil)
	token(l.writable)
}

// end is one side of a delayed connection; addresses are the wrapper's business.
type end struct {
	in, out *lane
}

// Read implements net.Conn.
func (e *end) Read(p []byte) (int, error) { return e.in.read(p) }

// Write implements net.Conn.
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

// Close implements net.Conn.
func (e *end) Close() error {
	e.in.leave()
	e.out.finish()
	return nil
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return e.out.from }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return e.out.to }

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t) // neither fails
	return e.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error {
	e.in.set(&e.in.mu.read, e.in.readable, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.set(&e.out.mu.write, e.out.writable, t)
	return nil
}

// set moves a deadline of the lane.
func (l *lane) set(m *limit, wake chan struct{}, t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.stop()
	m.passed = false
	if t.IsZero() {
		return
	}
	left := t.Sub(l.net.clock.Now())
	if left <= 0 {
		m.passed = true
		token(wake)
		return
	}
	turn := m.turn
	m.timer = l.net.clock.AfterFunc(left, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if m.turn == turn {
			m.passed = true
			token(wake)
		}
	})
}

func (m *limit) stop() {
	m.turn++
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}
