package storage

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/env"
)

// writeAtomic replaces a file so that a reader sees the old or the new content.
// With durable it is on disk when the call returns.
func (d *Dir) writeAtomic(name string, content []byte, durable bool) error {
	tmp := name + suffixTmp
	if err := writeFile(d.env.FS, tmp, content, durable); err != nil {
		return errors.Join(err, ignoreMissing(d.env.FS.Remove(tmp)))
	}
	if err := d.env.FS.Rename(tmp, name); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	return d.env.FS.SyncDir(filepath.Dir(name))
}

func writeFile(fs env.FS, name string, content []byte, durable bool) error {
	f, err := fs.Open(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o644)
	if err != nil {
		return exhausted(err)
	}
	_, err = f.WriteAt(content, 0)
	if err == nil && durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncFile(fs env.FS, name string) error {
	f, err := fs.Open(name, os.O_RDWR, 0)
	if err != nil {
		return ignoreMissing(exhausted(err))
	}
	return errors.Join(f.Sync(), f.Close())
}

func ignoreMissing(err error) error {
	if notExist(err) {
		return nil
	}
	return err
}

// fileCache bounds how many log files a Dir keeps open between uses. It drops
// the ones not used since its hand last passed (the clock algorithm).
type fileCache struct {
	limit int
	mu    struct {
		sync.Mutex
		ring []*handle
		hand int
	}
}

// handle is one open log file. It stays open while somebody holds a reference,
// also when its name is gone.
type handle struct {
	file env.File
	refs atomic.Int32 // -1: closed
	used atomic.Bool  // since the cache's hand passed
	gone atomic.Bool  // close when the last reference is released
}

// retain takes a reference; it fails when the handle is closed.
func (h *handle) retain() bool {
	for {
		n := h.refs.Load()
		if n < 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			h.used.Store(true)
			return true
		}
	}
}

// release gives a reference back.
func (h *handle) release() {
	if h.refs.Add(-1) == 0 && h.gone.Load() {
		h.closeUnused()
	}
}

// closeUnused closes the file unless somebody holds a reference. An error of
// close(2) says nothing that a sync would not have said.
func (h *handle) closeUnused() bool {
	if !h.refs.CompareAndSwap(0, -1) {
		return h.refs.Load() < 0
	}
	_ = h.file.Close()
	return true
}

// discard closes the file as soon as nobody holds a reference.
func (h *handle) discard() {
	h.gone.Store(true)
	h.closeUnused()
}

// add takes an open file in, with one reference, and makes room for it.
func (c *fileCache) add(f env.File) *handle {
	h := &handle{file: f}
	h.refs.Store(1)
	h.used.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	for steps := 2 * len(c.mu.ring); len(c.mu.ring) >= c.limit && steps > 0; steps-- {
		if c.mu.hand >= len(c.mu.ring) {
			c.mu.hand = 0
		}
		c.stepLocked()
	}
	c.mu.ring = append(c.mu.ring, h)
	return h
}

// stepLocked closes the handle under the hand, or passes it.
func (c *fileCache) stepLocked() {
	h := c.mu.ring[c.mu.hand]
	if h.used.Swap(false) || !h.closeUnused() {
		c.mu.hand++
		return
	}
	last := len(c.mu.ring) - 1
	c.mu.ring[c.mu.hand] = c.mu.ring[last]
	c.mu.ring[last] = nil
	c.mu.ring = c.mu.ring[:last]
}

// closeIdle closes what was not used since the last call, or all that nobody
// holds.
func (c *fileCache) closeIdle(all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.hand = 0
	for steps := len(c.mu.ring); steps > 0; steps-- {
		if all {
			c.mu.ring[c.mu.hand].used.Store(false)
		}
		c.stepLocked()
	}
	c.mu.hand = 0
}
