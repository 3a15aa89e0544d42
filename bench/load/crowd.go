package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

const (
	// MaxWindow bounds the requests of one session that are under way: so few that
	// the kernel takes them all at once.
	MaxWindow = 64
	// lookAround is how often a crowd that waits looks whether it shall go on.
	lookAround = 100 * time.Millisecond
	// readSize is enough for the answers to a whole window.
	readSize = 64 << 10
)

// Crowd is sessions with a ZooKeeper server that one goroutine serves. Its methods
// are called by one goroutine.
type Crowd struct {
	poll    *poller
	members []member
	hello   []byte
	buf     []byte
	out     []byte
	events  int // watch events that came
}

// member is one session.
type member struct {
	fd         int
	session    int64 // 0 before the server has granted it
	sent, done int   // requests and replies
	rest       []byte
	began      [MaxWindow]time.Time // of the requests under way
}

// OpenCrowd opens n sessions of a timeout, so many at a time: all of those begin to
// connect before any is answered.
func OpenCrowd(ctx context.Context, addr string, n, atOnce int, timeout time.Duration) (*Crowd, error) {
	if err := raiseFiles(n + spareFiles); err != nil {
		return nil, err
	}
	to, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, err
	}
	c := &Crowd{buf: make([]byte, readSize)}
	c.hello = zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: int32(timeout.Milliseconds()), Password: make([]byte, zk.PasswordSize)})
	if c.poll, err = newPoller(); err != nil {
		return nil, err
	}
	for len(c.members) < n && err == nil {
		err = c.enter(ctx, to, min(atOnce, n-len(c.members)))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// enter opens n more sessions.
func (c *Crowd) enter(ctx context.Context, addr *net.TCPAddr, n int) error {
	first := len(c.members)
	for i := first; i < first+n; i++ {
		fd, err := dialSocket(addr)
		if err != nil {
			return err
		}
		c.members = append(c.members, member{fd: fd})
		if err := c.poll.add(fd, i); err != nil {
			return err
		}
	}
	greeted, granted := make([]bool, n), 0
	return c.wait(ctx, func() bool { return granted == n }, func(i int) error {
		if !greeted[i-first] {
			greeted[i-first] = true
			return c.greet(i)
		}
		return c.read(i, func(m *member, frame []byte) error {
			granted++
			return m.granted(frame)
		})
	})
}

// greet says what a client says first, once it is connected.
func (c *Crowd) greet(i int) error {
	m := &c.members[i]
	if err := c.write(m, c.hello); err != nil {
		return err
	}
	return c.poll.connected(m.fd, i)
}

func (m *member) granted(frame []byte) error {
	var resp zk.ConnectResponse
	if err := zk.Unmarshal(frame, &resp); err != nil {
		return fmt.Errorf("connect response: %w", err)
	}
	if m.session = resp.SessionID; m.session == 0 {
		return errors.New("the server granted no session")
	}
	return nil
}

// wait serves the sockets that are ready until there is nothing more to wait for.
func (c *Crowd) wait(ctx context.Context, over func() bool, ready func(i int) error) error {
	for !over() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := c.poll.wait(lookAround, ready); err != nil {
			return err
		}
	}
	return nil
}

// read takes what has come for one session and gives whole frames to f.
func (c *Crowd) read(i int, f func(m *member, frame []byte) error) error {
	m := &c.members[i]
	n, err := syscall.Read(m.fd, c.buf)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return nil
	case err == nil && n == 0:
		return fmt.Errorf("session %x: %w", m.session, io.ErrUnexpectedEOF)
	case err != nil:
		return fmt.Errorf("session %x: %w", m.session, err)
	}
	in := c.buf[:n]
	if len(m.rest) > 0 {
		m.rest = append(m.rest, in...)
		in = m.rest
	}
	for len(in) >= zk.LengthSize {
		size := zk.LengthSize + int(binary.BigEndian.Uint32(in))
		if len(in) < size {
			break
		}
		if err := f(m, in[zk.LengthSize:size]); err != nil {
			return err
		}
		in = in[size:]
	}
	m.rest = append(m.rest[:0], in...)
	return nil
}

// write sends a few frames; the kernel has room for them.
func (c *Crowd) write(m *member, b []byte) error {
	n, err := syscall.Write(m.fd, b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("session %x: %w", m.session, err)
	}
	return nil
}

// Close ends the connections; the server may keep the sessions for their timeout.
func (c *Crowd) Close() {
	for i := range c.members {
		_ = syscall.Close(c.members[i].fd)
	}
	c.members = nil
	c.poll.close()
}
