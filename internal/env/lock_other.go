//go:build unix && !linux

package env

import (
	"os"
	"syscall"
)

// lockFile takes a BSD lock, which excludes other handles of this process too.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
