package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// conn is one connection with a deadline on every read and write. Ending its
// context closes it, and the context's cause is what reads and writes return.
type conn struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	clock    env.Clock
	patience time.Duration
	limit    env.Timer     // until both sides have agreed to talk
	done     chan struct{} // an incoming connection's: closed when nothing is left of it
	raw, nc  net.Conn      // as dialed or accepted, and as Secure made it; nil before
}

// newConn returns a connection that is to be ready within HelloTimeout.
func (p *Peers) newConn(ctx context.Context) *conn {
	c := &conn{clock: p.env.Clock, patience: p.cfg.IdleTimeout, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.within(p.cfg.HelloTimeout)
	return c
}

// within ends the connection after d, unless settled is called before.
func (c *conn) within(d time.Duration) {
	c.limit = c.clock.AfterFunc(d, func() { c.cancel(fmt.Errorf("%w: not done within %v", ErrSilent, d)) })
}

func (c *conn) settled() { c.limit.Stop() }

// over ends the connection, unless it has ended, and returns why it did.
func (c *conn) over(err error) error {
	c.limit.Stop()
	c.cancel(err)
	if c.raw != nil {
		_ = c.raw.Close() // it is closed once more, later, by what take left
	}
	return context.Cause(c.ctx)
}

// take makes raw the connection's own.
func (p *Peers) take(c *conn, raw net.Conn, client bool) error {
	c.raw, c.nc = raw, raw
	// There is nobody to tell what Close says. The raw end is closed: a wrapper's
	// farewell could wait for the other end.
	context.AfterFunc(c.ctx, func() { _ = raw.Close() })
	if p.cfg.Secure == nil {
		return nil
	}
	nc, err := p.cfg.Secure(c.ctx, raw, client)
	if err != nil {
		return fmt.Errorf("secure the connection: %w", c.why(err))
	}
	c.nc = nc
	return nil
}

// Read implements io.Reader.
func (c *conn) Read(b []byte) (int, error) {
	// A deadline that cannot be set shows at the read itself.
	_ = c.nc.SetReadDeadline(c.clock.Now().Add(c.patience))
	n, err := c.nc.Read(b)
	return n, c.why(err)
}

// Write implements io.Writer.
func (c *conn) Write(b []byte) (int, error) {
	_ = c.nc.SetWriteDeadline(c.clock.Now().Add(c.patience))
	n, err := c.nc.Write(b)
	return n, c.why(err)
}

// writeAll writes buffers, at best in one call of the system, and large ones
// step by step.
func (c *conn) writeAll(bufs [][]byte) error {
	if len(bufs) == 1 {
		for step := range slices.Chunk(bufs[0], sendStep) {
			if _, err := c.Write(step); err != nil {
				return err
			}
		}
		return nil
	}
	_ = c.nc.SetWriteDeadline(c.clock.Now().Add(c.patience))
	rest := net.Buffers(slices.Clone(bufs)) // WriteTo eats it
	_, err := rest.WriteTo(c.nc)
	return c.why(err)
}

// why returns what stands behind an error of the network.
func (c *conn) why(err error) error {
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w for %v", ErrSilent, c.patience)
	}
	return err
}

// say sends a word.
func (c *conn) say(kind wordKind, body []byte) error {
	_, err := c.Write(appendWord(nil, kind, body))
	return err
}

// refuse tells the other side why this one does not talk with it, unless the
// connection is over; it learns it or not.
func (c *conn) refuse(reason error) {
	if c.ctx.Err() == nil {
		_ = c.say(wordRefusal, []byte(cut(reason.Error())))
	}
}

// expect reads a word of one of the kinds.
func (c *conn) expect(kinds ...wordKind) (word, error) {
	w, err := readWord(c)
	if err == nil {
		err = w.is(kinds...)
	}
	return w, err
}
