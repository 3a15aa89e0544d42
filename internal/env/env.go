package env

import (
	"context"
	"io"
	"io/fs"
	"net"
	"time"
)

// Env bundles the four doors. It is a plain value: copy it freely.
type Env struct {
	Clock Clock
	Net   Net
	FS    FS
	Rand  Rand
}

// Clock tells the time and wakes sleepers.
type Clock interface {
	// Now returns the current time, with a monotonic part where there is one.
	Now() time.Time
	// NewTimer returns a timer that sends once on C after d.
	NewTimer(d time.Duration) Timer
	// AfterFunc calls f in its own goroutine after d, unless stopped before.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is one pending wake-up, with the rules of time.Timer since Go 1.23:
// after Stop or Reset no stale value is received.
type Timer interface {
	// C returns the channel on which the time is sent; nil for AfterFunc.
	C() <-chan time.Time
	// Stop prevents the timer from firing; it reports whether it did.
	Stop() bool
	// Reset makes the timer fire after d from now.
	Reset(d time.Duration) bool
}

// Net opens listeners and connections.
type Net interface {
	// Listen announces on a local address; network is "tcp" or "unix".
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// Dial connects to an address.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// File is an open file. Offsets are absolute: there is no shared cursor.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes what was written durable (fsync).
	Sync() error
	// Truncate sets the size in bytes.
	Truncate(size int64) error
	// Size returns the current size in bytes.
	Size() (int64, error)
	// Name returns the path it was opened with.
	Name() string
}

// FS is the disk. Names are paths as the operating system writes them. Errors
// wrap fs.ErrNotExist, fs.ErrExist and fs.ErrPermission where they apply, and
// syscall errors such as ENOSPC and EROFS otherwise.
type FS interface {
	// Open opens a file. flag is made of os.O_* bits.
	Open(name string, flag int, perm fs.FileMode) (File, error)
	// ReadFile returns the whole content of a file.
	ReadFile(name string) ([]byte, error)
	// ReadDir lists a directory in name order.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat describes a file or directory.
	Stat(name string) (fs.FileInfo, error)
	// MkdirAll makes a directory and its missing parents.
	MkdirAll(name string, perm fs.FileMode) error
	// Rename moves a file or directory; a target file is replaced atomically.
	// It is durable only after SyncDir of the parent(s).
	Rename(from, to string) error
	// Remove deletes one file or one empty directory.
	Remove(name string) error
	// RemoveAll deletes a path and all below it; a missing one is no error.
	RemoveAll(name string) error
	// Chtimes sets a file's modification time.
	Chtimes(name string, mtime time.Time) error
	// SyncDir makes creations, renames and removals in a directory durable.
	SyncDir(name string) error
	// Lock takes an exclusive advisory lock on a file, creating it if needed.
	// It fails at once with ErrLocked when another process or handle holds it.
	// Closing the returned value releases the lock.
	Lock(name string) (io.Closer, error)
	// Free returns the free and the total bytes of the volume holding name.
	Free(name string) (free, total int64, err error)
}

// Rand gives randomness. It is safe for concurrent use.
type Rand interface {
	// Uint64 returns a uniformly distributed number.
	Uint64() uint64
	// Read fills p; it never fails.
	Read(p []byte)
}
