//go:build !linux

package gregor

import "syscall"

func childAttr() *syscall.SysProcAttr { return nil }
