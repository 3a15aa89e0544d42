//go:build !linux

package cli

import "syscall"

// childAttr keeps the terminal's Ctrl-C from a process: the cluster stops its
// processes in order.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
