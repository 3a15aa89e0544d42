package storage

import (
	"errors"
	"os"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/index"
)

// TimeOffset is a record found by its timestamp.
type TimeOffset struct {
	Timestamp   int64 // ms
	Offset      int64
	LeaderEpoch int32 // of its batch, or -1
}

// readNewestLocked finds the largest timestamp again after batches were cut
// off: the last entry of the time index, or something after it.
func (s *segment) readNewestLocked(r *handle) error {
	newest, ok := s.mu.times.Last()
	if !ok {
		newest = index.Entry{Key: -1, Value: s.base}
	}
	s.mu.newest = newest
	w := walk(r.file, 0, s.size.Load())
	defer w.close()
	if e, ok, disk := s.mu.offsets.FloorTail(newest.Value); ok {
		w.pos = e.Value
	} else if e, ok, err := s.searchFile(disk, suffixIndex, newest.Value); err == nil && ok {
		w.pos = e.Value
	}
	for {
		h, ok, err := w.step()
		if damaged(err) || err == nil && !ok {
			return nil
		}
		if err != nil {
			return err
		}
		if h.maxTime > s.mu.newest.Key {
			s.mu.newest = index.Entry{Key: h.maxTime, Value: h.last}
		}
	}
}

// OffsetForTime finds the first record, at or after the start of the log, whose
// timestamp is at or above the one asked (ms). ok is false when there is none.
func (l *Log) OffsetForTime(timestamp int64) (t TimeOffset, ok bool, err error) {
	return l.lookUp(func() (TimeOffset, bool, error) { return l.offsetForTime(timestamp) })
}

// lookUp runs f again when a file was gone: the segment was removed meanwhile.
func (l *Log) lookUp(f func() (TimeOffset, bool, error)) (t TimeOffset, ok bool, err error) {
	for range attempts {
		if t, ok, err = f(); !notExist(err) {
			break
		}
	}
	if err != nil {
		err = l.lookupError(err)
	}
	return t, ok, err
}

func (l *Log) offsetForTime(timestamp int64) (TimeOffset, bool, error) {
	for _, s := range l.segments() {
		newest, err := s.newest()
		if err != nil {
			return TimeOffset{}, false, err
		}
		if newest.Key < timestamp {
			continue
		}
		if t, ok, err := l.timeIn(s, timestamp); ok || err != nil {
			return t, ok, err
		}
	}
	return TimeOffset{}, false, nil
}

// lookupError keeps damage of one segment apart from a failing disk.
func (l *Log) lookupError(err error) error {
	var invalid *record.InvalidError
	var inflate *record.DecompressError
	if damaged(err) || errors.As(err, &invalid) || errors.As(err, &inflate) || errors.Is(err, index.ErrCorrupt) {
		return err
	}
	return l.failUnchanged("read", err)
}

// timeIn looks in one segment: the time index gives an offset to begin at.
func (l *Log) timeIn(s *segment, timestamp int64) (TimeOffset, bool, error) {
	from := l.start.Load()
	s.mu.Lock()
	e, ok, disk := s.mu.times.FloorTail(timestamp)
	s.mu.Unlock()
	if !ok {
		f, err := s.log.fs().Open(s.path(suffixTimeIndex), os.O_RDONLY, 0)
		if err == nil {
			e, ok, err = disk.Floor(f, timestamp)
			err = errors.Join(err, f.Close())
		} else {
			err = exhausted(err)
		}
		if err != nil && !notExist(err) {
			return TimeOffset{}, false, err
		}
	}
	if ok {
		from = max(from, e.Value)
	}
	r, err := s.acquire()
	if err != nil {
		return TimeOffset{}, false, err
	}
	defer r.release()
	size := s.size.Load()
	h, ok, err := s.find(r, from, size)
	for ; ok && err == nil; h, ok, err = nextBatch(r, &h, size) {
		if h.maxTime < timestamp {
			continue
		}
		t, ok, err := recordAt(r, &h, timestamp, l.start.Load())
		if ok || err != nil {
			return t, ok, err
		}
	}
	return TimeOffset{}, false, err
}

func nextBatch(r *handle, h *header, size int64) (header, bool, error) {
	w := walk(r.file, h.pos+h.size, size)
	defer w.close()
	next, ok, err := w.step()
	next.v2 = nil
	return next, ok, err
}

// recordAt finds the first record of a batch with at least that timestamp and
// offset. Batches of old formats are only as exact as their entry.
func recordAt(r *handle, h *header, timestamp, from int64) (TimeOffset, bool, error) {
	if h.magic < 2 {
		return TimeOffset{h.maxTime, h.last, -1}, h.last >= from, nil
	}
	b, err := readBatch(r.file, h)
	if err != nil {
		return TimeOffset{}, false, err
	}
	for rec, err := range b.Records() {
		if err != nil {
			return TimeOffset{}, false, err
		}
		if rec.Timestamp >= timestamp && rec.Offset >= from {
			return TimeOffset{rec.Timestamp, rec.Offset, h.epoch}, true, nil
		}
	}
	return TimeOffset{}, false, nil
}

// MaxTimestamp finds the record with the largest timestamp (KIP-734); ok is
// false when no record has one.
func (l *Log) MaxTimestamp() (t TimeOffset, ok bool, err error) { return l.lookUp(l.maxTimestamp) }

func (l *Log) maxTimestamp() (TimeOffset, bool, error) {
	var best index.Entry
	var seg *segment
	for _, s := range l.segments() {
		newest, err := s.newest()
		if err != nil {
			return TimeOffset{}, false, err
		}
		if newest.Key >= 0 && (seg == nil || newest.Key > best.Key) {
			best, seg = newest, s
		}
	}
	if seg == nil {
		return TimeOffset{}, false, nil
	}
	r, err := seg.acquire()
	if err != nil {
		return TimeOffset{}, false, err
	}
	defer r.release()
	h, ok, err := seg.find(r, best.Value, seg.size.Load())
	if err != nil || !ok {
		return TimeOffset{}, false, err
	}
	return recordAt(r, &h, h.maxTime, 0)
}
