package memnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gregor-mq/gregor/internal/env"
)

// Net is an env.Net in memory. The zero value is not usable; call New.
type Net struct {
	clock env.Clock // nil, as delay, without delays
	delay Delay
	mu    struct {
		sync.Mutex
		listeners map[netip.AddrPort]*listener
		conns     map[*conn]struct{} // both ends
		next      uint16             // last ephemeral port given
	}
}

var _ env.Net = (*Net)(nil)

const (
	// firstPort is where ephemeral ports begin, as on Linux.
	firstPort = 32768
	// backlog bounds connections that nobody has accepted yet: the default of
	// net.core.somaxconn.
	backlog = 4096
)

// New returns a network without listeners.
func New() *Net {
	n := &Net{}
	n.mu.listeners, n.mu.conns, n.mu.next = map[netip.AddrPort]*listener{}, map[*conn]struct{}{}, firstPort
	return n
}

// parse reads ip:port; host names are no business of a memory network, but for
// "localhost" and the empty host.
func parse(address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	return netip.ParseAddrPort(net.JoinHostPort(host, port))
}

func (n *Net) portLocked() uint16 {
	for {
		if n.mu.next++; n.mu.next < firstPort {
			n.mu.next = firstPort
		}
		taken := false
		for a := range n.mu.listeners {
			taken = taken || a.Port() == n.mu.next
		}
		if !taken {
			return n.mu.next
		}
	}
}

// Listen implements env.Net; network must be "tcp". Port 0 takes a free one.
func (n *Net) Listen(_ context.Context, network, address string) (net.Listener, error) {
	addr, err := parse(address)
	if err != nil || network != "tcp" {
		return nil, errors.Join(fmt.Errorf("memnet: cannot listen on %s %q", network, address), err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if addr.Port() == 0 {
		addr = netip.AddrPortFrom(addr.Addr(), n.portLocked())
	}
	if n.mu.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.TCPAddrFromAddrPort(addr), Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{net: n, addr: addr, queue: make(chan *conn, backlog), closed: make(chan struct{})}
	n.mu.listeners[addr] = l
	return l, nil
}

// Dial implements env.Net. Without a listener it is refused at once.
func (n *Net) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	addr, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("memnet: cannot dial %q: %w", address, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	there := net.TCPAddrFromAddrPort(addr)
	if err := n.travel(ctx, anybody, there); err != nil {
		return nil, err
	}
	c, err := n.connect(addr.Addr(), addr)
	if err := n.travel(ctx, there, anybody); err != nil {
		if c != nil {
			_ = c.Close() // nobody waits for it any more
		}
		return nil, err
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: there, Err: err}
	}
	return c, nil
}

// anybody is an end that has no address yet.
var anybody net.Addr = &net.TCPAddr{}

// connect makes a connection from a host to a listener.
func (n *Net) connect(from netip.Addr, addr netip.AddrPort) (net.Conn, error) {
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.mu.listeners[addr]
	if l == nil {
		return nil, refused
	}
	here := net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, n.portLocked()))
	there := net.TCPAddrFromAddrPort(addr)
	a, b := n.pair(here, there)
	client, server := &conn{Conn: a, net: n, local: here, remote: there}, &conn{Conn: b, net: n, local: there, remote: here}
	select {
	case l.queue <- server:
	default:
		return nil, refused
	}
	n.mu.conns[client], n.mu.conns[server] = struct{}{}, struct{}{}
	return client, nil
}

// Cut breaks all connections and takes the names of all listeners away: when it
// returns, nothing sent later arrives anywhere. Whoever listens next on one of
// the addresses is a new machine.
func (n *Net) Cut() {
	n.mu.Lock()
	conns := n.mu.conns
	n.mu.conns, n.mu.listeners = map[*conn]struct{}{}, map[netip.AddrPort]*listener{}
	n.mu.Unlock()
	for c := range conns {
		c.cut.Store(true)
	}
	for c := range conns {
		_ = c.Conn.Close() // a pipe's Close cannot fail
	}
}

// Conns returns how many ends of connections are open.
func (n *Net) Conns() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.mu.conns)
}

type conn struct {
	net.Conn
	net           *Net
	local, remote net.Addr
	cut, closed   atomic.Bool // by Net.Cut, by Close
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.as("read", err)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.as("write", err)
}

// as gives a pipe's error the form that a socket's would have.
func (c *conn) as(op string, err error) error {
	switch {
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.closed.Load():
		err = net.ErrClosed
	case c.cut.Load():
		err = os.NewSyscallError(op, syscall.ECONNRESET)
	case errors.Is(err, io.EOF):
		return err
	default: // the other end has gone
		err = os.NewSyscallError(op, syscall.EPIPE)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Close implements net.Conn.
func (c *conn) Close() error {
	c.closed.Store(true)
	c.net.mu.Lock()
	delete(c.net.mu.conns, c)
	c.net.mu.Unlock()
	return c.Conn.Close()
}

type listener struct {
	net    *Net
	addr   netip.AddrPort
	queue  chan *conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, l.over()
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, l.over()
	}
}

func (l *listener) over() error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close implements net.Listener; connections that nobody accepted are broken.
func (l *listener) Close() error {
	l.net.mu.Lock()
	if l.net.mu.listeners[l.addr] == l {
		delete(l.net.mu.listeners, l.addr)
	}
	l.net.mu.Unlock()
	first := false
	l.once.Do(func() { first = true; close(l.closed) })
	if !first {
		return l.over()
	}
	for {
		select {
		case c := <-l.queue:
			_ = c.Close() // a pipe's Close cannot fail
		default:
			return nil
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }
