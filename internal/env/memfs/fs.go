package memfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// Op names one kind of call for an Injector.
type Op string

// The calls that an Injector sees.
const (
	OpOpen     Op = "open"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpMkdir    Op = "mkdir"
	OpList     Op = "list"
	OpSyncDir  Op = "syncdir"
)

// Injector decides whether a call fails: a non-nil error is returned to the
// caller, wrapped in a fs.PathError, and the call has no effect.
type Injector func(op Op, name string) error

// FS is an env.FS in memory.
type FS struct {
	mu struct {
		sync.Mutex
		root   *inode
		used   int64
		inject Injector
		locks  map[string]bool
	}
	capacity int64
	now      func() time.Time
}

var _ env.FS = (*FS)(nil)

// DefaultCapacity bounds the sum of file sizes, so that a runaway test ends
// with ENOSPC and not with the machine.
const DefaultCapacity = 4 << 30

// New returns an empty disk of capacity bytes (0: DefaultCapacity). Times of
// modification come from now.
func New(capacity int64, now func() time.Time) *FS {
	if capacity == 0 {
		capacity = DefaultCapacity
	}
	f := &FS{capacity: capacity, now: now}
	f.mu.root = newDir(now())
	f.mu.locks = map[string]bool{}
	return f
}

// SetInjector installs the fault hook; nil removes it. The hook runs with the
// file system locked: it must not call back into it.
func (f *FS) SetInjector(i Injector) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.inject = i
}

func (f *FS) failLocked(op Op, name string) error {
	if f.mu.inject == nil {
		return nil
	}
	if err := f.mu.inject(op, name); err != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: err}
	}
	return nil
}

// splitPath cuts a cleaned path into its names; the root is the empty list.
func splitPath(name string) []string {
	clean := strings.Trim(filepath.Clean("/"+name), "/")
	if clean == "" {
		return nil
	}
	return strings.Split(clean, "/")
}

func (f *FS) findLocked(op Op, name string) (*inode, error) {
	n := f.mu.root
	for _, part := range splitPath(name) {
		if !n.dir {
			return nil, &fs.PathError{Op: string(op), Path: name, Err: syscall.ENOTDIR}
		}
		next, ok := n.entries[part]
		if !ok {
			return nil, &fs.PathError{Op: string(op), Path: name, Err: fs.ErrNotExist}
		}
		n = next
	}
	return n, nil
}

func (f *FS) parentLocked(op Op, name string) (*inode, string, error) {
	parts := splitPath(name)
	if len(parts) == 0 {
		return nil, "", &fs.PathError{Op: string(op), Path: name, Err: fs.ErrInvalid}
	}
	dir, err := f.findLocked(op, strings.Join(parts[:len(parts)-1], "/"))
	if err != nil {
		return nil, "", err
	}
	if !dir.dir {
		return nil, "", &fs.PathError{Op: string(op), Path: name, Err: syscall.ENOTDIR}
	}
	return dir, parts[len(parts)-1], nil
}

// Open implements env.FS.
func (f *FS) Open(name string, flag int, _ fs.FileMode) (env.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpOpen, name); err != nil {
		return nil, err
	}
	dir, base, err := f.parentLocked(OpOpen, name)
	if err != nil {
		return nil, err
	}
	n, ok := dir.entries[base]
	switch {
	case !ok && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case !ok:
		n = &inode{mtime: f.now()}
		dir.entries[base] = n
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n.dir:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	if flag&os.O_TRUNC != 0 && ok {
		f.resizeLocked(n, 0)
	}
	return &file{fs: f, n: n, name: name, writable: flag&(os.O_WRONLY|os.O_RDWR) != 0}, nil
}

// ReadFile implements env.FS.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpRead, name); err != nil {
		return nil, err
	}
	n, err := f.findLocked(OpRead, name)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	return slices.Clone(n.data), nil
}

// ReadDir implements env.FS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpList, name); err != nil {
		return nil, err
	}
	n, err := f.findLocked(OpList, name)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, &fs.PathError{Op: "list", Path: name, Err: syscall.ENOTDIR}
	}
	var out []fs.DirEntry
	for base, child := range n.entries {
		out = append(out, fs.FileInfoToDirEntry(child.info(base)))
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Stat implements env.FS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.findLocked("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(filepath.Base(name)), nil
}

// MkdirAll implements env.FS.
func (f *FS) MkdirAll(name string, _ fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpMkdir, name); err != nil {
		return err
	}
	n := f.mu.root
	for _, part := range splitPath(name) {
		next, ok := n.entries[part]
		if !ok {
			next = newDir(f.now())
			n.entries[part] = next
		}
		if !next.dir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		n = next
	}
	return nil
}

// Rename implements env.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpRename, from); err != nil {
		return err
	}
	src, srcBase, err := f.parentLocked(OpRename, from)
	if err != nil {
		return err
	}
	n, ok := src.entries[srcBase]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	dst, dstBase, err := f.parentLocked(OpRename, to)
	if err != nil {
		return err
	}
	if old, ok := dst.entries[dstBase]; ok && old != n {
		if old.dir && len(old.entries) > 0 {
			return &fs.PathError{Op: "rename", Path: to, Err: syscall.ENOTEMPTY}
		}
		f.dropLocked(old)
	}
	delete(src.entries, srcBase)
	dst.entries[dstBase] = n
	return nil
}

// Remove implements env.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpRemove, name); err != nil {
		return err
	}
	dir, base, err := f.parentLocked(OpRemove, name)
	if err != nil {
		return err
	}
	n, ok := dir.entries[base]
	if !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if n.dir && len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	f.dropLocked(n)
	delete(dir.entries, base)
	return nil
}

// RemoveAll implements env.FS.
func (f *FS) RemoveAll(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpRemove, name); err != nil {
		return err
	}
	dir, base, err := f.parentLocked(OpRemove, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n, ok := dir.entries[base]; ok {
		f.dropLocked(n)
		delete(dir.entries, base)
	}
	return nil
}

// Chtimes implements env.FS.
func (f *FS) Chtimes(name string, mtime time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.findLocked("chtimes", name)
	if err != nil {
		return err
	}
	n.mtime = mtime
	return nil
}

// SyncDir implements env.FS.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failLocked(OpSyncDir, name); err != nil {
		return err
	}
	n, err := f.findLocked(OpSyncDir, name)
	if err != nil {
		return err
	}
	n.syncEntries()
	return nil
}

// Lock implements env.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	h, err := f.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	_ = h.Close() // a memory file has nothing to flush
	f.mu.Lock()
	defer f.mu.Unlock()
	key := filepath.Clean(name)
	if f.mu.locks[key] {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: env.ErrLocked}
	}
	f.mu.locks[key] = true
	return &lock{f, key}, nil
}

// Free implements env.FS.
func (f *FS) Free(string) (free, total int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.capacity - f.mu.used, f.capacity, nil
}

type lock struct {
	fs  *FS
	key string
}

func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.mu.locks, l.key)
	return nil
}
