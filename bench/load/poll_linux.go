package load

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// poller waits for many sockets with epoll: one system call tells of all that
// are ready, where a goroutine for each would cost the scheduler's work as well.
type poller struct {
	fd     int
	events [256]syscall.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

// add watches a socket for what can be read, and for being connected.
func (p *poller) add(fd, key int) error {
	return p.control(syscall.EPOLL_CTL_ADD, fd, key, syscall.EPOLLIN|syscall.EPOLLOUT)
}

// connected watches it for what can be read alone.
func (p *poller) connected(fd, key int) error {
	return p.control(syscall.EPOLL_CTL_MOD, fd, key, syscall.EPOLLIN)
}

func (p *poller) control(op, fd, key int, events uint32) error {
	if err := syscall.EpollCtl(p.fd, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(key)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// wait calls f with the key of each socket that is ready, after at most d.
func (p *poller) wait(d time.Duration, f func(key int) error) error {
	n, err := syscall.EpollWait(p.fd, p.events[:], int(d.Milliseconds()))
	if err == syscall.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range n {
		if err := f(int(p.events[i].Fd)); err != nil {
			return err
		}
	}
	return nil
}

func (p *poller) close() { _ = syscall.Close(p.fd) }

// dialSocket begins to connect.
func dialSocket(addr *net.TCPAddr) (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	to := &syscall.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if err == nil {
		err = syscall.Connect(fd, to)
	}
	if err != nil && err != syscall.EINPROGRESS {
		_ = syscall.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return fd, nil
}
