package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

const (
	// perSource is how many connections leave from one loopback address: well
	// below the ephemeral ports that Linux gives out by default (28,232).
	perSource = 20_000

	// maxHeld keeps the source addresses within 127.0.0.x.
	maxHeld = 250 * perSource

	// spareFiles are the file descriptors that the program needs for itself.
	spareFiles = 256

	apiVersionsVersion = 3
)

// Held are idle connections. Close ends them.
type Held []net.Conn

// Hold opens n connections, each of which has asked for the API versions as
// every client does, and leaves them idle.
func Hold(ctx context.Context, addr string, n int) (Held, error) {
	if n > maxHeld {
		return nil, fmt.Errorf("hold %d connections: at most %d", n, maxHeld)
	}
	if err := raiseFiles(n + spareFiles); err != nil {
		return nil, err
	}
	req := wire.NewApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = clientID, "1"
	f, err := frame(req, apiVersionsVersion)
	if err != nil {
		return nil, err
	}
	held := make(Held, 0, n)
	buf := make([]byte, 64<<10)
	for i := range n {
		nc, err := greet(ctx, addr, byte(1+i/perSource), f, buf)
		if err != nil {
			held.Close()
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
		held = append(held, nc)
	}
	return held, nil
}

// greet connects from 127.0.0.source and exchanges one request.
func greet(ctx context.Context, addr string, source byte, request, buf []byte) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	if source > 1 {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, source)}
	}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	err = nc.SetDeadline(time.Now().Add(grace))
	if err == nil {
		_, err = nc.Write(request)
	}
	if err == nil {
		_, err = io.ReadFull(nc, buf[:4])
	}
	if err == nil {
		n := int(binary.BigEndian.Uint32(buf))
		if n < 6 || n > len(buf) {
			err = fmt.Errorf("answer of %d bytes", n)
		} else if _, err = io.ReadFull(nc, buf[:n]); err == nil {
			err = checkAnswer(buf[:n], 0, 4)
		}
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// Alive counts the connections that the server has not closed.
func (h Held) Alive() int {
	n := 0
	for _, nc := range h {
		if !hungUp(nc) {
			n++
		}
	}
	return n
}

// hungUp looks without waiting whether the peer has closed.
func hungUp(nc net.Conn) bool {
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	var one [1]byte
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		closed = n == 0 && err == nil || err != nil && err != syscall.EAGAIN
		return true
	})
	return closed || err != nil
}

// Close ends every connection.
func (h Held) Close() {
	for _, nc := range h {
		nc.Close()
	}
}

// raiseFiles lifts the soft limit of open files to n where it is below.
func raiseFiles(n int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur >= uint64(n) {
		return nil
	}
	if l.Max < uint64(n) {
		return fmt.Errorf("%d open files are needed, the hard limit is %d", n, l.Max)
	}
	l.Cur = uint64(n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
