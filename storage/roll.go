package storage

import (
	"math"
	"slices"

	"github.com/gregor-mq/gregor/storage/index"
)

// maybeRollLocked starts a new segment when a batch of that size must not go
// into the active one: it would grow too large or its offsets too far, its
// first record is too old, or an index is full.
func (l *Log) maybeRollLocked(h *header, size int64, cfg *Config, now int64) (bool, error) {
	s := l.active()
	if s.size.Load() == 0 && !s.full(cfg) && h.last-s.base <= math.MaxInt32 {
		return false, l.createLocked(s)
	}
	wait, err := s.waited(h, now)
	if err != nil {
		return false, err
	}
	tooOld := s.size.Load() > 0 && wait > cfg.SegmentMs-s.jitter
	if s.size.Load() <= int64(cfg.SegmentBytes)-size && !tooOld && !s.full(cfg) && h.last-s.base <= math.MaxInt32 {
		return false, l.createLocked(s)
	}
	return true, l.rollLocked(max(h.base, l.end.Load()), now)
}

// createLocked makes the file of a segment that has none yet.
func (l *Log) createLocked(s *segment) error {
	if s.exists.Load() {
		return nil
	}
	l.mu.newFiles = true
	return exhausted(s.create())
}

// full says that an index has no room for the entry that may come.
func (s *segment) full(cfg *Config) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.offsets.Size()+index.OffsetEntrySize > int64(cfg.IndexBytes) ||
		s.mu.times.Size()+2*index.TimeEntrySize > int64(cfg.IndexBytes)
}

// waited is how long ago the segment began, measured by timestamps of records
// where there are any (ms).
func (s *segment) waited(h *header, now int64) (int64, error) {
	if s.firstTime == unread && s.size.Load() > 0 {
		r, err := s.acquire()
		if err != nil {
			return 0, err
		}
		defer r.release()
		w := walk(r.file, 0, s.size.Load())
		defer w.close()
		first, ok, err := w.step()
		if err != nil && !damaged(err) {
			return 0, err
		}
		s.firstTime = -1
		if ok {
			s.firstTime = first.maxTime
		}
	}
	if s.firstTime >= 0 {
		return h.maxTime - s.firstTime, nil
	}
	return now - s.created, nil
}

// rollLocked makes a new active segment that begins at base. An empty active
// segment that begins there already is used on.
func (l *Log) rollLocked(base, now int64) error {
	old := l.active()
	if old.base == base && old.size.Load() == 0 {
		old.mu.Lock()
		old.emptyLocked()
		old.mu.Unlock()
		return l.createLocked(old)
	}
	if err := l.createLocked(old); err != nil {
		return err
	}
	old.mu.Lock()
	err := old.writeIndexesLocked(true)
	old.mu.Unlock()
	if err != nil {
		return err
	}
	// The segment last: when no descriptor is left, the old one is used on, and
	// a snapshot too many does no harm.
	if err := l.snapshotLocked(base, false); err != nil {
		return err
	}
	s := l.newSegment(base, now)
	if err := l.createLocked(s); err != nil {
		return err
	}
	old.modified = 0
	l.setSegments(append(slices.Clone(l.segments()), s))
	if t := l.tail.Load(); t != nil {
		t.reset(s, l.end.Load())
	}
	return nil
}

func (l *Log) newSegment(base, now int64) *segment {
	s := newSegment(l, base, now)
	if j := min(l.cfg.Load().SegmentJitterMs, l.cfg.Load().SegmentMs); j > 0 {
		s.jitter = int64(l.dir.env.Rand.Uint64() % uint64(j))
	}
	return s
}

func (l *Log) setSegments(segs []*segment) { l.segs.Store(&segs) }
