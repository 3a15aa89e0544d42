package rpc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

const (
	// readBuffer takes the small answers in one read; large ones bypass it.
	readBuffer = 16 << 10
	// correlationAt is where a request frame holds its correlation id: after
	// size, key and version.
	correlationAt = 8
)

// pending is a call on its way.
type pending struct {
	call        *Call
	correlation int32
	err         error
	done        chan struct{}
}

// link is one connection.
type link struct {
	conn     net.Conn
	r        *bufio.Reader
	clientID string
	limit    int
	versions map[wire.Key]span
	// wake gets a token when there is something to write or the link broke.
	wake chan struct{}
	mu   struct {
		sync.Mutex
		next  int32
		out   []byte
		queue []*pending // in the order of requests
		err   error      // why it is broken; nil while it lives
	}
}

// span is a range of versions, both ends included.
type span struct{ min, max int16 }

// dial makes a connection that is ready for requests, with its goroutines.
func (c *Client) dial(ctx context.Context) (*link, error) {
	conn, err := c.env.Net.Dial(ctx, "tcp", c.cfg.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	l, err := c.prepare(ctx, conn)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	c.group.Go("rpc writer", func(context.Context) error { l.write(); return nil })
	c.group.Go("rpc reader", func(context.Context) error { l.read(); return nil })
	return l, nil
}

func (c *Client) prepare(ctx context.Context, conn net.Conn) (*link, error) {
	if c.cfg.Secure != nil {
		secured, err := c.cfg.Secure(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("secure the connection: %w", err)
		}
		conn = secured
	}
	l := &link{
		conn: conn, r: newReader(conn), clientID: c.cfg.ClientID, limit: c.cfg.MaxResponse,
		wake: make(chan struct{}, 1),
	}
	if c.cfg.Negotiate {
		versions, err := c.negotiate(l)
		if err != nil {
			return nil, fmt.Errorf("ask for versions: %w", err)
		}
		l.versions = versions
	}
	return l, nil
}

// do sends a call and waits for its answer.
func (l *link) do(ctx context.Context, call *Call) error {
	var w wire.Writer
	h := wire.RequestHeader{Key: call.Request.Key(), Version: call.Version, ClientID: &l.clientID}
	if err := wire.EncodeRequest(&w, h, call.Request); err != nil {
		return err
	}
	if w.Size() != len(w.Bytes()) {
		return errors.New("a request may not have record bytes outside of memory")
	}
	p := &pending{call: call, done: make(chan struct{})}
	if err := l.enqueue(p, w.Bytes()); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		select {
		case <-p.done:
			return p.err // it came all the same
		default:
		}
		// The answer would block all that follow; and the reader may be filling
		// the caller's buffer, so wait until it is done with it.
		l.fail(context.Cause(ctx))
		<-p.done
	}
	return p.err
}

func (l *link) enqueue(p *pending, frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return l.mu.err
	}
	p.correlation = l.mu.next
	l.mu.next++
	binary.BigEndian.PutUint32(frame[correlationAt:], uint32(p.correlation))
	l.mu.out = append(l.mu.out, frame...)
	l.mu.queue = append(l.mu.queue, p)
	run.Hint(l.wake)
	return nil
}

func newReader(conn net.Conn) *bufio.Reader { return bufio.NewReaderSize(conn, readBuffer) }

// write is the writer's goroutine: it sends all that waits in one write.
func (l *link) write() {
	var spare []byte
	for range l.wake {
		l.mu.Lock()
		out, err := l.mu.out, l.mu.err
		l.mu.out = spare[:0]
		l.mu.Unlock()
		if err != nil {
			return
		}
		if len(out) == 0 {
			continue
		}
		if _, err := l.conn.Write(out); err != nil {
			l.fail(fmt.Errorf("write: %w", err))
			return
		}
		spare = out
	}
}

// read is the reader's goroutine: it hands out answers until the connection
// ends, and then what ended it.
func (l *link) read() {
	for {
		p, err := l.readOne()
		if err != nil {
			l.fail(err)
			l.drain(p)
			return
		}
		close(p.done)
	}
}

// readOne reads one frame and decodes it for the oldest call. With an error it
// returns the call it was at, if any.
func (l *link) readOne() (*pending, error) {
	size, err := readSize(l.r, l.limit)
	if err != nil {
		return nil, err
	}
	p := l.pop()
	if p == nil {
		return nil, fmt.Errorf("an answer of %d bytes to no request", size)
	}
	frame := p.call.Buffer
	if cap(frame) < size {
		// The size is a claim; grow with the bytes that really come.
		frame = make([]byte, 0, min(size, readBuffer))
	}
	if frame, err = readFull(l.r, frame[:0], size); err != nil {
		return p, fmt.Errorf("read: %w", err)
	}
	p.call.Buffer = frame
	return p, p.take(frame)
}

// take decodes the answer. Bytes that cannot be decoded cost the connection.
func (p *pending) take(frame []byte) error {
	k, v := p.call.Request.Key(), p.call.Version
	correlation, body, err := wire.DecodeResponseHeader(frame, k, v)
	if err != nil {
		return err
	}
	if correlation != p.correlation {
		return fmt.Errorf("answer has correlation id %d, expected %d", correlation, p.correlation)
	}
	return p.call.Response.Decode(body, v)
}

func readSize(r io.Reader, limit int) (int, error) {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	n := int32(binary.BigEndian.Uint32(b[:]))
	if n < 4 || int(n) > limit {
		return 0, fmt.Errorf("an answer of %d bytes, outside of 4 to %d", n, limit)
	}
	return int(n), nil
}

// readFull reads size bytes into dst, which grows by doubling as they come.
func readFull(r io.Reader, dst []byte, size int) ([]byte, error) {
	for len(dst) < size {
		if len(dst) == cap(dst) {
			grown := make([]byte, len(dst), min(size, 2*cap(dst)))
			copy(grown, dst)
			dst = grown
		}
		n := min(cap(dst), size)
		m, err := io.ReadFull(r, dst[len(dst):n])
		dst = dst[:len(dst)+m]
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (l *link) pop() *pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.queue) == 0 {
		return nil
	}
	p := l.mu.queue[0]
	l.mu.queue[0] = nil
	l.mu.queue = l.mu.queue[1:]
	return p
}

// fail breaks the link, once. The reader, whose read ends with it, tells the calls.
func (l *link) fail(err error) {
	l.mu.Lock()
	first := l.mu.err == nil
	if first {
		l.mu.err = err
	}
	l.mu.Unlock()
	if first {
		l.conn.Close()
		run.Hint(l.wake)
	}
}

// drain fails all calls, p first where there is one.
func (l *link) drain(p *pending) {
	l.mu.Lock()
	queue, err := l.mu.queue, l.mu.err
	l.mu.queue = nil
	l.mu.Unlock()
	if p != nil {
		queue = append([]*pending{p}, queue...)
	}
	for _, p := range queue {
		p.err = err
		close(p.done)
	}
}

func (l *link) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err != nil
}
