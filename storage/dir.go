package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// DirOptions are what a Dir needs besides its path.
type DirOptions struct {
	Log *slog.Logger // nil: nothing is logged
	// OnFailure is called once, when the directory goes offline, by whoever
	// met the error and with locks of a Log held: it must only take note.
	OnFailure func(*DirError)
	// OpenFiles bounds how many log files are kept open between uses; 0 is
	// DefaultOpenFiles.
	OpenFiles int
}

// DefaultOpenFiles leaves most of the usual limit of 1,024 or more descriptors
// per process to connections. Files in use at a moment may exceed it.
const DefaultOpenFiles = 512

// Dir is one entry of log.dirs, locked for this process.
type Dir struct {
	env    env.Env
	path   string
	log    *slog.Logger
	lock   io.Closer
	files  *fileCache
	clean  bool // the last broker that used it stopped cleanly
	notify func(*DirError)
	failed atomic.Pointer[DirError]
	// checkpointMu keeps two writers of one checkpoint file apart.
	checkpointMu sync.Mutex
}

// OpenDir makes the directory if it is missing, locks it, and takes note of
// whether the last broker stopped cleanly. It changes nothing else. Errors:
// *LockedError, *DirError.
func OpenDir(e env.Env, path string, opt DirOptions) (*Dir, error) {
	d := &Dir{env: e, path: path, log: opt.Log, notify: opt.OnFailure}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if opt.OpenFiles == 0 {
		opt.OpenFiles = DefaultOpenFiles
	}
	d.files = &fileCache{limit: opt.OpenFiles}
	if err := d.create(); err != nil {
		return nil, &DirError{path, "create", err}
	}
	lock, err := e.FS.Lock(filepath.Join(path, fileLock))
	if errors.Is(err, env.ErrLocked) {
		return nil, &LockedError{path, err}
	} else if err != nil {
		return nil, &DirError{path, "lock", err}
	}
	d.lock = lock
	_, err = e.FS.Stat(filepath.Join(path, fileClean))
	d.clean = err == nil
	if err != nil && !notExist(err) {
		return nil, errors.Join(&DirError{path, "read " + fileClean, err}, lock.Close())
	}
	return d, nil
}

func (d *Dir) create() error {
	st, err := d.env.FS.Stat(d.path)
	switch {
	case notExist(err):
		return env.MkdirDurable(d.env.FS, d.path)
	case err != nil:
		return err
	case !st.IsDir():
		return errors.New("is a file, not a directory")
	}
	return nil
}

// Path is the directory as it was given.
func (d *Dir) Path() string { return d.path }

// WasClean says whether the last broker stopped cleanly, so that logs can be
// opened without reading them.
func (d *Dir) WasClean() bool { return d.clean }

// RemoveCleanMark deletes the clean-shutdown mark. It must be called before any
// log of the directory is opened; WasClean remembers.
func (d *Dir) RemoveCleanMark() error {
	if !d.clean {
		return nil
	}
	return d.try("remove "+fileClean, func() error {
		if err := d.env.FS.Remove(filepath.Join(d.path, fileClean)); err != nil && !notExist(err) {
			return err
		}
		return d.env.FS.SyncDir(d.path)
	})
}

// MarkClean writes the clean-shutdown mark: after all logs were closed without
// an error and the recovery points were written. brokerEpoch is -1 in ZooKeeper
// mode.
func (d *Dir) MarkClean(brokerEpoch int64) error {
	return d.try("write "+fileClean, func() error {
		return d.writeAtomic(filepath.Join(d.path, fileClean), checkpoint.EncodeClean(brokerEpoch), true)
	})
}

// Close releases the lock. The logs must be closed before.
func (d *Dir) Close() error {
	d.files.closeIdle(true)
	return d.lock.Close()
}

// Free returns the free and total bytes of the volume.
func (d *Dir) Free() (free, total int64, err error) { return d.env.FS.Free(d.path) }

// Partitions lists the directories of partitions. A directory that is none is a
// *StrayError; files are passed over.
func (d *Dir) Partitions() ([]PartitionDir, error) {
	entries, err := d.env.FS.ReadDir(d.path)
	if err != nil {
		return nil, d.fail("list", err)
	}
	var out []PartitionDir
	for _, e := range entries {
		if !e.IsDir() || e.Name() == dirRemoteCache {
			continue
		}
		p, ok := parsePartitionDir(e.Name())
		if !ok {
			return nil, &StrayError{d.path, e.Name()}
		}
		out = append(out, p)
	}
	return out, nil
}

// ReadCheckpoint reads an offset checkpoint. A missing file is empty; one that
// cannot be understood is reported with checkpoint.ErrMalformed and reads as
// empty, which is always safe.
func (d *Dir) ReadCheckpoint(name Checkpoint) (map[TopicPartition]int64, error) {
	out := map[TopicPartition]int64{}
	file := filepath.Join(d.path, string(name))
	src, err := d.env.FS.ReadFile(file)
	if notExist(err) {
		return out, nil
	} else if err != nil {
		return out, d.fail("read "+string(name), err)
	}
	entries, err := checkpoint.DecodeOffsets(src)
	if err != nil {
		return out, fmt.Errorf("%s: %w", file, err)
	}
	for _, e := range entries {
		out[TopicPartition{e.Topic, e.Partition}] = e.Offset
	}
	return out, nil
}

// WriteCheckpoint replaces an offset checkpoint atomically and durably.
func (d *Dir) WriteCheckpoint(name Checkpoint, entries []checkpoint.Offset) error {
	d.checkpointMu.Lock()
	defer d.checkpointMu.Unlock()
	return d.attempt("write "+string(name), func() error {
		return d.writeAtomic(filepath.Join(d.path, string(name)), checkpoint.AppendOffsets(nil, entries), true)
	})
}

// RemovePartition removes a directory that Partitions lists as Deleted, or that
// Log.Delete left behind, with all that is in it.
func (d *Dir) RemovePartition(p PartitionDir) error {
	return d.try("remove "+p.Name, func() error { return d.env.FS.RemoveAll(filepath.Join(d.path, p.Name)) })
}

// Sync makes the names of partition directories durable: what was created,
// renamed or deleted before.
func (d *Dir) Sync() error {
	return d.try("sync", func() error { return d.env.FS.SyncDir(d.path) })
}

// CloseIdle closes the log files that were not used since the last call. Run
// now and then, it makes partitions without traffic hold no file.
func (d *Dir) CloseIdle() { d.files.closeIdle(false) }

// Failed returns why the directory is offline, or nil.
func (d *Dir) Failed() *DirError { return d.failed.Load() }

// fail takes the directory offline and returns the error that says so. What is
// no fault of the disk passes through.
func (d *Dir) fail(op string, err error) error {
	if e, ok := errors.AsType[*DirError](err); ok {
		return e
	}
	if errors.Is(err, ErrClosed) {
		return err
	}
	e := &DirError{d.path, op, err}
	if d.failed.CompareAndSwap(nil, e) {
		d.log.Error("log directory failed", "dir", d.path, "op", op, "err", err)
		if d.notify != nil {
			d.notify(e)
		}
	}
	return e
}

// try runs f unless the directory is offline, and takes it offline if f fails.
func (d *Dir) try(op string, f func() error) error {
	if e := d.failed.Load(); e != nil {
		return e
	}
	if err := f(); err != nil {
		return d.fail(op, err)
	}
	return nil
}

// attempt is try for an f that can be called again when no descriptor was left.
func (d *Dir) attempt(op string, f func() error) error {
	var exhaustion error
	err := d.try(op, func() error {
		err := f()
		if noDescriptor(err) {
			exhaustion = fmt.Errorf("%s in %s: %w", op, d.path, exhausted(err))
			return nil
		}
		return err
	})
	return cmp.Or(err, exhaustion)
}
