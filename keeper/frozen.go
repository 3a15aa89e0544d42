package keeper

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// frozen is a disk on which nothing changes: what reads a directory and puts it in
// order at once, such as wal.Open, finds everything done and leaves no trace.
type frozen struct{ env.FS }

// Open opens for reading. A file that was to be made anew is empty.
func (f frozen) Open(name string, flag int, perm fs.FileMode) (env.File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		return frozenFile{name: name}, nil
	}
	file, err := f.FS.Open(name, os.O_RDONLY, perm)
	if err != nil {
		return nil, err
	}
	return frozenFile{File: file, name: name}, nil
}

// MkdirAll reports whether there is such a directory.
func (f frozen) MkdirAll(name string, _ fs.FileMode) error {
	_, err := f.Stat(name)
	return err
}

func (frozen) Rename(string, string) error     { return syscall.EROFS }
func (frozen) Remove(string) error             { return nil }
func (frozen) RemoveAll(string) error          { return syscall.EROFS }
func (frozen) Chtimes(string, time.Time) error { return syscall.EROFS }
func (frozen) SyncDir(string) error            { return nil }

// frozenFile takes writes and forgets them. File is nil in one that is made anew.
type frozenFile struct {
	env.File
	name string
}

func (f frozenFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (f frozenFile) Sync() error                            { return nil }
func (f frozenFile) Truncate(int64) error                   { return nil }
func (f frozenFile) Name() string                           { return f.name }

func (f frozenFile) Size() (int64, error) {
	if f.File == nil {
		return 0, nil
	}
	return f.File.Size()
}

func (f frozenFile) Close() error {
	if f.File == nil {
		return nil
	}
	return f.File.Close()
}
