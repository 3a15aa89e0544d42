package storage

import (
	"errors"
	"slices"
)

// TruncateTo cuts the log so that it ends at or below offset: batches that
// reach to it or beyond go whole, and the log goes on behind the last batch that
// is left, as a restart would find it. The high watermark, the start and the
// recovery point move down with it where they must. It reports whether anything
// was cut.
//
// The caller writes the recovery-point checkpoint afterwards, before it appends
// much: a recovery that trusts the old one would skip what is written now.
func (l *Log) TruncateTo(offset int64) (bool, error) {
	l.flush.Lock()
	defer l.flush.Unlock()
	cut := false
	err := l.change("truncate", func() error {
		if err := l.ensureEpochsLocked(); err != nil {
			return err
		}
		offset = max(0, offset)
		if offset >= l.end.Load() {
			// A leader that appended nothing may have noted its epoch.
			l.epochs.TruncateEnd(l.end.Load())
			return l.saveEpochsLocked(false)
		}
		cut = true
		if offset < l.segments()[0].base {
			return l.restartAtLocked(offset, offset)
		}
		return l.truncateLocked(offset)
	})
	return cut, err
}

// TruncateFullyAndStartAt drops everything and lets the log go on at an offset,
// with start as the start of the log (usually the same).
func (l *Log) TruncateFullyAndStartAt(offset, start int64) error {
	l.flush.Lock()
	defer l.flush.Unlock()
	return l.change("truncate", func() error { return l.restartAtLocked(offset, start) })
}

func (l *Log) restartAtLocked(offset, start int64) error {
	l.mu.cut = 0
	if err := l.ensureEpochsLocked(); err != nil {
		return err
	}
	if err := l.restartLocked(offset); err != nil {
		return err
	}
	l.start.Store(min(start, offset))
	l.setHighLocked(offset)
	return nil
}

func (l *Log) truncateLocked(offset int64) error {
	l.mu.cut = min(l.mu.cut, offset)
	if err := l.activateLocked(); err != nil {
		return err
	}
	segs := l.segments()
	keep := segmentFor(segs, offset) + 1
	s := segs[keep-1]
	if keep < len(segs) {
		// First, so that a reader who finds no file any more looks again.
		l.setSegments(slices.Clone(segs[:keep]))
		if err := l.removeNow(segs[keep:]); err != nil {
			return err
		}
	}
	if err := l.cutSegment(s, offset); err != nil {
		return err
	}
	end, err := l.endOfLast()
	if err != nil {
		return err
	}
	l.end.Store(end)
	l.tail.Load().reset(s, end)
	l.recovery.Store(min(end, l.recovery.Load()))
	l.start.Store(min(end, l.start.Load()))
	l.epochs.TruncateEnd(offset)
	if err := l.dropSnapshotsLocked(func(o int64) bool { return o > end }); err != nil {
		return err
	}
	l.mu.producers.Clear()
	if err := l.replayTo(l.mu.producers, end, l.start.Load()); err != nil {
		return err
	}
	l.setHighLocked(l.high.Load())
	return errors.Join(l.saveEpochsLocked(false), l.fs().SyncDir(l.Path()))
}

// cutSegment drops the batches of a segment that reach an offset, and what the
// indexes say about them.
func (l *Log) cutSegment(s *segment, offset int64) error {
	if s.size.Load() == 0 {
		return nil
	}
	r, err := s.acquire()
	if err != nil {
		return err
	}
	defer r.release()
	h, found, err := s.find(r, offset, s.size.Load())
	if err != nil {
		return err
	}
	if err := s.cutAborted(offset); err != nil {
		return err
	}
	if !found {
		return nil
	}
	// Readers stop at the new size before the file has it.
	s.size.Store(h.pos)
	// Durable, or the old tail may come back behind new batches after a power cut.
	if err := errors.Join(r.file.Truncate(h.pos), r.file.Sync()); err != nil {
		return err
	}
	s.sinceIndex, s.modified = 0, 0
	if h.pos == 0 {
		s.firstTime, s.created = unread, l.now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutIndexesLocked(offset, r)
}

func (s *segment) cutIndexesLocked(offset int64, r *handle) error {
	s.mu.rebuilt = false
	offsets, err1 := s.openIndex(suffixIndex)
	times, err2 := s.openIndex(suffixTimeIndex)
	err := errors.Join(err1, err2)
	if err == nil {
		err = errors.Join(s.mu.offsets.Truncate(offsets.File, offset), s.mu.times.Truncate(times.File, offset))
	}
	if err == nil {
		err = errors.Join(s.mu.offsets.WriteTail(offsets.File), s.mu.times.WriteTail(times.File))
	}
	if err == nil {
		err = errors.Join(cutTo(offsets.File, s.mu.offsets.Size()), cutTo(times.File, s.mu.times.Size()))
	}
	if err = errors.Join(err, offsets.close(), times.close()); err != nil {
		return err
	}
	return s.readNewestLocked(r)
}
