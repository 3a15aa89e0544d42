package storage

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
)

// recover finds out where the log ends and rebuilds what is derived from it.
// After a clean stop only the end of the last segment is looked at; otherwise
// all segments from the one that holds the recovery point on are read.
func (l *Log) recover(opt LogOptions) error {
	l.end.Store(math.MaxInt64) // not known yet: indexes are not checked against it
	l.epochsReady.Store(true)
	if err := l.loadEpochsLocked(); err != nil {
		return err
	}
	state := producer.NewState()
	if l.dir.clean {
		end, err := l.endOfLast()
		if err != nil {
			return err
		}
		l.end.Store(end)
		l.recovery.Store(end)
	} else if err := l.recoverSegments(state, opt.RecoveryPoint); err != nil {
		return err
	}
	if l.end.Load() < l.start.Load() {
		l.dir.log.Warn("log ends below its start, starting anew", "log", l.Path(), "end", l.end.Load(), "start", l.start.Load())
		return l.restartLocked(l.start.Load())
	}
	l.recovery.Store(min(l.recovery.Load(), l.end.Load()))
	l.epochs.TruncateEnd(l.end.Load())
	l.epochs.TruncateStart(l.start.Load())
	if l.dir.clean {
		return nil // producers are loaded when somebody asks
	}
	l.mu.producers = state
	l.ready.Store(true)
	state.Expire(l.now(), l.cfg.Load().ProducerMs)
	l.publishUnstableLocked()
	if err := l.dropSnapshotsLocked(func(o int64) bool { return o > l.end.Load() }); err != nil {
		return err
	}
	if err := l.snapshotLocked(l.end.Load(), false); err != nil {
		return err
	}
	return l.saveEpochsLocked(false)
}

// endOfLast is where the last segment ends, after a clean stop.
func (l *Log) endOfLast() (int64, error) {
	s := l.active()
	if s.size.Load() == 0 {
		return s.base, nil
	}
	pos, _, err := s.floor(math.MaxInt64)
	if err != nil {
		return 0, err
	}
	r, err := s.acquire()
	if err != nil {
		return 0, err
	}
	defer r.release()
	for _, from := range [...]int64{pos, 0} {
		end, err := endFrom(r, from, s)
		if err == nil || !damaged(err) {
			return end, err
		}
	}
	// Not what a clean stop leaves: cut off what cannot be read.
	end, _, err := l.recoverSegment(s, producer.NewState(), s.base)
	return end, err
}

func endFrom(r *handle, pos int64, s *segment) (int64, error) {
	w := walk(r.file, pos, s.size.Load())
	defer w.close()
	end := s.base
	for {
		h, ok, err := w.step()
		if err != nil || !ok {
			return end, err
		}
		end = h.next()
	}
}

// recoverSegments reads the segments from the recovery point on, up to the
// first damage. What lies behind damage is deleted.
func (l *Log) recoverSegments(state *producer.State, point int64) error {
	segs := l.segments()
	first := segmentFor(segs, point)
	if err := l.replayTo(state, segs[first].base, l.start.Load()); err != nil {
		return err
	}
	end := segs[first].base
	for i := first; i < len(segs); i++ {
		s := segs[i]
		if i > first {
			if err := l.keepStateAt(state, s.base); err != nil {
				return err
			}
		}
		next, whole, err := l.recoverSegment(s, state, end)
		if err != nil {
			return err
		}
		end = next
		if i+1 < len(segs) && (!whole || l.lacks(end, segs[i+1].base)) {
			l.setSegments(slices.Clone(segs[:i+1]))
			if err := errors.Join(l.removeNow(segs[i+1:]), l.fs().SyncDir(l.Path())); err != nil {
				return err
			}
			break
		}
	}
	l.end.Store(max(end, l.active().base))
	l.recovery.Store(min(point, l.end.Load()))
	return nil
}

// lacks says that a segment ends too early for the next one: a power cut took
// its last batches but not the file that was begun after them. Going on behind
// the hole would hide it from replication. Compaction leaves such gaps, too.
func (l *Log) lacks(end, next int64) bool {
	if end >= next || l.cfg.Load().Compact {
		return false
	}
	l.dir.log.Warn("records before a segment are missing, cutting the log off before them", "log", l.Path(), "offset", end, "segment", next)
	return true
}

// keepStateAt writes the producer snapshot that belongs to a segment's base,
// for the next recovery.
func (l *Log) keepStateAt(state *producer.State, base int64) error {
	l.mu.producers = state
	return l.snapshotLocked(base, false)
}

// recoverSegment checks every batch of a segment and rebuilds its indexes,
// producers, transactions and epochs. It returns the offset the segment ends
// at, and whether all of it was sound; if not, the rest is cut off. from is the
// end of the segment before.
func (l *Log) recoverSegment(s *segment, state *producer.State, from int64) (end int64, whole bool, err error) {
	s.emptyLocked()
	s.hasTxn.Store(false)
	if err := ignoreMissing(l.fs().Remove(s.path(suffixTxnIndex))); err != nil {
		return 0, false, err
	}
	end = max(from, s.base)
	if !s.exists.Load() {
		return end, true, nil
	}
	b, err := s.beginBuild()
	if err != nil {
		return 0, false, err
	}
	r, err := s.acquire()
	if err != nil {
		return 0, false, errors.Join(err, b.close())
	}
	defer r.release()
	size := s.size.Load()
	end, good, why, err := l.scan(s, r, b, state, end)
	if err = errors.Join(err, b.finish()); err != nil {
		return 0, false, err
	}
	if why == nil {
		return end, true, nil
	}
	l.dir.log.Warn("cutting off a damaged end of the log", "segment", s.path(suffixLog), "position", good, "of", size, "offset", end, "err", why)
	s.size.Store(good)
	// Durable before anything is appended: what was cut off must not come back
	// behind new batches when power goes again.
	return end, false, errors.Join(r.file.Truncate(good), r.file.Sync())
}

// scan goes over the batches of a segment. good is the position up to which
// they are sound, why the reason when that is not all.
func (l *Log) scan(s *segment, r *handle, b *builder, state *producer.State, from int64) (end, good int64, why, err error) {
	w := walk(r.file, 0, s.size.Load())
	defer w.close()
	w.buf = make([]byte, min(recoverWindow, max(lookupWindow, s.size.Load())))
	end = from
	for {
		h, ok, err := w.step()
		if damaged(err) {
			return end, good, err, nil
		}
		if err != nil || !ok {
			return end, good, nil, err
		}
		sound, err := w.verify(&h)
		switch {
		case err != nil:
			return end, good, nil, err
		case !sound:
			return end, good, fmt.Errorf("checksum of the batch at position %d does not match", h.pos), nil
		case h.base < end:
			return end, good, fmt.Errorf("batch at position %d begins at offset %d, below %d", h.pos, h.base, end), nil
		case h.last-s.base > math.MaxInt32 && s == l.active():
			return end, good, fmt.Errorf("batch at position %d has offset %d", h.pos, h.last), nil
		case h.last-s.base > math.MaxInt32: // only the cleaner of old brokers did that
			return end, good, nil, fmt.Errorf("offset %d in segment %d: %w", h.last, s.base, ErrOverflow)
		}
		if err := b.add(&h); err != nil {
			return end, good, nil, err
		}
		// The file may be older than the log: where they disagree, the log is
		// right. Where they agree the entry stays, because it may begin at a
		// batch that was compacted away.
		if h.epoch >= 0 && l.epochs.For(h.base) != h.epoch {
			l.epochs.Assign(h.epoch, h.base)
		}
		if err := l.replayBatch(s, r.file, &h, state); err != nil {
			return end, good, nil, err
		}
		end, good = h.next(), w.pos
	}
}

// replayBatch brings producers, and the transaction index of s unless it is
// nil, up to date with a batch.
func (l *Log) replayBatch(s *segment, r readerAt, h *header, state *producer.State) error {
	if h.v2 == nil || !h.v2.HasProducer() {
		return nil
	}
	var whole record.Batch
	if h.v2.IsControl() && h.size <= maxControlBatch {
		var err error
		if whole, err = readBatch(r, h); err != nil {
			return err
		}
	}
	done := state.Apply(producerBatch(h, whole))
	if done != nil && done.Aborted && s != nil {
		return s.addAborted(done, &l.mu.newFiles)
	}
	return nil
}
