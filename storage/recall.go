package storage

import "github.com/gregor-mq/gregor/storage/producer"

// recallBytes is how much of the log is read again for the batches that a
// snapshot leaves out. At its defaults a Java client has 80 KiB in flight to a
// partition; and reading this much, headers only, takes about a millisecond.
const recallBytes = 1 << 20

// recall gives a state that came from a snapshot the batches back that the
// snapshot has no room for. A client that had several in flight repeats all of
// them, and would be told that the first is out of order: Apache Kafka does.
func (l *Log) recall(state *producer.State) error {
	end := state.End()
	from, err := l.before(end, recallBytes)
	if err != nil {
		return err
	}
	return l.eachBatch(from, end, func(_ readerAt, h *header) error {
		if h.v2 != nil && h.v2.HasProducer() {
			state.Recall(producerBatch(h, nil))
		}
		return nil
	})
}

// before returns an offset from which it is at most size bytes to another one,
// as far as the indexes tell; that one itself when they cannot.
func (l *Log) before(offset, size int64) (int64, error) {
	segs := l.segments()
	for i := segmentFor(segs, offset-1); i >= 0; i-- {
		s := segs[i]
		below, err := s.sizeBelow(offset)
		if err != nil {
			return 0, err
		}
		if below > size {
			if from, ok := s.indexedAt(below - size); ok {
				return min(from, offset), nil
			}
			if i+1 < len(segs) {
				return min(segs[i+1].base, offset), nil
			}
			return offset, nil
		}
		size -= below
	}
	return min(segs[0].base, offset), nil
}

// sizeBelow is how many bytes of the segment lie before an offset; all of them
// when damage hides where that is.
func (s *segment) sizeBelow(offset int64) (int64, error) {
	size := s.size.Load()
	if offset <= s.base || size == 0 {
		return 0, nil
	}
	r, err := s.acquire()
	if err != nil {
		return 0, err
	}
	defer r.release()
	h, ok, err := s.find(r, offset, size)
	switch {
	case err != nil && !damaged(err):
		return 0, err
	case ok:
		return h.pos, nil
	}
	return size, nil
}
