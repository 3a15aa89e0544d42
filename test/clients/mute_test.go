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
	return muteConn{c, m}, nil
}

func (m *muteable) mute() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.muted = true
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

// Close keeps the socket of a muted process open until the test binary ends:
// the broker shall learn of its end only by silence.
func (c muteConn) Close() error {
	c.m.mu.Lock()
	muted := c.m.muted
	c.m.mu.Unlock()
	if muted {
		return c.Conn.SetReadDeadline(longAgo)
	}
	return c.Conn.Close()
}
