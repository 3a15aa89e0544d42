package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// Capacity is how many bytes wait in one direction before Write blocks: as much
// as a socket takes by default.
const Capacity = 256 << 10

// New returns the two ends of a connection. The addresses are what RemoteAddr
// and LocalAddr say.
func New(clock env.Clock, a, b net.Addr) (net.Conn, net.Conn) {
	ab, ba := newHalf(), newHalf()
	one := &end{in: ba, out: ab, local: a, remote: b, clock: clock}
	two := &end{in: ab, out: ba, local: b, remote: a, clock: clock}
	return one, two
}

// half is one direction.
type half struct {
	mu struct {
		sync.Mutex
		buf    []byte
		eof    bool // the writer closed
		broken bool // the reader closed
		read   deadline
		write  deadline
	}
	readable, writable chan struct{} // hints to look again, one at most
}

// deadline is the time from which one side's calls fail.
type deadline struct {
	passed bool
	timer  env.Timer
	turn   int // which setting the timer belongs to
}

func newHalf() *half {
	return &half{readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
}

func (h *half) read(p []byte) (int, error) {
	for {
		n, err, wait := h.tryRead(p)
		if !wait {
			return n, err
		}
		<-h.readable
	}
}

func (h *half) tryRead(p []byte) (n int, err error, wait bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.mu.broken:
		run.Hint(h.readable) // for other readers
		return 0, net.ErrClosed, false
	case h.mu.read.passed:
		return 0, os.ErrDeadlineExceeded, false
	case len(p) == 0:
		return 0, nil, false
	case len(h.mu.buf) > 0:
		n := copy(p, h.mu.buf)
		h.mu.buf = h.mu.buf[n:]
		if len(h.mu.buf) == 0 {
			h.mu.buf = nil // an idle connection keeps no buffer
		}
		run.Hint(h.writable)
		return n, nil, false
	case h.mu.eof:
		run.Hint(h.readable)
		return 0, io.EOF, false
	}
	return 0, nil, true
}

func (h *half) write(p []byte) (done int, err error) {
	for {
		n, err, wait := h.tryWrite(p[done:])
		done += n
		if !wait {
			return done, err
		}
		<-h.writable
	}
}

func (h *half) tryWrite(p []byte) (n int, err error, wait bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.mu.eof:
		run.Hint(h.writable)
		return 0, net.ErrClosed, false
	case h.mu.broken:
		run.Hint(h.writable)
		return 0, io.ErrClosedPipe, false
	case h.mu.write.passed:
		return 0, os.ErrDeadlineExceeded, false
	}
	n = min(len(p), Capacity-len(h.mu.buf))
	if n > 0 {
		h.mu.buf = append(h.mu.buf, p[:n]...)
		run.Hint(h.readable)
	}
	return n, nil, n < len(p)
}

// set arms one of the half's deadlines; wake is hinted when it passes.
func (h *half) set(clock env.Clock, d *deadline, wake chan struct{}, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.turn++
	d.passed, d.timer = false, nil
	if t.IsZero() {
		return
	}
	left := t.Sub(clock.Now())
	if left <= 0 {
		d.passed = true
		run.Hint(wake)
		return
	}
	turn := d.turn
	d.timer = clock.AfterFunc(left, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if d.turn == turn {
			d.passed = true
			run.Hint(wake)
		}
	})
}

func (h *half) close(eof bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if eof {
		h.mu.eof = true
	} else {
		h.mu.broken, h.mu.buf = true, nil
	}
	for _, d := range []*deadline{&h.mu.read, &h.mu.write} {
		if d.timer != nil && h.mu.broken {
			d.timer.Stop()
		}
	}
	run.Hint(h.readable)
	run.Hint(h.writable)
}

// end is what one side holds.
type end struct {
	in, out       *half
	local, remote net.Addr
	clock         env.Clock
}

func (e *end) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }
func (e *end) LocalAddr() net.Addr         { return e.local }
func (e *end) RemoteAddr() net.Addr        { return e.remote }

func (e *end) Close() error {
	e.in.close(false)
	e.out.close(true)
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.in.set(e.clock, &e.in.mu.read, e.in.readable, t)
	return nil
}

func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.set(e.clock, &e.out.mu.write, e.out.writable, t)
	return nil
}

func (e *end) SetDeadline(t time.Time) error {
	e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}
