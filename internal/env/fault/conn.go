package fault

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one end of a connection: it belongs to a life and knows, sooner or
// later, which host is at the other end.
type conn struct {
	net.Conn
	life *life
	// peer is the host at the other end, nil while it is not known: the one who
	// dialled has a name before its first byte comes.
	peer    atomic.Pointer[string]
	dialed  bool
	closed  chan struct{}
	once    sync.Once
	in, out waiting
	mu      struct {
		sync.Mutex
		held []byte // read, but the link was cut meanwhile
		err  error  // what came behind it
	}
}

// waiting is one direction's deadline, for those that wait at a cut.
type waiting struct {
	kick chan struct{} // a token: look again
	mu   struct {
		sync.Mutex
		deadline time.Time // by the base's clock; zero for none
	}
}

func newConn(nc net.Conn, l *life, peer *string) *conn {
	c := &conn{Conn: nc, life: l, dialed: peer != nil, closed: make(chan struct{})}
	c.in.kick, c.out.kick = make(chan struct{}, 1), make(chan struct{}, 1)
	c.peer.Store(peer)
	return c
}

// other returns the host at the other end, Outside while nobody is known.
func (c *conn) other() string {
	if p := c.peer.Load(); p != nil {
		return *p
	}
	name, known := c.life.host.net.owner(c.RemoteAddr().String())
	if known {
		c.peer.Store(&name)
	}
	return name
}

// learned fixes the other end's name: who has sent bytes is known, or is no
// host.
func (c *conn) learned() {
	if c.peer.Load() == nil {
		name := c.other()
		c.peer.Store(&name)
	}
}

func (c *conn) obstacle(incoming bool) (changed <-chan struct{}, paused bool) {
	h := c.life.host
	if h.net.troubles.Load() == 0 {
		return nil, false
	}
	l := link{h.name, c.other()}
	if incoming {
		l = link{l.to, l.from}
	}
	return h.net.obstacle(h, l)
}

// pass waits until bytes may go in a direction.
func (c *conn) pass(w *waiting, op string) error {
	for {
		changed, paused := c.obstacle(w == &c.in)
		if changed == nil {
			return nil
		}
		if err := c.await(w, changed, paused); err != nil {
			return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
		}
	}
}

// await waits for a change, for the deadline (which a frozen process does not
// see pass), or for the end.
func (c *conn) await(w *waiting, changed <-chan struct{}, paused bool) error {
	var over <-chan time.Time
	w.mu.Lock()
	deadline := w.mu.deadline
	w.mu.Unlock()
	if !deadline.IsZero() && !paused {
		base := c.life.host.base.Clock
		left := deadline.Sub(base.Now())
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		t := base.NewTimer(left)
		defer t.Stop()
		over = t.C()
	}
	select {
	case <-changed:
	case <-w.kick:
	case <-over:
	case <-c.closed:
		return net.ErrClosed
	}
	return nil
}

// Read implements net.Conn. What comes while the link is cut is held back.
func (c *conn) Read(p []byte) (int, error) {
	for {
		if err := c.pass(&c.in, "read"); err != nil {
			return 0, err
		}
		if n, err, some := c.takeHeld(p); some {
			return n, err
		}
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.learned()
		}
		if changed, _ := c.obstacle(true); changed == nil {
			return n, err
		}
		c.hold(p[:n], err)
	}
}

func (c *conn) hold(b []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.held, c.mu.err = append(c.mu.held, b...), err
}

func (c *conn) takeHeld(p []byte) (n int, err error, some bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.held) > 0 {
		n = copy(p, c.mu.held)
		c.mu.held = c.mu.held[n:]
		return n, nil, true
	}
	err = c.mu.err
	c.mu.err = nil
	return 0, err, err != nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.pass(&c.out, "write"); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	drop(c.life, c.life.mu.conns, c)
	if c.dialed {
		c.life.host.net.forget(c.LocalAddr(), c.life.host.name)
	}
	return c.Conn.Close()
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.in.set(c.onBase(t))
	c.out.set(c.onBase(t))
	return c.Conn.SetDeadline(c.onBase(t))
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.set(c.onBase(t))
	return c.Conn.SetReadDeadline(c.onBase(t))
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.set(c.onBase(t))
	return c.Conn.SetWriteDeadline(c.onBase(t))
}

// onBase says when an instant of the life's clock is by the base's.
func (c *conn) onBase(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return c.life.host.base.Clock.Now().Add(t.Sub(clock{c.life}.Now()))
}

func (w *waiting) set(t time.Time) {
	w.mu.Lock()
	w.mu.deadline = t
	w.mu.Unlock()
	select {
	case w.kick <- struct{}{}:
	default:
	}
}
