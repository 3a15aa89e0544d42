package storage

import (
	"errors"
	"slices"
	"time"
)

// doomed is a file that will be removed when its time has come, so that
// readers which looked it up still find it.
type doomed struct {
	path string
	at   int64 // ms
}

// Retained says what Retain did.
type Retained struct {
	Segments    int   // deleted
	Bytes       int64 // of them
	StartOffset int64 // of the log, afterwards
}

// Retain deletes the oldest segments that the topic's configuration does not
// want kept: below the start of the log, beyond retention.bytes, older than
// retention.ms. Segments at or above the high watermark stay. Files are renamed
// to .deleted; RemoveDeleted removes them later.
func (l *Log) Retain(now time.Time) (Retained, error) {
	var out Retained
	err := l.attempt("delete old segments of", func() error {
		n, err := l.expiredLocked(now.UnixMilli())
		if err != nil || n == 0 {
			return err
		}
		out.Segments = n
		for _, s := range l.segments()[:n] {
			out.Bytes += s.size.Load()
		}
		return l.deleteOldestLocked(n, now.UnixMilli())
	})
	out.StartOffset = l.start.Load()
	return out, err
}

// expiredLocked is how many segments, from the oldest on, are to go.
func (l *Log) expiredLocked(now int64) (int, error) {
	segs, cfg := l.segments(), l.cfg.Load()
	excess := int64(-1)
	if cfg.Delete && cfg.RetentionSize >= 0 {
		excess = l.Size() - cfg.RetentionSize
	}
	for i, s := range segs {
		upper := l.end.Load()
		if i+1 < len(segs) {
			upper = segs[i+1].base
		}
		size := s.size.Load()
		if l.high.Load() < upper || i+1 == len(segs) && size == 0 {
			return i, nil
		}
		excess -= size
		old, err := false, error(nil)
		if cfg.Delete && cfg.RetentionMs >= 0 {
			old, err = s.olderThan(now, cfg.RetentionMs)
		}
		if err != nil {
			return 0, err
		}
		below := i+1 < len(segs) && upper <= l.start.Load()
		if !below && excess < 0 && !old {
			return i, nil
		}
	}
	return len(segs), nil
}

// olderThan compares the largest timestamp of the segment; a segment without
// timestamps goes by the time of its last change.
func (s *segment) olderThan(now, retention int64) (bool, error) {
	newest, err := s.newest()
	if err != nil {
		return false, err
	}
	latest := newest.Key
	if latest < 0 {
		if s.modified == 0 {
			info, err := s.log.fs().Stat(s.path(suffixLog))
			if err != nil {
				return false, err
			}
			s.modified = info.ModTime().UnixMilli()
		}
		latest = s.modified
	}
	return now-latest > retention, nil
}

// deleteOldestLocked deletes n segments, after making a new active one if they
// are all.
func (l *Log) deleteOldestLocked(n int, now int64) error {
	if n == len(l.segments()) {
		if err := l.activateLocked(); err != nil {
			return err
		}
		if err := l.rollLocked(l.end.Load(), now); err != nil {
			return err
		}
	}
	segs := l.segments()
	if err := l.raiseStartLocked(segs[n].base); err != nil {
		return err
	}
	l.setSegments(slices.Clone(segs[n:]))
	if err := l.doomLocked(segs[:n], now+l.cfg.Load().FileDeleteMs); err != nil {
		return err
	}
	return l.dropSnapshotsLocked(func(o int64) bool { return o < segs[n].base })
}

// doomLocked renames the files of segments that are no longer part of the log.
func (l *Log) doomLocked(segs []*segment, at int64) error {
	for _, s := range segs {
		if err := l.doomSegment(s, at); err != nil {
			return err
		}
		s.discard()
	}
	return nil
}

// doomSegment holds the segment, so that a flush does not make its index anew.
func (l *Log) doomSegment(s *segment, at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, suffix := range [...]string{suffixLog, suffixIndex, suffixTimeIndex, suffixTxnIndex} {
		from := s.path(suffix)
		to := from + suffixDeleted
		if err := l.fs().Rename(from, to); notExist(err) {
			continue
		} else if err != nil {
			return err
		}
		l.mu.doomed = append(l.mu.doomed, doomed{to, at})
	}
	s.gone.Store(true)
	return nil
}

// removeNow removes the files of segments that nobody reads.
func (l *Log) removeNow(segs []*segment) error {
	var errs error
	for _, s := range segs {
		s.discard()
		for _, suffix := range [...]string{suffixLog, suffixIndex, suffixTimeIndex, suffixTxnIndex} {
			errs = errors.Join(errs, ignoreMissing(l.fs().Remove(s.path(suffix))))
		}
		s.gone.Store(true)
	}
	return errs
}

// RemoveDeleted removes files that were deleted file.delete.delay.ms ago. It
// returns when the next ones are due; ok is false when there are none. Appends
// go on meanwhile: removing a file of a gigabyte takes a while.
func (l *Log) RemoveDeleted(now time.Time) (next time.Time, ok bool, err error) {
	var due []string
	if err := l.change("remove deleted files of", func() error {
		l.mu.doomed = slices.DeleteFunc(l.mu.doomed, func(d doomed) bool {
			if d.at > now.UnixMilli() {
				return false
			}
			due = append(due, d.path)
			return true
		})
		if len(l.mu.doomed) > 0 {
			next, ok = time.UnixMilli(l.mu.doomed[0].at), true
		}
		return nil
	}); err != nil {
		return next, ok, err
	}
	var errs error
	for _, path := range due {
		errs = errors.Join(errs, ignoreMissing(l.fs().Remove(path)))
	}
	if errs != nil {
		return next, ok, l.fail("remove deleted files of", errs)
	}
	return next, ok, nil
}

// RaiseStart moves the start of the log up: for DeleteRecords, and on a
// follower when the leader's start is higher. An offset above the high
// watermark is an *OffsetError, one below the start does nothing. Segments
// below it go with the next Retain.
func (l *Log) RaiseStart(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	if high := l.high.Load(); offset > high {
		return &OffsetError{offset, l.start.Load(), high}
	}
	return l.raiseStartLocked(offset)
}

func (l *Log) raiseStartLocked(offset int64) error {
	if offset <= l.start.Load() {
		return nil
	}
	if err := l.ensureEpochsLocked(); err != nil {
		return err
	}
	l.start.Store(offset)
	l.high.Store(max(offset, l.high.Load()))
	l.recovery.Store(max(offset, l.recovery.Load()))
	l.epochs.TruncateStart(offset)
	if l.mu.producers != nil {
		l.mu.producers.Replicated(offset)
		l.publishUnstableLocked()
	}
	return nil
}
