package clients

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// muteable dials connections that can be made to lose all they carry, as a
// process does that hangs: the broker sees no close.
type muteable struct {
	mu    sync.Mutex
	muted bool
	conns []net.Conn
}

func (m *muteable) dial(ctx context.Context, network, host string) (net.Conn, error) {
	m.mu.Lock()
	muted := m.muted
	m.mu.Unlock()
	if muted {
		return nil, os.ErrDeadlineExceeded
	}
	c, err := new(net.Dialer).DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return muteConn{c, m}, nil
}

func (m *muteable) mute() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.muted = true
}

// end lets the process speak again, over new connections: what it sent before
// is lost.
func (m *muteable) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.muted = false
	for _, c := range m.conns {
		_ = c.Close() // it may be closed
	}
}

type muteConn struct {
	net.Conn
	m *muteable
}

// Write drops what a muted process would not have sent.
func (c muteConn) Write(p []byte) (int, error) {
	c.m.mu.Lock()
	muted := c.m.muted
	c.m.mu.Unlock()
	if muted {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close keeps the socket of a muted process open: the broker shall learn of its
// end only by silence.
func (c muteConn) Close() error {
	c.m.mu.Lock()
	muted := c.m.muted
	c.m.mu.Unlock()
	if muted {
		return c.Conn.SetReadDeadline(longAgo)
	}
	return c.Conn.Close()
}
