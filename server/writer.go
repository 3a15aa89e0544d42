package server

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
)

// Span is a range of record bytes that lives in a file: the server's view of
// storage's type. It is released after it was sent, or when it cannot be.
type Span interface {
	wire.Hole
	// ReadAt reads from byte off of the span, as io.ReaderAt.
	ReadAt(p []byte, off int64) (int, error)
	// File is the file and the range in it, for a zero-copy send; nil when
	// there is none.
	File() (f env.File, pos int64, n int)
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
			c.mu.writing, c.mu.wrote = false, c.srv.env.Clock.Now()
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
	return c.stream(w.Parts())
}

// stream moves what was written to a buffer of its own and reads the spans
// into it, in pieces that stay in the processor's cache: what does not fit is
// written first. The last piece stays in the gather buffer.
func (c *Conn) stream(parts []wire.Part) error {
	written := c.out.buf // the parts alias it
	defer putBuffer(written)
	c.out.buf = getBuffer(maxGather)
	for i, p := range parts {
		var err error
		if p.Hole == nil {
			err = c.append(p.Bytes)
		} else {
			err = c.appendSpan(p.Hole)
		}
		if err != nil {
			releaseSpans(parts[i+1:])
			return err
		}
	}
	return nil
}

// append gathers bytes, writing what is there when they do not fit.
func (c *Conn) append(b []byte) error {
	if len(*c.out.buf)+len(b) > cap(*c.out.buf) {
		if err := c.write(*c.out.buf); err != nil {
			return err
		}
		*c.out.buf = (*c.out.buf)[:0]
	}
	*c.out.buf = append(*c.out.buf, b...)
	return nil
}

// zeroCopyFrom is the size from which a span is sent straight from its file:
// below it the extra system call costs what the copy does.
const zeroCopyFrom = 32 << 10

// appendSpan sends a span, or gathers its bytes, and lets it go.
func (c *Conn) appendSpan(h wire.Hole) error {
	span, ok := h.(Span)
	if !ok {
		return fmt.Errorf("%w: %T is no span", errOurs, h)
	}
	defer span.Release()
	if span.Size() >= zeroCopyFrom {
		if err := c.sendSpan(span); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return c.copySpan(span)
}

// sendSpan writes what was gathered and then the span from its file.
func (c *Conn) sendSpan(span Span) error {
	f, pos, n := span.File()
	if f == nil || !c.zeroCopy {
		return errors.ErrUnsupported
	}
	if err := c.write(*c.out.buf); err != nil {
		return err
	}
	*c.out.buf = (*c.out.buf)[:0]
	err := c.send(n, func(done int) (int, error) { return env.SendFile(c.nc, f, pos+int64(done), n-done) })
	if errors.Is(err, errors.ErrUnsupported) {
		c.zeroCopy = false
	}
	return err
}

func (c *Conn) copySpan(span Span) error {
	for off, size := 0, span.Size(); off < size; {
		buf := *c.out.buf
		n := min(size-off, cap(buf)-len(buf))
		if n == 0 {
			if err := c.write(buf); err != nil {
				return err
			}
			*c.out.buf = buf[:0]
			continue
		}
		piece := buf[len(buf) : len(buf)+n]
		// What a truncation took meanwhile must not be made up from what other
		// connections left in the buffer.
		if got, err := span.ReadAt(piece, int64(off)); got < n {
			return fmt.Errorf("%w: read records: %d of %d bytes: %w", errOurs, got, n, cmp.Or(err, io.ErrUnexpectedEOF))
		}
		*c.out.buf = buf[:len(buf)+n]
		off += n
	}
	return nil
}

func releaseSpans(parts []wire.Part) {
	for _, p := range parts {
		if span, ok := p.Hole.(Span); ok {
			span.Release()
		}
	}
}

// flush writes the gather buffer. It reports false after a failure, when the
// writer's role is already given up.
func (c *Conn) flush() bool {
	err := c.write(*c.out.buf)
	putBuffer(c.out.buf)
	c.out.buf = nil
	if err != nil {
		c.fail(err)
		c.stopWriting()
	}
	return err == nil
}

func (c *Conn) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return c.send(len(b), func(done int) (int, error) { return c.nc.Write(b[done:]) })
}

// errStuck ends the connection of a peer that takes nothing: a machine that was
// put to sleep, or a program that stopped reading.
var errStuck = errors.New("peer took no bytes within connections.max.idle.ms")

// send calls write, which is told how much is done and returns how much it did,
// until n bytes are taken. One write may be far more than a slow peer takes
// before the deadline: what it took shows that it is there, and moves the
// deadline.
func (c *Conn) send(n int, write func(done int) (int, error)) error {
	for done := 0; done < n; {
		c.armWrite()
		k, err := write(done)
		done += k
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case k == 0:
			return errStuck
		}
	}
	return nil
}

// armWrite bounds how long a peer that reads nothing may hold a reply.
func (c *Conn) armWrite() {
	if at, move := c.deadline(c.out.deadlineAt); move {
		c.out.deadlineAt = at
		_ = c.nc.SetWriteDeadline(at) // fails only on a closed connection, which Write reports
	}
}
