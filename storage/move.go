package storage

import (
	"errors"
	"math"
	"path/filepath"

	"github.com/gregor-mq/gregor/storage/epoch"
)

// A replica moves to another log directory in steps, each durable before the
// next: a copy marked -future is filled with AppendFollower; TakeOver makes it
// level with the log and marks it as the newer of the two; the caller writes the
// checkpoints of its directory; Rename(Current) decides; Retire gives the old
// directory away; DropMark ends it. After a cut before Rename there is the log
// and a copy. After one between Rename and Retire there are two directories of
// one name, as Apache leaves them, and the mark tells which to keep.

// noCut is Log.mu.cut when nothing was cut off.
const noCut = math.MaxInt64

// Kind tells what its directory is for, by its name.
func (l *Log) Kind() PartitionKind {
	p, _ := parsePartitionDir(filepath.Base(l.Path()))
	return p.Kind
}

// TakeCut returns the lowest offset that the log was truncated to since the last
// call, for who copies it; ok is false when it was not. It waits for a
// truncation that is going on.
func (l *Log) TakeCut() (offset int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset, l.mu.cut = l.mu.cut, noCut
	return offset, offset != noCut
}

// TakeOver prepares a copy to take the place of the log that it was made from:
// it becomes the same in all that records do not tell (start, high watermark,
// leader epochs, topic id), durable to its end, and marked as the newer one.
// Nobody may append to the log from now on. ErrBehind when the copy is not
// level, or the log was cut since the last TakeCut; other errors as Flush's. It may
// be called again after any.
func (l *Log) TakeOver(from *Log) error {
	from.mu.Lock()
	defer from.mu.Unlock()
	if err := from.usableLocked(); err != nil {
		return err
	}
	if from.mu.cut != noCut || from.end.Load() != l.end.Load() {
		return ErrBehind
	}
	if err := from.ensureEpochsLocked(); err != nil {
		return err
	}
	id, err := from.topicIDLocked()
	if err != nil {
		return err
	}
	epochs, _ := from.epochs.Entries()
	l.flush.Lock()
	defer l.flush.Unlock()
	if err := l.attempt("take over", func() error { return l.assumeLocked(from, id, epochs) }); err != nil {
		return err
	}
	if err := l.flushAll(); err != nil {
		return err
	}
	l.succeeds.Store(true)
	return l.dir.attempt("mark "+l.name, func() error {
		return errors.Join(writeFile(l.fs(), l.file(fileMoved), nil, true), l.fs().SyncDir(l.Path()))
	})
}

func (l *Log) assumeLocked(from *Log, id TopicID, epochs []epoch.Entry) error {
	if err := l.activateLocked(); err != nil {
		return err
	}
	if old, err := l.topicIDLocked(); err != nil {
		return err
	} else if old != id {
		if err := l.writeTopicIDLocked(id); err != nil {
			return err
		}
	}
	l.epochs.Clear()
	l.epochs.Load(epochs)
	l.setHighLocked(from.high.Load())
	if err := l.raiseStartLocked(from.start.Load()); err != nil {
		return err
	}
	return l.saveEpochsLocked(true)
}

// Retire closes a log whose place another has taken, and renames its directory
// to one marked -delete, as Delete does. What it still knew alone goes to the
// heir: producers whose records are gone, verifications, a start or watermark
// that moved since TakeOver. Readers that found the log before may read on. It is
// closed after an error, too.
func (l *Log) Retire(heir *Log) (PartitionDir, error) {
	l.flush.Lock()
	defer l.flush.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return PartitionDir{}, ErrClosed
	}
	l.retired.Store(true)
	l.closed.Store(true)
	defer l.discardFiles()
	err := heir.change("take over", func() error { return heir.inheritLocked(l) })
	if err != nil {
		return PartitionDir{}, err
	}
	var p PartitionDir
	err = l.dir.try("rename "+l.name, func() (err error) {
		if p, err = l.moveLocked(Deleted); err != nil {
			return err
		}
		return l.fs().SyncDir(l.dir.path)
	})
	return p, err
}

func (l *Log) inheritLocked(from *Log) error {
	if from.mu.producers != nil && from.ready.Load() {
		l.mu.producers, from.mu.producers = from.mu.producers, nil
		l.ready.Store(true)
	}
	l.setHighLocked(max(l.high.Load(), from.high.Load()))
	return l.raiseStartLocked(from.start.Load())
}

// Succeeds reports whether the log took the place of one in another directory
// that may still be there.
func (l *Log) Succeeds() bool { return l.succeeds.Load() }

// DropMark says that no other directory of the partition is left.
func (l *Log) DropMark() error {
	l.succeeds.Store(false)
	return l.dir.try("unmark "+l.name, func() error { return ignoreMissing(l.fs().Remove(l.file(fileMoved))) })
}
