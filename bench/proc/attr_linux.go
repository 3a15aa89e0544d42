package proc

import "syscall"

// attributes let a child die with the benchmark, whatever ends that.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
