package fault

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// disk is a life's env.FS.
type disk struct{ life *life }

// enter is called before each call to the disk, and leave, if there was no
// error, after it.
func (l *life) enter(op, name string) error {
	if !l.host.opt.DiskRuns {
		l.awaitRun()
	}
	l.disk.RLock()
	if l.isDead() {
		l.disk.RUnlock()
		return &fs.PathError{Op: op, Path: name, Err: ErrKilled}
	}
	return nil
}

func (l *life) leave() { l.disk.RUnlock() }

// Open implements env.FS.
func (d disk) Open(name string, flag int, perm fs.FileMode) (env.File, error) {
	if err := d.life.enter("open", name); err != nil {
		return nil, err
	}
	defer d.life.leave()
	h, err := d.life.fs.Open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	f := &file{File: h, life: d.life, name: name}
	keep(d.life, d.life.mu.files, f) // a process that dies now closes it by itself
	return f, nil
}

// ReadFile implements env.FS. What /proc says of this process is true of the
// life: the next one is another process.
func (d disk) ReadFile(name string) ([]byte, error) {
	switch name {
	case "/proc/sys/kernel/random/boot_id":
		return []byte(*d.life.host.boot.Load() + "\n"), nil
	case fmt.Sprintf("/proc/%d/stat", os.Getpid()):
		return d.life.stat(), nil
	}
	if err := d.life.enter("read", name); err != nil {
		return nil, err
	}
	defer d.life.leave()
	return d.life.fs.ReadFile(name)
}

// stat is /proc/PID/stat with the start time, field 22, of this life.
func (l *life) stat() []byte {
	return fmt.Appendf(nil, "%d (gregor) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", os.Getpid(), l.number)
}

// ReadDir implements env.FS.
func (d disk) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := d.life.enter("list", name); err != nil {
		return nil, err
	}
	defer d.life.leave()
	return d.life.fs.ReadDir(name)
}

// Stat implements env.FS.
func (d disk) Stat(name string) (fs.FileInfo, error) {
	if err := d.life.enter("stat", name); err != nil {
		return nil, err
	}
	defer d.life.leave()
	return d.life.fs.Stat(name)
}

// do runs a call that only may fail.
func (d disk) do(op, name string, call func(env.FS) error) error {
	if err := d.life.enter(op, name); err != nil {
		return err
	}
	defer d.life.leave()
	return call(d.life.fs)
}

// MkdirAll implements env.FS.
func (d disk) MkdirAll(name string, perm fs.FileMode) error {
	return d.do("mkdir", name, func(f env.FS) error { return f.MkdirAll(name, perm) })
}

// Rename implements env.FS.
func (d disk) Rename(from, to string) error {
	return d.do("rename", from, func(f env.FS) error { return f.Rename(from, to) })
}

// Remove implements env.FS.
func (d disk) Remove(name string) error {
	return d.do("remove", name, func(f env.FS) error { return f.Remove(name) })
}

// RemoveAll implements env.FS.
func (d disk) RemoveAll(name string) error {
	return d.do("remove", name, func(f env.FS) error { return f.RemoveAll(name) })
}

// Chtimes implements env.FS.
func (d disk) Chtimes(name string, mtime time.Time) error {
	return d.do("chtimes", name, func(f env.FS) error { return f.Chtimes(name, mtime) })
}

// SyncDir implements env.FS.
func (d disk) SyncDir(name string) error {
	return d.do("sync", name, func(f env.FS) error { return f.SyncDir(name) })
}

// Free implements env.FS.
func (d disk) Free(name string) (free, total int64, err error) {
	err = d.do("statfs", name, func(f env.FS) error {
		var err error
		free, total, err = f.Free(name)
		return err
	})
	return free, total, err
}

// Lock implements env.FS.
func (d disk) Lock(name string) (io.Closer, error) {
	if err := d.life.enter("lock", name); err != nil {
		return nil, err
	}
	defer d.life.leave()
	held, err := d.life.fs.Lock(name)
	if err != nil {
		return nil, err
	}
	k := &lock{Closer: held, life: d.life, name: name}
	if !keep(d.life, d.life.mu.locks, k) {
		_ = held.Close() // of the dead
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrKilled}
	}
	return k, nil
}

// lock is a held lock; Kill takes it away.
type lock struct {
	io.Closer
	life *life
	name string
}

// Close implements io.Closer; only the first one counts.
func (k *lock) Close() error {
	k.life.mu.Lock()
	_, held := k.life.mu.locks[k]
	delete(k.life.mu.locks, k)
	k.life.mu.Unlock()
	if !held {
		return nil
	}
	return k.Closer.Close()
}

// file is an open file of a life.
type file struct {
	env.File
	life *life
	name string
}

// ReadAt implements env.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.life.enter("read", f.name); err != nil {
		return 0, err
	}
	defer f.life.leave()
	return f.File.ReadAt(p, off)
}

// WriteAt implements env.File.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.life.enter("write", f.name); err != nil {
		return 0, err
	}
	defer f.life.leave()
	return f.File.WriteAt(p, off)
}

// Sync implements env.File.
func (f *file) Sync() error {
	if err := f.life.enter("sync", f.name); err != nil {
		return err
	}
	defer f.life.leave()
	return f.File.Sync()
}

// Truncate implements env.File.
func (f *file) Truncate(size int64) error {
	if err := f.life.enter("truncate", f.name); err != nil {
		return err
	}
	defer f.life.leave()
	return f.File.Truncate(size)
}

// Size implements env.File.
func (f *file) Size() (int64, error) {
	if err := f.life.enter("size", f.name); err != nil {
		return 0, err
	}
	defer f.life.leave()
	return f.File.Size()
}

// Close implements env.File. The system closes the files of the dead.
func (f *file) Close() error {
	drop(f.life, f.life.mu.files, f)
	err := f.File.Close()
	if f.life.isDead() {
		return nil
	}
	return err
}
