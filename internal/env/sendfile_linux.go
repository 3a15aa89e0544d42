package env

import (
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
)

// SendFile sends n bytes of f from an offset to a TCP connection without
// copying them through this process, and returns how many it sent; fewer than n
// come with an error. The error is errors.ErrUnsupported, with nothing sent,
// when either end is not the operating system's own. The connection's write
// deadline holds.
func SendFile(c net.Conn, f File, off int64, n int) (sent int, err error) {
	tcp, ok := c.(*net.TCPConn)
	src := OSFile(f)
	if !ok || src == nil {
		return 0, errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	from := int(src.Fd())
	var failed error
	err = raw.Write(func(to uintptr) bool {
		for sent < n {
			k, err := syscall.Sendfile(int(to), from, &off, n-sent)
			sent += max(k, 0)
			switch {
			case errors.Is(err, syscall.EAGAIN):
				return false // the socket is full: wait until it is not
			case errors.Is(err, syscall.EINTR):
			case err != nil:
				failed = err
				return true
			case k == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
		}
		return true
	})
	runtime.KeepAlive(src)
	return sent, errors.Join(err, failed)
}
