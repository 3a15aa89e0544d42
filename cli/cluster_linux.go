package cli

import "syscall"

// childAttr has the kernel kill a process whose cluster was killed itself, and
// keeps the terminal's Ctrl-C from it: the cluster stops its processes in order.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
