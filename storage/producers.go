package storage

import (
	"errors"
	"io"
	"math"
	"slices"

	"github.com/gregor-mq/gregor/storage/producer"
)

type readerAt = io.ReaderAt

// ensureProducers loads the producer state if that was not needed before.
func (l *Log) ensureProducers() error {
	if l.ready.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	if err := l.loadProducersLocked(); err != nil {
		return l.failUnchanged("load producers of", err)
	}
	return nil
}

// loadProducersLocked makes l.mu.producers what the log says up to its end.
func (l *Log) loadProducersLocked() error {
	if l.mu.producers == nil {
		l.mu.producers = producer.NewState()
	}
	if l.ready.Load() {
		return nil
	}
	l.mu.producers.Clear()
	// Without any snapshot a clean stop means that there were no producers.
	if len(l.mu.snapshots) > 0 || !l.dir.clean {
		if err := l.replayTo(l.mu.producers, l.end.Load(), l.start.Load()); err != nil {
			return err
		}
	}
	l.mu.producers.Replicated(l.high.Load())
	l.publishUnstableLocked()
	l.ready.Store(true)
	return nil
}

// replayTo fills an empty state with all that is below an offset: from the
// newest usable snapshot, and batch headers after it. Snapshots that are
// damaged, or lie outside of the log, are deleted.
func (l *Log) replayTo(state *producer.State, offset, start int64) error {
	from := start
	for i := len(l.mu.snapshots) - 1; i >= 0; i-- {
		at := l.mu.snapshots[i]
		if at > offset || at <= start && at != offset {
			continue
		}
		src, err := l.fs().ReadFile(l.file(fileName(at, suffixSnapshot)))
		if err == nil {
			err = state.LoadSnapshot(src, l.now(), l.cfg.Load().ProducerMs)
		}
		if err == nil {
			if err := l.recall(state); err != nil {
				return err
			}
			from = at
			break
		}
		if !errors.Is(err, producer.ErrSnapshot) && !notExist(err) {
			return err
		}
		l.dir.log.Warn("producer snapshot is unusable, using an older one", "log", l.Path(), "offset", at, "err", err)
		if err := l.dropSnapshotsLocked(func(o int64) bool { return o == at }); err != nil {
			return err
		}
	}
	return l.replayRange(state, from, offset)
}

// replayRange applies the batches of [from, to).
func (l *Log) replayRange(state *producer.State, from, to int64) error {
	return l.eachBatch(from, to, func(r readerAt, h *header) error { return l.replayBatch(nil, r, h, state) })
}

// replaySegment applies the batches of one segment in [from, to). Aborted
// transactions are noted in txns unless it is nil.
func (l *Log) replaySegment(s, txns *segment, state *producer.State, from, to int64) error {
	return s.eachBatch(from, to, func(r readerAt, h *header) error { return l.replayBatch(txns, r, h, state) })
}

// eachBatch calls f with the headers of all batches in [from, to).
func (l *Log) eachBatch(from, to int64, f func(readerAt, *header) error) error {
	if from >= to {
		return nil
	}
	segs := l.segments()
	for _, s := range segs[segmentFor(segs, from):] {
		if s.base >= to {
			break
		}
		if s.size.Load() == 0 {
			continue
		}
		if err := s.eachBatch(from, to, f); err != nil {
			return err
		}
	}
	return nil
}

// eachBatch calls f with the headers of the segment's batches in [from, to). It
// ends at damage.
func (s *segment) eachBatch(from, to int64, f func(readerAt, *header) error) error {
	r, err := s.acquire()
	if err != nil {
		return err
	}
	defer r.release()
	var pos int64
	if from > s.base {
		h, ok, err := s.find(r, from, s.size.Load())
		if err != nil && !damaged(err) || err == nil && !ok {
			return err
		}
		pos = h.pos
	}
	w := walk(r.file, pos, s.size.Load())
	defer w.close()
	for {
		h, ok, err := w.step()
		if damaged(err) || err == nil && (!ok || h.base >= to) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.last < from {
			continue
		}
		if err := f(r.file, &h); err != nil {
			return err
		}
	}
}

// snapshotLocked writes the producer state as of an offset, unless there is a
// snapshot of that offset. When not durable, flush will sync it.
func (l *Log) snapshotLocked(offset int64, durable bool) error {
	i, found := slices.BinarySearch(l.mu.snapshots, offset)
	if found || offset == 0 {
		return nil
	}
	if l.mu.producers == nil {
		l.mu.producers = producer.NewState()
	}
	name := l.file(fileName(offset, suffixSnapshot))
	if err := l.dir.writeAtomic(name, l.mu.producers.AppendSnapshot(nil), durable); err != nil {
		return err
	}
	l.mu.newFiles = true
	l.mu.snapshots = slices.Insert(slices.Clip(l.mu.snapshots), i, offset)
	if !durable {
		l.mu.unsynced = append(l.mu.unsynced, offset)
	}
	return nil
}

// dropSnapshotsLocked deletes the snapshots for which drop holds.
func (l *Log) dropSnapshotsLocked(drop func(offset int64) bool) error {
	var errs error
	keep := func(o int64) bool {
		if !drop(o) {
			return false
		}
		errs = errors.Join(errs, ignoreMissing(l.fs().Remove(l.file(fileName(o, suffixSnapshot)))))
		return true
	}
	l.mu.snapshots = slices.DeleteFunc(l.mu.snapshots, keep)
	l.mu.unsynced = slices.DeleteFunc(l.mu.unsynced, func(o int64) bool { return drop(o) })
	return errs
}

// dropStraySnapshotsLocked keeps the newest snapshot and those that belong to
// a segment: they are where recovery begins.
func (l *Log) dropStraySnapshotsLocked() error {
	if len(l.mu.snapshots) == 0 {
		return nil
	}
	newest := l.mu.snapshots[len(l.mu.snapshots)-1]
	segs := l.segments()
	return l.dropSnapshotsLocked(func(o int64) bool {
		return o != newest && segs[segmentFor(segs, o)].base != o
	})
}

// ActiveProducers describes the producers that wrote lately, by id.
func (l *Log) ActiveProducers() ([]producer.Active, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return nil, err
	}
	if err := l.loadProducersLocked(); err != nil {
		return nil, l.fail("load producers of", err)
	}
	return l.mu.producers.Active(), nil
}

// StartVerification begins the verification of a producer's transaction
// (KIP-890): when the coordinator has agreed, the guard goes into
// AppendOptions. It is zero when the transaction is open here already.
func (l *Log) StartVerification(id int64, epoch int16, firstSeq int32) (producer.Guard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return 0, err
	}
	if err := l.loadProducersLocked(); err != nil {
		return 0, l.fail("load producers of", err)
	}
	return l.mu.producers.StartVerification(id, epoch, firstSeq, l.now()), nil
}

// HasTxn says whether a producer has an open transaction in this partition.
func (l *Log) HasTxn(id int64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return false, err
	}
	if err := l.loadProducersLocked(); err != nil {
		return false, l.fail("load producers of", err)
	}
	return l.mu.producers.HasTxn(id), nil
}

// ExpireProducers forgets producers that did not write for
// producer.id.expiration.ms, and returns how many. State that was not loaded
// is expired when it is.
func (l *Log) ExpireProducers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.producers == nil {
		return 0
	}
	return l.mu.producers.Expire(l.now(), l.cfg.Load().ProducerMs)
}

// OldestTxn is when the producer of the oldest open transaction last wrote
// (ms); ok is false when none is known to be open.
func (l *Log) OldestTxn() (timestamp int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.producers == nil {
		return math.MinInt64, false
	}
	return l.mu.producers.OldestTxn()
}
