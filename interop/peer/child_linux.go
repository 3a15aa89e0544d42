//go:build interop

package peer

import (
	"errors"
	"syscall"
)

// childAttr lets the kernel kill a child whose parent died.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// awaitStopped waits until every thread of a child that was sent SIGSTOP has
// stopped. The signal alone does not see to that: it is handed to one thread,
// and the others run on until that one had a core to stop them from.
func awaitStopped(pid int) error {
	const byPid, stopped = 1, syscall.WSTOPPED // of waitid
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(pid), 0, stopped, 0, 0)
		switch {
		case errno == 0:
			return nil
		case !errors.Is(errno, syscall.EINTR):
			return errno
		}
	}
}
