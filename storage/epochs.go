package storage

import (
	"github.com/gregor-mq/gregor/storage/checkpoint"
	"github.com/gregor-mq/gregor/storage/epoch"
)

// ensureEpochs loads the leader epochs if that was not needed before.
func (l *Log) ensureEpochs() error {
	if l.epochsReady.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ensureEpochsLocked()
}

func (l *Log) ensureEpochsLocked() error {
	if l.epochsReady.Load() {
		return nil
	}
	if err := l.usableLocked(); err != nil {
		return err
	}
	if err := l.loadEpochsLocked(); err != nil {
		return l.failUnchanged("load epochs of", err)
	}
	l.epochs.TruncateEnd(l.end.Load())
	l.epochs.TruncateStart(l.start.Load())
	l.epochsReady.Store(true)
	return nil
}

// loadEpochsLocked reads leader-epoch-checkpoint. One that is damaged, or says
// nothing about a log with records, is made anew from the batch headers.
func (l *Log) loadEpochsLocked() error {
	src, err := l.fs().ReadFile(l.file(fileEpochs))
	if err != nil && !notExist(err) {
		return err
	}
	entries, err := checkpoint.DecodeEpochs(src)
	if err != nil || len(entries) == 0 {
		if err != nil {
			l.dir.log.Warn("leader epochs are unreadable, reading them from the log", "log", l.Path(), "err", err)
		}
		return l.rebuildEpochs()
	}
	l.epochs.Load(entries)
	l.mu.epochSeen = l.epochs.Version()
	return nil
}

func (l *Log) rebuildEpochs() error {
	l.epochs.Clear()
	for _, s := range l.segments() {
		if s.size.Load() == 0 {
			continue
		}
		if err := l.readEpochs(s); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) readEpochs(s *segment) error {
	r, err := s.acquire()
	if err != nil {
		return err
	}
	defer r.release()
	w := walk(r.file, 0, s.size.Load())
	defer w.close()
	for {
		h, ok, err := w.step()
		if damaged(err) || err == nil && !ok {
			return nil
		}
		if err != nil {
			return err
		}
		l.epochs.Assign(h.epoch, h.base)
	}
}

// saveEpochsLocked writes leader-epoch-checkpoint if it changed.
func (l *Log) saveEpochsLocked(durable bool) error {
	if !l.epochsReady.Load() {
		return nil
	}
	entries, version := l.epochs.Entries()
	if version == l.mu.epochSeen {
		return nil
	}
	if err := l.dir.writeAtomic(l.file(fileEpochs), checkpoint.AppendEpochs(nil, entries), durable); err != nil {
		return err
	}
	l.mu.newFiles = true
	l.mu.epochSeen = version
	return nil
}

// StartEpoch notes that a leader epoch begins at the end of the log: called
// when this replica becomes leader, before it appends. It is written to disk
// with the next flush or close; an epoch without records may be forgotten.
func (l *Log) StartEpoch(leaderEpoch int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ensureEpochsLocked(); err != nil {
		return err
	}
	l.epochs.Assign(leaderEpoch, l.end.Load())
	return nil
}

// LatestEpoch is the newest leader epoch and where it began; ok is false when
// none is known.
func (l *Log) LatestEpoch() (e epoch.Entry, ok bool, err error) {
	if err := l.ensureEpochs(); err != nil {
		return epoch.Entry{}, false, err
	}
	e, ok = l.epochs.Latest()
	return e, ok, nil
}

// EpochFor is the leader epoch that an offset was written in, or epoch.None.
func (l *Log) EpochFor(offset int64) (int32, error) {
	if err := l.ensureEpochs(); err != nil {
		return epoch.None, err
	}
	return l.epochs.For(offset), nil
}

// EndOffsetForEpoch answers how far this log agrees with a leader epoch: the
// largest epoch not above it and where that ended, or epoch.None and
// epoch.Undefined when that cannot be known.
func (l *Log) EndOffsetForEpoch(leaderEpoch int32) (int32, int64, error) {
	if err := l.ensureEpochs(); err != nil {
		return epoch.None, epoch.Undefined, err
	}
	e, end := l.epochs.EndOffset(leaderEpoch, l.end.Load())
	return e, end, nil
}
