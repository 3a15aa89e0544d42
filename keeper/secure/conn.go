package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// handshakeRecord is the first byte of every TLS connection. A plain one begins
// with a four-letter word, or with a length whose first byte it is only above
// 352 MiB.
const handshakeRecord = 0x16

// Listener gives connections that speak TLS, or, with unified, what the client
// begins with. The handshake is the first Read's; closeOn runs what may take a
// while when a connection is closed.
func (s *Source) Listener(l net.Listener, unified bool, closeOn func(func())) net.Listener {
	return &listener{Listener: l, config: s.Server(), unified: unified, closeOn: closeOn}
}

type listener struct {
	net.Listener
	config  *tls.Config
	unified bool
	closeOn func(func())
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: nc, l: l}
	if !l.unified {
		c.tls.Store(tls.Server(nc, l.config))
	}
	return c, nil
}

// Conn is a client's connection. One goroutine reads; deadlines are those of
// the connection below.
type Conn struct {
	net.Conn
	l           *listener
	tls         atomic.Pointer[tls.Conn] // nil for plain, and while that is open
	plain       bool                     // the reader's: decided so
	established atomic.Bool              // the handshake is done
	failed      bool                     // the reader's: the handshake failed
	closing     sync.Once
	closed      error
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.plain || len(p) == 0 {
		return c.Conn.Read(p)
	}
	if c.tls.Load() == nil {
		if n, err := c.Conn.Read(p[:1]); n == 0 || err != nil {
			return 0, err
		}
		if p[0] != handshakeRecord {
			c.plain = true
			return 1, nil
		}
		c.tls.Store(tls.Server(&begun{Conn: c.Conn, first: p[0], unread: true}, c.l.config))
	}
	t := c.tls.Load()
	if !c.established.Load() {
		if err := t.Handshake(); err != nil {
			c.failed = true
			return 0, err
		}
		c.established.Store(true)
	}
	return t.Read(p)
}

// begun is a connection whose first byte was looked at.
type begun struct {
	net.Conn
	first  byte
	unread bool
}

func (b *begun) Read(p []byte) (int, error) {
	if b.unread && len(p) > 0 {
		p[0], b.unread = b.first, false
		return 1, nil
	}
	return b.Conn.Read(p)
}

var errUnread = errors.New("nothing was read yet that says whether the connection is plain")

// Write implements net.Conn. Something must have been read before: the server
// never speaks first.
func (c *Conn) Write(p []byte) (int, error) {
	if t := c.tls.Load(); t != nil {
		if !c.established.Load() {
			return 0, errUnread
		}
		return t.Write(p)
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn. It does not wait until the peer is told.
func (c *Conn) Close() error {
	c.closing.Do(func() {
		t := c.tls.Load()
		if t == nil || !c.established.Load() {
			c.closed = c.Conn.Close()
			return
		}
		// The peer may be gone; there is nobody to tell of an error.
		c.l.closeOn(func() { _ = t.Close() })
	})
	return c.closed
}

// Certificates returns the client's verified certificate and those it came with;
// none on a plain connection and from a client that has none. It is the
// reader's to call, after its first Read.
func (c *Conn) Certificates() []*x509.Certificate {
	if !c.established.Load() {
		return nil
	}
	return c.tls.Load().ConnectionState().PeerCertificates
}

// Failed reports whether the handshake failed. It is the reader's to call.
func (c *Conn) Failed() bool { return c.failed }
