package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Conn is one client connection. Its reading side belongs to one goroutine;
// the queue of pending replies is shared under mu.
type Conn struct {
	// Listener is the listener it came in by.
	Listener Listener
	// State is the handler's own: what ApiVersions and authentication left.
	// Only Handle may touch it.
	State any

	srv    *Server
	nc     net.Conn
	peer   string // remote IP address without the port
	cancel context.CancelCauseFunc
	ctx    context.Context

	mu struct {
		sync.Mutex
		pending  []*Request // in request order
		handling *Request   // the request whose Handle runs now
		writing  bool       // somebody is in drain
		wrote    time.Time  // when all that was decided had been written; the beginning before that
		closed   bool
		cause    error
		// decided wakes the reader when replies left the queue.
		decided sync.Cond
	}

	// The reader's own.
	inline     [inlineBytes]byte
	have       []byte // bytes of inline not yet consumed
	lastFrame  int    // size of the last whole frame: what the peer is trusted with
	deadlineAt time.Time

	// The writer's own: only who set mu.writing touches it.
	out      writeState
	zeroCopy bool // spans can go straight from file to socket
}

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// LocalAddr returns our address.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// PeerIP returns the peer's address without its port.
func (c *Conn) PeerIP() string { return c.peer }

// active tells when the connection last had something to do: now, while it waits
// for an answer.
func (c *Conn) active() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.pending) > 0 || c.mu.writing {
		return c.srv.env.Clock.Now()
	}
	return c.mu.wrote
}

// errFrame marks what the peer did wrong: worth one log line.
var errFrame = errors.New("bad frame")

// errOurs marks a reply that could not be made: our own fault.
var errOurs = errors.New("cannot make the reply")

// severity says how loud the end of a connection is.
func severity(cause error) (level slog.Level, worth bool) {
	switch {
	case errors.Is(cause, errOurs):
		return slog.LevelError, true
	case errors.Is(cause, errFrame):
		return slog.LevelWarn, true
	case errors.Is(cause, errStuck) || errors.Is(cause, errDisplaced):
		return slog.LevelInfo, true
	case cause == nil || errors.Is(cause, io.EOF) || errors.Is(cause, net.ErrClosed):
		return 0, false
	}
	return slog.LevelDebug, true
}

func (c *Conn) serve() {
	err := c.readLoop()
	c.fail(err)
	c.srv.forget(c)
}

func (c *Conn) readLoop() error {
	for {
		r, err := c.nextRequest()
		if err != nil {
			return err
		}
		if err := c.start(r); err != nil {
			r.Release()
			return err
		}
		c.srv.handler.Handle(r)
		c.finish(r)
	}
}

// start queues r, once what came before it on this connection is decided. A
// produce or a fetch need not wait: they answer in order anyway.
func (c *Conn) start(r *Request) error {
	pipelined := r.pipelined()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.mu.closed && (len(c.mu.pending) >= maxPending || !pipelined && len(c.mu.pending) > 0) {
		c.mu.decided.Wait()
	}
	if c.mu.closed {
		return c.mu.cause
	}
	c.mu.pending = append(c.mu.pending, r)
	c.mu.handling = r
	return nil
}

// finish writes what Handle completed at once.
func (c *Conn) finish(r *Request) {
	c.mu.Lock()
	c.mu.handling = nil
	mine := !c.mu.closed && !c.mu.writing && len(c.mu.pending) > 0 && c.mu.pending[0].state != waiting
	if mine {
		c.mu.writing = true
	}
	c.mu.Unlock()
	if mine {
		c.drain()
	}
}

// nextRequest reads one frame and its header.
func (c *Conn) nextRequest() (*Request, error) {
	size, err := c.readSize()
	if err != nil {
		return nil, err
	}
	r := &Request{Conn: c}
	r.frame, err = c.readFrame(size, &r.cost)
	if err == nil {
		r.Header, r.Body, err = wire.DecodeRequestHeader(*r.frame)
		if err != nil {
			err = fmt.Errorf("%w: request header: %w", errFrame, err)
		}
	}
	if err != nil {
		r.Release()
		return nil, err
	}
	return r, nil
}

// readSize waits for the next frame's length and checks it.
func (c *Conn) readSize() (int, error) {
	for len(c.have) < 4 {
		n := copy(c.inline[:], c.have)
		c.have = c.inline[:n]
		m, err := c.readSome(c.inline[n:])
		c.have = c.inline[:n+m]
		if err != nil {
			if len(c.have) > 0 && errors.Is(err, io.EOF) {
				return 0, fmt.Errorf("%w: connection ended inside a frame length", errFrame)
			}
			return 0, err
		}
	}
	size := int(int32(binary.BigEndian.Uint32(c.have)))
	c.have = c.have[4:]
	if size < 0 || size > c.srv.cfg.MaxFrame {
		return 0, fmt.Errorf("%w: length %d, allowed 0 to %d (socket.request.max.bytes)", errFrame, size, c.srv.cfg.MaxFrame)
	}
	return size, nil
}

// readFrame reads size bytes into a buffer that grows with what arrives, not
// with what the length claims; a peer is trusted with the size it sent before.
// The budget is charged likewise, in cost: lengths that lie keep nobody out.
func (c *Conn) readFrame(size int, cost *int64) (*[]byte, error) {
	trusted := min(size, max(pooledBelow(growth*(4+len(c.have))), c.lastFrame))
	if err := c.charge(trusted, cost); err != nil {
		return nil, err
	}
	buf := getBuffer(trusted)
	take := min(size, len(c.have))
	*buf = append(*buf, c.have[:take]...)
	c.have = c.have[take:]
	for len(*buf) < size {
		if len(*buf) == cap(*buf) {
			next := min(size, growth*len(*buf))
			if err := c.charge(next, cost); err != nil {
				putBuffer(buf)
				return nil, err
			}
			bigger := getBuffer(next)
			*bigger = append(*bigger, *buf...)
			putBuffer(buf)
			buf = bigger
		}
		n, err := c.readSome((*buf)[len(*buf):min(size, cap(*buf))])
		*buf = (*buf)[:len(*buf)+n]
		if err != nil {
			got := len(*buf)
			putBuffer(buf)
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: connection ended after %d of %d bytes", errFrame, got, size)
			}
			return nil, err
		}
	}
	c.lastFrame = size
	return buf, nil
}

// charge raises what a frame holds of the budget to n bytes.
func (c *Conn) charge(n int, cost *int64) error {
	more := int64(n) - *cost
	if more <= 0 {
		return nil
	}
	if err := c.srv.frames.Take(c.ctx, more, *cost); err != nil {
		return err
	}
	*cost += more
	return nil
}

// readSome is one read with the idle limit of connections.max.idle.ms.
func (c *Conn) readSome(p []byte) (int, error) {
	c.armIdle()
	for {
		n, err := c.nc.Read(p)
		if n > 0 {
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.spared() {
			return n, err
		}
	}
}

// spared gives a peer that sends nothing more time: while replies are pending
// or on their way it waits for us, and from then on it may be idle.
func (c *Conn) spared() bool {
	now := c.srv.env.Clock.Now()
	since := now
	c.mu.Lock()
	if len(c.mu.pending) == 0 && !c.mu.writing {
		since = c.mu.wrote
	}
	c.mu.Unlock()
	until := since.Add(c.srv.cfg.IdleTimeout)
	if !until.After(now) {
		return false
	}
	c.deadlineAt = until
	_ = c.nc.SetReadDeadline(until) // fails only on a closed connection, which Read reports
	return true
}

// armIdle moves the read deadline.
func (c *Conn) armIdle() {
	if at, move := c.deadline(c.deadlineAt); move {
		c.deadlineAt = at
		_ = c.nc.SetReadDeadline(at) // fails only on a closed connection, which Read reports
	}
}

// deadline is when a read or write that begins now must have moved bytes, and
// whether old must be moved there: only when it differs by more than an eighth
// of the limit, for a timer per request costs more than the precision. An old
// one that lies too far away was set before the clock was turned back: the
// timer behind it does not know, and fires in the middle of traffic.
func (c *Conn) deadline(old time.Time) (at time.Time, move bool) {
	idle := c.srv.cfg.IdleTimeout
	if idle <= 0 {
		return old, false
	}
	now := c.srv.env.Clock.Now()
	left := old.Sub(now)
	return now.Add(idle), left <= idle-idle/8 || left > idle
}

// fail closes the connection with a cause; the first cause counts.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		return
	}
	c.mu.closed, c.mu.cause = true, err
	dropped := c.mu.pending
	c.mu.pending = nil
	var cancels []func()
	for _, r := range dropped {
		if r.cancel != nil {
			cancels = append(cancels, r.cancel)
			r.cancel = nil
		}
	}
	c.mu.decided.Broadcast()
	c.mu.Unlock()
	// Before the peer can know: who looks at the log then finds the line.
	if level, worth := severity(err); worth {
		c.srv.log.LogAttrs(context.Background(), level, "closing connection",
			slog.String("listener", c.Listener.Name), slog.String("peer", c.nc.RemoteAddr().String()), slog.String("cause", err.Error()))
	}
	c.cancel(err)
	_ = c.nc.Close() // the cause is what counts
	for _, cancel := range cancels {
		cancel()
	}
	// Frames of requests still inside a handler are released by its answer.
}
