package storage

import (
	"errors"
	"math"
	"slices"
)

// Flush makes everything appended so far durable and moves the recovery point.
// Callers that come while a flush runs share the next one.
func (l *Log) Flush() error { return l.FlushTo(l.end.Load()) }

// FlushTo makes everything below an offset durable.
func (l *Log) FlushTo(offset int64) error {
	if offset <= l.recovery.Load() {
		return nil
	}
	l.flush.Lock()
	defer l.flush.Unlock()
	if offset <= l.recovery.Load() {
		return nil // the flush that was waited for has covered it
	}
	return l.flushAll()
}

// flushDueLocked says that flush.messages or more records are not known to be
// on disk. Those of a flush that still runs count: whoever appends meanwhile
// waits for it.
func (l *Log) flushDueLocked(cfg *Config) bool {
	return l.end.Load()-l.recovery.Load() >= cfg.FlushMessages
}

// FlushDue flushes when flush.ms have passed since the last flush and something
// was appended.
func (l *Log) FlushDue() error {
	l.mu.Lock()
	after := l.cfg.Load().FlushMs
	due := l.mu.unflushed > 0 && after < math.MaxInt64 && l.now()-l.mu.flushedAt >= after
	l.mu.Unlock()
	if !due {
		return nil
	}
	return l.Flush()
}

// flushing is what one flush has to do outside of the lock.
type flushing struct {
	end      int64
	segs     []*segment // the last is active, and its indexes are not flushed
	unsynced []int64
	dir      bool
	id       bool
	records  int64 // not flushed yet
}

// flushAll flushes up to the end of the log as it is when it begins. The
// caller holds l.flush.
func (l *Log) flushAll() error {
	var job flushing
	if err := l.attempt("flush", func() (err error) {
		job, err = l.beginFlushLocked()
		return err
	}); err != nil {
		return err
	}
	if err := l.carryOut(&job); err != nil {
		l.putBack(&job)
		return l.failUnchanged("flush", err)
	}
	l.raiseRecovery(job.end)
	return nil
}

// putBack leaves what a flush did not get done to the next one.
func (l *Log) putBack(job *flushing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.unsynced = append(job.unsynced, l.mu.unsynced...)
	l.mu.newFiles = l.mu.newFiles || job.dir
	l.mu.idSynced = l.mu.idSynced && !job.id
	l.mu.unflushed += job.records
}

// raiseRecovery moves the recovery point forward to an offset below which all
// is durable, unless the log was cut off below it meanwhile.
func (l *Log) raiseRecovery(to int64) {
	for point := l.recovery.Load(); point < to; point = l.recovery.Load() {
		if l.recovery.CompareAndSwap(point, min(to, max(l.end.Load(), point))) {
			return
		}
	}
}

func (l *Log) beginFlushLocked() (flushing, error) {
	segs := l.segments()
	job := flushing{
		end:      l.end.Load(),
		segs:     segs[segmentFor(segs, l.recovery.Load()):],
		unsynced: l.mu.unsynced,
		dir:      l.mu.newFiles,
		id:       !l.mu.idSynced,
		records:  l.mu.unflushed,
	}
	// Recovery reads epochs from all batches it goes over, so the file need
	// not be newer than the segments that it will skip.
	if err := l.saveEpochsLocked(len(job.segs) > 1); err != nil {
		return job, err
	}
	l.mu.unsynced, l.mu.newFiles, l.mu.idSynced = nil, false, true
	l.mu.unflushed, l.mu.flushedAt = 0, l.now()
	return job, nil
}

// carryOut syncs files. An active segment's indexes are left out: recovery
// rebuilds them, because the recovery point lies in or behind that segment. The
// point follows segment by segment: a broker that is killed again and again
// before a long flush is over would recover all of it each time.
func (l *Log) carryOut(job *flushing) error {
	if err := l.syncNames(job); err != nil {
		return err
	}
	slices.Sort(job.unsynced)
	snapshots := job.unsynced
	for i, s := range job.segs {
		last := i == len(job.segs)-1
		if s.exists.Load() {
			if err := s.sync(!last); err != nil {
				return err
			}
		}
		if last {
			break
		}
		next := job.segs[i+1].base
		for ; len(snapshots) > 0 && snapshots[0] <= next; snapshots = snapshots[1:] {
			if err := syncFile(l.fs(), l.file(fileName(snapshots[0], suffixSnapshot))); err != nil {
				return err
			}
		}
		l.raiseRecovery(next)
	}
	for _, o := range snapshots {
		if err := syncFile(l.fs(), l.file(fileName(o, suffixSnapshot))); err != nil {
			return err
		}
	}
	return nil
}

// syncNames makes the directory durable, before a recovery point relies on it.
func (l *Log) syncNames(job *flushing) error {
	if job.id {
		if err := syncFile(l.fs(), l.file(filePartition)); err != nil {
			return err
		}
	}
	if !job.dir {
		return nil
	}
	return errors.Join(l.fs().SyncDir(l.Path()), l.fs().SyncDir(l.dir.path))
}

// sync makes the log file durable, and the indexes if asked.
func (s *segment) sync(indexes bool) error {
	r, err := s.acquire()
	if notExist(err) {
		return nil // deleted meanwhile
	} else if err != nil {
		return err
	}
	defer r.release()
	if err := r.file.Sync(); err != nil || !indexes {
		return err
	}
	s.mu.Lock()
	if s.gone.Load() {
		s.mu.Unlock()
		return nil
	}
	err = s.writeIndexesLocked(true)
	s.mu.Unlock()
	for _, suffix := range [...]string{suffixIndex, suffixTimeIndex, suffixTxnIndex} {
		if err == nil {
			err = syncFile(s.log.fs(), s.path(suffix))
		}
	}
	return err
}

// settle is sync for a log that is closed: the indexes of the active segment
// too, cut to size.
func (s *segment) settle() error {
	if !s.exists.Load() {
		return nil
	}
	if s.size.Load() == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.writeIndexesLocked(true)
	}
	return s.sync(true)
}
