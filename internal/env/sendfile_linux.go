package env

import (
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
)

// SendFile sends n bytes of f from an offset to a TCP connection without
// copying them through this process. It returns errors.ErrUnsupported, with
// nothing sent, when either end is not the operating system's own; after any
// other error a part may have been sent. The connection's write deadline holds.
func SendFile(c net.Conn, f File, off int64, n int) error {
	tcp, ok := c.(*net.TCPConn)
	src := OSFile(f)
	if !ok || src == nil {
		return errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	from := int(src.Fd())
	var failed error
	err = raw.Write(func(to uintptr) bool {
		for n > 0 {
			sent, err := syscall.Sendfile(int(to), from, &off, n)
			n -= max(sent, 0)
			switch {
			case errors.Is(err, syscall.EAGAIN):
				return false // the socket is full: wait until it is not
			case errors.Is(err, syscall.EINTR):
			case err != nil:
				failed = err
				return true
			case sent == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
		}
		return true
	})
	runtime.KeepAlive(src)
	return errors.Join(err, failed)
}
