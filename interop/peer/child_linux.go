//go:build interop

package peer

import "syscall"

// childAttr lets the kernel kill a child whose parent died.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
