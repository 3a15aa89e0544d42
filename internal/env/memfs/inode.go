package memfs

import (
	"io/fs"
	"maps"
	"time"
)

// inode is a file or a directory: what programs see, and what a power cut
// leaves. All fields are guarded by FS.mu.
type inode struct {
	dir   bool
	mtime time.Time

	// A file: the visible bytes, the bytes of the last Sync, and each change
	// since, in order.
	data    []byte
	durable []byte
	pending []change

	// A directory: the visible entries and those of the last SyncDir.
	entries        map[string]*inode
	durableEntries map[string]*inode
}

// change is one write or truncation that was not yet synced.
type change struct {
	off  int64
	data []byte // nil: truncate to off
}

func newDir(now time.Time) *inode {
	return &inode{dir: true, mtime: now, entries: map[string]*inode{}, durableEntries: map[string]*inode{}}
}

func (n *inode) syncEntries() { n.durableEntries = maps.Clone(n.entries) }

// apply writes c into buf, growing with zeros as a file system does.
func (c change) apply(buf []byte) []byte {
	if c.data == nil {
		return resize(buf, c.off)
	}
	if end := c.off + int64(len(c.data)); end > int64(len(buf)) {
		buf = resize(buf, end)
	}
	copy(buf[c.off:], c.data)
	return buf
}

func resize(buf []byte, size int64) []byte {
	if size <= int64(len(buf)) {
		clear(buf[size:])
		return buf[:size]
	}
	if size <= int64(cap(buf)) {
		return buf[:size]
	}
	grown := make([]byte, size, max(size, 2*int64(cap(buf))))
	copy(grown, buf)
	return grown
}

type info struct {
	name string
	size int64
	mode fs.FileMode
	mod  time.Time
}

func (n *inode) info(name string) fs.FileInfo {
	i := info{name: name, size: int64(len(n.data)), mode: 0o644, mod: n.mtime}
	if n.dir {
		i.mode = fs.ModeDir | 0o755
	}
	return i
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.mod }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
