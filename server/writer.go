package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Span is a range of record bytes that lives in a file: the server's view of
// storage's type. It is released after it was sent, or when it cannot be.
type Span interface {
	wire.Hole
	// AppendTo appends the bytes to dst.
	AppendTo(dst []byte) ([]byte, error)
	// Release lets the segment go.
	Release()
}

// writeState gathers replies into one buffer, so that many of them cost one
// system call.
type writeState struct {
	w          wire.Writer
	buf        *[]byte
	deadlineAt time.Time
}

// drain writes ready replies from the head of the queue until there are none.
// Only the goroutine that set mu.writing runs it.
func (c *Conn) drain() {
	for {
		r, flush := c.nextReady()
		switch {
		case r != nil:
			if err := c.encode(r); err != nil {
				c.fail(err)
				c.stopWriting()
				return
			}
			flush = c.out.buf != nil && len(*c.out.buf) >= maxGather
		case !flush:
			return // the writer's role is given up: out is not ours any more
		}
		if flush && !c.flush() {
			return
		}
	}
}

// nextReady takes the oldest reply if it is decided. When there is none but
// something was gathered it asks for a flush; when there is nothing at all it
// gives up the writer's role in the same step, so that no completion is missed.
func (c *Conn) nextReady() (r *Request, flush bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed || len(c.mu.pending) == 0 || c.mu.pending[0].state == waiting || c.mu.pending[0] == c.mu.handling {
		if c.out.buf == nil {
			c.mu.writing = false
			return nil, false
		}
		return nil, true
	}
	r = c.mu.pending[0]
	r.cancel = nil
	c.mu.pending[0] = nil
	c.mu.pending = c.mu.pending[1:]
	if len(c.mu.pending) == 0 {
		c.mu.pending = nil
	}
	c.mu.decided.Signal()
	return r, false
}

func (c *Conn) stopWriting() {
	if c.out.buf != nil {
		putBuffer(c.out.buf)
		c.out.buf = nil
	}
	c.mu.Lock()
	c.mu.writing = false
	c.mu.Unlock()
}

// firstBuffer is the size of the buffer that the first reply of a batch goes
// into; most replies fit, others make it grow.
const firstBuffer = 1 << smallestClass

// nowhere is the buffer of a writer at rest.
var nowhere = []byte{}

// encode appends one response frame to the gather buffer.
func (c *Conn) encode(r *Request) error {
	if r.state == silent {
		return nil
	}
	body := r.body
	if body == nil {
		body = r.build()
	}
	if c.out.buf == nil {
		c.out.buf = getBuffer(firstBuffer)
	}
	start := len(*c.out.buf)
	buf := append(*c.out.buf, 0, 0, 0, 0)
	buf = wire.AppendResponseHeader(buf, r.Header.Key, r.Header.Version, r.Header.CorrelationID)
	w := &c.out.w
	w.Reset(buf)
	defer w.Reset(nowhere) // a writer must not keep what goes back to the pool
	if err := body.Encode(w, r.Header.Version); err != nil {
		return fmt.Errorf("%w: %v v%d: %w", errOurs, r.Header.Key, r.Header.Version, err)
	}
	size := w.Size() - start - 4
	binary.BigEndian.PutUint32(w.Bytes()[start:], uint32(size))
	if w.Size() == len(w.Bytes()) {
		*c.out.buf = w.Bytes()
		return nil
	}
	return c.fill(w)
}

// fill copies what was written into a buffer that has room for the spans, and
// reads them in place.
func (c *Conn) fill(w *wire.Writer) error {
	whole := getBuffer(w.Size())
	var err error
	for _, p := range w.Parts() {
		if p.Hole == nil {
			*whole = append(*whole, p.Bytes...)
			continue
		}
		span, ok := p.Hole.(Span)
		if !ok {
			return fmt.Errorf("%w: %T is no span", errOurs, p.Hole)
		}
		if err == nil {
			*whole, err = span.AppendTo(*whole)
		}
		span.Release()
	}
	putBuffer(c.out.buf)
	c.out.buf = whole
	if err != nil {
		return fmt.Errorf("%w: read spans: %w", errOurs, err)
	}
	return nil
}

// flush writes the gather buffer. It reports false after a failure, when the
// writer's role is already given up.
func (c *Conn) flush() bool {
	c.armWrite()
	_, err := c.nc.Write(*c.out.buf)
	putBuffer(c.out.buf)
	c.out.buf = nil
	if err != nil {
		var ne net.Error
		if errors.As(err, &ne) {
			err = fmt.Errorf("%w: peer took no bytes within connections.max.idle.ms", errFrame)
		}
		c.fail(err)
		c.stopWriting()
		return false
	}
	return true
}

// armWrite bounds how long a peer that reads nothing may hold a reply.
func (c *Conn) armWrite() {
	idle := c.srv.cfg.IdleTimeout
	if idle <= 0 {
		return
	}
	now := c.srv.env.Clock.Now()
	if c.out.deadlineAt.Sub(now) > idle-idle/8 {
		return
	}
	c.out.deadlineAt = now.Add(idle)
	_ = c.nc.SetWriteDeadline(c.out.deadlineAt) // fails only on a closed connection, which Write reports
}
