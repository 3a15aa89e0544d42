package gregor

import "syscall"

// childAttr has the kernel kill a broker whose test binary died.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
