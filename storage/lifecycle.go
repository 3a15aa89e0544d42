package storage

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gregor-mq/gregor/storage/checkpoint"
	"github.com/gregor-mq/gregor/storage/producer"
)

// activateLocked makes the log ready to append: producers and epochs are
// loaded, and the end is checked against the segment if it was only told.
func (l *Log) activateLocked() error {
	if l.mu.active {
		return nil
	}
	s := l.active()
	if s.size.Load() > 0 {
		end, err := l.endOfLast()
		if err != nil {
			return err
		}
		if end != l.end.Load() {
			l.dir.log.Warn("log does not end where the last clean stop said", "log", l.Path(), "end", end, "told", l.end.Load())
			l.end.Store(end)
			l.recovery.Store(min(end, l.recovery.Load()))
			l.ready.Store(false)
			if err := l.dropSnapshotsLocked(func(o int64) bool { return o > end }); err != nil {
				return err
			}
		}
	}
	if err := l.loadProducersLocked(); err != nil {
		return err
	}
	if err := l.ensureEpochsLocked(); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.loadLocked()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	t := new(tail)
	t.reset(s, l.end.Load())
	l.tail.Store(t)
	l.mu.active = true
	return nil
}

// Close writes everything that a clean start needs and closes the files. The
// caller then writes the recovery points and the clean-shutdown mark. Spans that
// are still held keep their files open. A second Close does nothing.
func (l *Log) Close() error {
	l.flush.Lock()
	defer l.flush.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil
	}
	if e := l.dir.failed.Load(); e != nil {
		l.closed.Store(true)
		l.discardFiles()
		return e
	}
	err := l.settleLocked()
	if err != nil {
		err = l.fail("close", err)
	}
	l.closed.Store(true)
	l.discardFiles()
	return err
}

// settleLocked flushes all there is, indexes and snapshot included. A log that
// was not used has nothing to write.
func (l *Log) settleLocked() error {
	written := l.mu.active || l.recovery.Load() < l.end.Load() || l.mu.newFiles
	if !written {
		return l.saveEpochsLocked(false)
	}
	end := l.end.Load()
	if l.ready.Load() {
		if err := l.snapshotLocked(end, false); err != nil {
			return err
		}
	}
	if err := l.dropStraySnapshotsLocked(); err != nil {
		return err
	}
	if err := l.saveEpochsLocked(true); err != nil {
		return err
	}
	job, err := l.beginFlushLocked()
	if err != nil {
		return err
	}
	if job.end == l.recovery.Load() && !l.mu.active {
		job.segs = nil
	}
	if err := l.active().settle(); err != nil {
		return err
	}
	if err := l.carryOut(&job); err != nil {
		return err
	}
	l.recovery.Store(end)
	return nil
}

func (l *Log) discardFiles() {
	if l.segs.Load() == nil {
		return
	}
	for _, s := range l.segments() {
		s.discard()
	}
}

// Abandon closes the files and writes nothing: the disk has failed.
func (l *Log) Abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed.Store(true)
	l.discardFiles()
}

// Delete closes the log and renames its directory to one marked -delete. The
// caller hands the result to Dir.RemovePartition after file.delete.delay.ms;
// Spans that are held stay readable.
func (l *Log) Delete() (PartitionDir, error) {
	p, err := l.DeleteUnsynced()
	if err == nil {
		err = l.dir.Sync()
	}
	return p, err
}

// DeleteUnsynced is Delete without making the new name durable: whoever deletes
// many logs calls Dir.Sync once behind them.
func (l *Log) DeleteUnsynced() (PartitionDir, error) {
	l.flush.Lock()
	defer l.flush.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return PartitionDir{}, err
	}
	// First, so that a reader who finds no file any more does not blame the disk.
	l.closed.Store(true)
	p, err := l.moveLocked(Deleted)
	if err != nil {
		l.closed.Store(false)
		return p, l.fail("rename", err)
	}
	l.discardFiles()
	return p, nil
}

// Rename gives the directory the name of another kind: Current for a Future
// log that caught up, Stray or Future for others. The log stays usable.
func (l *Log) Rename(kind PartitionKind) error {
	l.flush.Lock()
	defer l.flush.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	if _, err := l.moveLocked(kind); err != nil {
		return l.fail("rename", err)
	}
	return l.dir.Sync()
}

func (l *Log) moveLocked(kind PartitionKind) (PartitionDir, error) {
	p := PartitionDir{TopicPartition: l.tp, Kind: kind, Name: l.name}
	if kind != Current {
		p.Name = markedName(l.tp, kind, l.dir.random())
	}
	to := filepath.Join(l.dir.path, p.Name)
	if err := l.fs().Rename(l.Path(), to); err != nil {
		return p, err
	}
	l.path.Store(&to)
	return p, nil
}

// TopicID is what partition.metadata says; zero when there is none, or it
// cannot be read, which only a power cut right after its creation can cause.
func (l *Log) TopicID() (TopicID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.topicIDLocked()
}

func (l *Log) topicIDLocked() (TopicID, error) {
	if l.mu.idRead {
		return l.mu.topicID, nil
	}
	if err := l.usableLocked(); err != nil {
		return TopicID{}, err
	}
	src, err := l.fs().ReadFile(l.file(filePartition))
	if err != nil && !notExist(err) {
		return TopicID{}, l.failUnchanged("read topic id of", err)
	}
	if err == nil {
		id, err := checkpoint.DecodePartition(src)
		if err != nil {
			l.dir.log.Warn("topic id is unreadable, taking it for unknown", "log", l.Path(), "err", err)
		}
		l.mu.topicID = id
	}
	l.mu.idRead = true
	return l.mu.topicID, nil
}

// SetTopicID writes partition.metadata if the log has no topic id yet. Another
// id than the one it has is ErrTopicID.
func (l *Log) SetTopicID(id TopicID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, err := l.topicIDLocked()
	switch {
	case err != nil:
		return err
	case old == id:
		return nil
	case old != TopicID{}:
		return fmt.Errorf("%s has topic id %s, not %s: %w", l.name, old, id, ErrTopicID)
	}
	if err := l.usableLocked(); err != nil {
		return err
	}
	if err := l.writeTopicIDLocked(id); err != nil {
		return l.failUnchanged("write topic id of", err)
	}
	return nil
}

func (l *Log) writeTopicIDLocked(id TopicID) error {
	if err := l.dir.writeAtomic(l.file(filePartition), checkpoint.EncodePartition(id), false); err != nil {
		return err
	}
	l.mu.topicID, l.mu.idRead, l.mu.idSynced, l.mu.newFiles = id, true, false, true
	return nil
}

// restartLocked deletes everything and goes on at an offset.
func (l *Log) restartLocked(offset int64) error {
	old := l.segments()
	s := l.newSegment(offset, l.now())
	// First, so that a reader who finds no file any more looks again: it needs
	// none of a segment that is empty.
	l.setSegments([]*segment{s})
	l.end.Store(offset)
	l.start.Store(offset)
	if t := l.tail.Load(); t != nil {
		t.reset(s, offset)
	}
	if err := l.removeNow(old); err != nil {
		return err
	}
	if err := l.dropSnapshotsLocked(func(int64) bool { return true }); err != nil {
		return err
	}
	if err := s.create(); err != nil {
		return err
	}
	l.mu.newFiles = true
	l.recovery.Store(offset)
	l.epochs.Clear()
	if l.mu.producers == nil {
		l.mu.producers = producer.NewState()
	}
	l.mu.producers.Clear()
	l.ready.Store(true)
	l.publishUnstableLocked()
	return errors.Join(l.snapshotLocked(offset, false), l.saveEpochsLocked(false), l.fs().SyncDir(l.Path()))
}
