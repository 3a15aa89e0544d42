package env

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrLocked is returned by FS.Lock when somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// Real returns the operating system's clock, disk, network and randomness.
func Real() Env {
	return Env{Clock: realClock{}, Net: realNet{}, FS: realFS{}, Rand: realRand{}}
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

func (realClock) AfterFunc(d time.Duration, f func()) Timer {
	return realTimer{time.AfterFunc(d, f)}
}

type realTimer struct{ t *time.Timer }

func (r realTimer) C() <-chan time.Time        { return r.t.C }
func (r realTimer) Stop() bool                 { return r.t.Stop() }
func (r realTimer) Reset(d time.Duration) bool { return r.t.Reset(d) }

type realNet struct{}

func (realNet) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, network, address)
}

func (realNet) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

type realRand struct{}

func (realRand) Uint64() uint64 {
	var b [8]byte
	crand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func (realRand) Read(p []byte) { crand.Read(p) }

type realFS struct{}

// realFile is the operating system's file; it embeds *os.File so that io.Copy
// to a TCP connection finds it and uses sendfile.
type realFile struct{ *os.File }

func (f realFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// OSFile returns the operating system's file behind f, or nil when f lives
// elsewhere (in memory); callers that want sendfile ask for it.
func OSFile(f File) *os.File {
	if r, ok := f.(realFile); ok {
		return r.File
	}
	return nil
}

func (realFS) Open(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return realFile{f}, nil
}

func (realFS) ReadFile(name string) ([]byte, error)         { return os.ReadFile(name) }
func (realFS) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }
func (realFS) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (realFS) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (realFS) Rename(from, to string) error                 { return os.Rename(from, to) }
func (realFS) Remove(name string) error                     { return os.Remove(name) }
func (realFS) RemoveAll(name string) error                  { return os.RemoveAll(name) }

func (realFS) Chtimes(name string, mtime time.Time) error { return os.Chtimes(name, mtime, mtime) }

func (realFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (realFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(lockError(name, err), f.Close())
	}
	return f, nil
}

func lockError(name string, err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%s: %w", name, ErrLocked)
	}
	return fmt.Errorf("lock %s: %w", name, err)
}

func (realFS) Free(name string) (free, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(name, &st); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", name, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}
