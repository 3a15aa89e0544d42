//go:build interop && !linux

package peer

import "syscall"

// childAttr has nothing to offer where the kernel cannot tie a child to its
// parent; a test that is killed leaves its peers there.
func childAttr() *syscall.SysProcAttr { return nil }

// awaitStopped has no counterpart here: a child may run on for a moment.
func awaitStopped(int) error { return nil }
