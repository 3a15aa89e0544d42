//go:build unix

package gregortest

import (
	"io"
	"os"
	"syscall"
)

// holdPort keeps a loopback port from others without listening on it: who
// connects is refused, and nobody is given the port.
func holdPort(port int) (io.Closer, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	held := os.NewFile(uintptr(fd), "held port")
	// Connections of the broker that was there may linger.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		_ = held.Close()
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = held.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	return held, nil
}
