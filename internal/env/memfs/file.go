package memfs

import (
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// file is an open handle. The inode lives on after its name is removed, as on
// a Unix disk.
type file struct {
	fs       *FS
	n        *inode
	name     string
	writable bool
	closed   bool // guarded by FS.mu
}

func (h *file) Name() string { return h.name }

func (h *file) checkLocked(op Op) error {
	if h.closed {
		return &fs.PathError{Op: string(op), Path: h.name, Err: fs.ErrClosed}
	}
	return h.fs.failLocked(op, h.name)
}

func (h *file) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.checkLocked(OpRead); err != nil {
		return 0, err
	}
	if off >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *file) WriteAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.checkLocked(OpWrite); err != nil {
		return 0, err
	}
	if !h.writable {
		return 0, &fs.PathError{Op: "write", Path: h.name, Err: syscall.EBADF}
	}
	grow := max(0, off+int64(len(p))-int64(len(h.n.data)))
	if free := h.fs.capacity - h.fs.mu.used; grow > free {
		// A full disk takes what still fits, like write(2).
		n := max(0, len(p)-int(grow-free))
		h.writeLocked(p[:n], off)
		return n, &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
	}
	h.writeLocked(p, off)
	return len(p), nil
}

func (h *file) writeLocked(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	c := change{off: off, data: slices.Clone(p)}
	before := len(h.n.data)
	h.n.data = c.apply(h.n.data)
	h.fs.mu.used += int64(len(h.n.data) - before)
	h.n.pending = append(h.n.pending, c)
	h.n.mtime = h.fs.now()
}

func (h *file) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.checkLocked(OpTruncate); err != nil {
		return err
	}
	if size < 0 {
		return &fs.PathError{Op: "truncate", Path: h.name, Err: syscall.EINVAL}
	}
	if size-int64(len(h.n.data)) > h.fs.capacity-h.fs.mu.used {
		return &fs.PathError{Op: "truncate", Path: h.name, Err: syscall.ENOSPC}
	}
	h.fs.resizeLocked(h.n, size)
	return nil
}

func (f *FS) resizeLocked(n *inode, size int64) {
	c := change{off: size}
	before := len(n.data)
	n.data = c.apply(n.data)
	f.mu.used += int64(len(n.data) - before)
	n.pending = append(n.pending, c)
	n.mtime = f.now()
}

func (h *file) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.checkLocked(OpSync); err != nil {
		return err
	}
	for _, c := range h.n.pending {
		h.n.durable = c.apply(h.n.durable)
	}
	h.n.pending = nil
	return nil
}

func (h *file) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return 0, &fs.PathError{Op: "size", Path: h.name, Err: fs.ErrClosed}
	}
	return int64(len(h.n.data)), nil
}

func (h *file) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return &fs.PathError{Op: "close", Path: h.name, Err: fs.ErrClosed}
	}
	h.closed = true
	return nil
}

// dropLocked gives back the space of an unlinked file or tree.
func (f *FS) dropLocked(n *inode) {
	f.mu.used -= int64(len(n.data))
	for _, child := range n.entries {
		f.dropLocked(child)
	}
}
