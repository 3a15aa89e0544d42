package storage

import (
	"errors"
	"os"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/index"
)

// indexFile is an open index file; nil is none.
type indexFile struct{ env.File }

func (f *indexFile) close() error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func (s *segment) openIndex(suffix string) (*indexFile, error) {
	f, err := s.log.fs().Open(s.path(suffix), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, exhausted(err)
	}
	return &indexFile{f}, nil
}

// note takes in a batch that was just appended: timestamps, and an index entry
// when enough bytes went by. The caller holds Log.mu.
func (s *segment) note(h *header, interval int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.maxTime > s.mu.newest.Key {
		s.mu.newest = index.Entry{Key: h.maxTime, Value: h.last}
	}
	if s.sinceIndex > interval {
		s.mu.offsets.Append(index.Entry{Key: h.last, Value: h.pos})
		s.mu.times.Append(s.mu.newest)
		s.sinceIndex = 0
	}
	s.sinceIndex += h.size
	if s.mu.offsets.Pending() < index.FlushEntries {
		return nil
	}
	if err := s.writeIndexesLocked(false); !errors.Is(err, ErrExhausted) {
		return err
	}
	return nil // they wait on
}

// writeIndexesLocked writes what of the indexes waits in memory. finish is for
// a segment that becomes inactive, or is closed: it adds the last time entry
// and cuts both files to size. Both files exist afterwards.
func (s *segment) writeIndexesLocked(finish bool) error {
	if err := s.loadLocked(); err != nil {
		return err
	}
	if finish {
		s.mu.times.Append(s.mu.newest)
	}
	return errors.Join(
		s.writeIndexLocked(&s.mu.offsets, suffixIndex, finish),
		s.writeIndexLocked(&s.mu.times, suffixTimeIndex, finish))
}

func (s *segment) writeIndexLocked(x *index.Sparse, suffix string, finish bool) error {
	f, err := s.openIndex(suffix)
	if err != nil {
		return err
	}
	err = x.WriteTail(f)
	if err == nil && finish {
		x.Release()
		err = cutTo(f, x.Size())
	}
	return errors.Join(err, f.close())
}

func cutTo(f env.File, size int64) error {
	if now, err := f.Size(); err != nil || now == size {
		return err
	}
	return f.Truncate(size)
}

// floor finds a position at or before the first batch that may hold offset:
// that of the newest index entry not above it. at is the entry's offset, -1
// when there is none.
func (s *segment) floor(offset int64) (pos, at int64, err error) {
	s.mu.Lock()
	if err := s.loadLocked(); err != nil {
		s.mu.Unlock()
		return 0, -1, err
	}
	e, ok, disk := s.mu.offsets.FloorTail(offset)
	s.mu.Unlock()
	if ok {
		return e.Value, e.Key, nil
	}
	e, ok, err = s.searchFile(disk, suffixIndex, offset)
	if err != nil || !ok {
		return 0, -1, err
	}
	return e.Value, e.Key, nil
}

// searchFile looks an index entry up on disk.
func (s *segment) searchFile(v index.View, suffix string, key int64) (index.Entry, bool, error) {
	if v.Len() == 0 {
		return index.Entry{}, false, nil
	}
	f, err := s.log.fs().Open(s.path(suffix), os.O_RDONLY, 0)
	if err != nil {
		return index.Entry{}, false, exhausted(err)
	}
	defer f.Close()
	return v.Floor(f, key)
}

// find returns the first batch whose last offset is at or above offset in a
// segment of size bytes; ok is false when there is none. An index that leads
// astray is rebuilt once.
func (s *segment) find(r *handle, offset, size int64) (h header, ok bool, err error) {
	for attempt := range 2 {
		pos, at, err := s.floor(offset)
		switch {
		case err != nil || pos < size:
		case pos < s.size.Load():
			return header{}, false, nil // the entry came after the caller looked at the size
		case size > 0:
			err = index.ErrCorrupt
		}
		if err == nil {
			h, ok, err = s.findFrom(r, pos, at, offset, size)
		}
		if err == nil || attempt > 0 || !(errors.Is(err, index.ErrCorrupt) || notExist(err) || damaged(err)) {
			return h, ok, err
		}
		if err := s.rebuild(err); err != nil {
			return header{}, false, err
		}
	}
	return h, ok, err
}

func (s *segment) rebuild(why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone.Load() || s.mu.rebuilt {
		return why
	}
	s.mu.rebuilt = true
	s.log.dir.log.Warn("index leads astray, rebuilding it", "segment", s.path(suffixLog), "err", why)
	return s.rebuildLocked()
}

func (s *segment) findFrom(r *handle, pos, at, offset, limit int64) (header, bool, error) {
	w := walk(r.file, pos, limit)
	defer w.close()
	for first := true; ; first = false {
		h, ok, err := w.step()
		if err != nil || !ok {
			return header{}, false, err
		}
		if first && at >= 0 && h.base > at || h.base < s.base {
			// The entry points behind the batch it names: somebody changed it.
			return header{}, false, &record.CorruptError{Reason: "index entry does not match its batch"}
		}
		if h.last >= offset {
			h.v2 = nil // dies with the window
			return h, true, nil
		}
	}
}

// newest returns the largest timestamp and the last offset of its batch, or -1.
func (s *segment) newest() (index.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.loadLocked()
	return s.mu.newest, err
}

// indexedAt is the offset of the first index entry at or behind a position; ok
// is false when there is none.
func (s *segment) indexedAt(pos int64) (offset int64, ok bool) {
	s.mu.Lock()
	if err := s.loadLocked(); err != nil {
		s.mu.Unlock()
		return 0, false
	}
	disk, e, ok := s.mu.offsets.CeilValue(pos)
	s.mu.Unlock()
	if disk.Len() > 0 {
		f, err := s.log.fs().Open(s.path(suffixIndex), os.O_RDONLY, 0)
		if err != nil {
			return 0, false
		}
		defer f.Close()
		if below, found, err := disk.CeilValue(f, pos); err == nil && found {
			return below.Key, true
		}
	}
	return e.Key, ok
}
