package storage

import (
	"errors"
	"math"
	"os"

	"github.com/gregor-mq/gregor/storage/index"
	"github.com/gregor-mq/gregor/storage/producer"
)

// addAborted notes an aborted transaction in the segment that holds its marker.
func (s *segment) addAborted(c *producer.Completed, newFile *bool) error {
	f, err := s.log.fs().Open(s.path(suffixTxnIndex), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		e := index.Aborted{ProducerID: c.ProducerID, FirstOffset: c.FirstOffset, LastOffset: c.LastOffset, LastStable: c.LastStable}
		// Behind whole entries: a torn one is overwritten.
		_, err = f.WriteAt(index.AppendAborted(nil, e), size-size%index.AbortedSize)
	}
	if !s.hasTxn.Swap(true) {
		*newFile = true
	}
	return errors.Join(err, f.Close())
}

// aborted reads the transaction index.
func (s *segment) aborted() ([]index.Aborted, error) {
	if !s.hasTxn.Load() {
		return nil, nil
	}
	src, err := s.log.fs().ReadFile(s.path(suffixTxnIndex))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	return index.DecodeAborted(src)
}

// cutAborted drops the transactions that ended at or after an offset.
func (s *segment) cutAborted(offset int64) error {
	all, err := s.aborted()
	if err != nil && !errors.Is(err, index.ErrCorrupt) || len(all) == 0 {
		return err
	}
	n := 0
	for n < len(all) && all[n].LastOffset < offset {
		n++
	}
	f, err := s.log.fs().Open(s.path(suffixTxnIndex), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(int64(n)*index.AbortedSize), f.Close())
}

// AbortedTxns lists the aborted transactions that have records in [from, to),
// for a reader at read_committed. to is the end of what the reader gets (see
// SpanEnd), or anything above it at the price of a longer list.
func (l *Log) AbortedTxns(from, to int64) ([]index.Aborted, error) {
	var out []index.Aborted
	segs := l.segments()
	for _, s := range segs[segmentFor(segs, from):] {
		all, err := s.aborted()
		if errors.Is(err, index.ErrCorrupt) {
			if all, err = l.rebuildAborted(s); err != nil {
				return nil, l.fail("read transactions of", err) // the old index is gone
			}
		}
		if err != nil {
			return nil, l.failUnchanged("read transactions of", err)
		}
		for _, a := range all {
			if a.LastOffset >= from && a.FirstOffset < to {
				out = append(out, a)
			}
			if a.LastStable >= to {
				return out, nil
			}
		}
	}
	return out, nil
}

// rebuildAborted makes the transaction index of a segment anew: from the
// producers as they were at its base, and the markers in it.
func (l *Log) rebuildAborted(s *segment) ([]index.Aborted, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return nil, err
	}
	all, err := s.aborted()
	if err == nil || !errors.Is(err, index.ErrCorrupt) {
		return all, err // somebody else was here
	}
	l.dir.log.Warn("transaction index is corrupt, rebuilding it", "segment", s.path(suffixLog), "err", err)
	if err := l.fs().Remove(s.path(suffixTxnIndex)); err != nil {
		return nil, err
	}
	state := producer.NewState()
	if err := l.replayTo(state, s.base, l.start.Load()); err != nil {
		return nil, err
	}
	if err := l.replaySegment(s, s, state, s.base, math.MaxInt64); err != nil {
		return nil, err
	}
	return s.aborted()
}

// SpanEnd is an offset at or above all records of a span, taken from the index
// without reading records.
func (l *Log) SpanEnd(s Span) int64 {
	if s.seg == nil {
		return l.end.Load()
	}
	if e, ok := s.seg.indexedAt(s.pos + int64(s.n)); ok {
		return e
	}
	segs := l.segments()
	for _, other := range segs {
		if other.base > s.seg.base {
			return other.base
		}
	}
	return l.end.Load()
}
