package env

import (
	"io"
	"os"
	"syscall"
)

// ofdSetLock is F_OFD_SETLK of fcntl(2), which package syscall does not name.
const ofdSetLock = 37

// lockFile takes an open-file-description lock. It excludes the record locks
// that Java's FileChannel.tryLock takes, so an Apache broker and gregor never
// share a directory; and unlike a record lock it excludes other handles of
// this process and outlives their closing.
func lockFile(f *os.File) error {
	lk := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	return syscall.FcntlFlock(f.Fd(), ofdSetLock, &lk)
}
