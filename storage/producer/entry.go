package producer

import "math"

// Remembered is how many batches of a producer are kept to recognise retries.
// Clients have at most five requests in flight when idempotent.
const Remembered = 5

// None stands for a missing epoch, offset, sequence or timestamp.
const None = -1

// seen is one batch that a producer appended.
type seen struct {
	lastSeq    int32
	delta      int32 // last offset minus first offset
	lastOffset int64
	timestamp  int64 // largest of the batch, ms
}

func seenOf(b Batch) seen {
	return seen{lastSeq: b.LastSeq, delta: int32(b.LastOffset - b.FirstOffset), lastOffset: b.LastOffset, timestamp: b.Timestamp}
}

func (s seen) firstSeq() int32 { return subSequence(s.lastSeq, s.delta) }

func (s seen) firstOffset() int64 { return s.lastOffset - int64(s.delta) }

// entry is what is known about one producer id.
type entry struct {
	id            int64
	epoch         int16
	coordinator   int32 // epoch of the coordinator that wrote the last marker
	lastTimestamp int64
	txnFirst      int64  // first offset of the open transaction, or None
	batches       []seen // oldest first, at most Remembered
}

func newEntry(id int64) *entry {
	return &entry{id: id, epoch: None, coordinator: None, lastTimestamp: None, txnFirst: None}
}

func (e *entry) lastSeq() int32 {
	if n := len(e.batches); n > 0 {
		return e.batches[n-1].lastSeq
	}
	return None
}

// duplicate finds the remembered batch with exactly that range of sequences.
func (e *entry) duplicate(epoch int16, first, last int32) (seen, bool) {
	if epoch != e.epoch {
		return seen{}, false
	}
	for _, s := range e.batches {
		if s.lastSeq == last && s.firstSeq() == first {
			return s, true
		}
	}
	return seen{}, false
}

// setEpoch moves to another epoch, whose sequences start anew.
func (e *entry) setEpoch(epoch int16) {
	if e.epoch != epoch {
		e.epoch = epoch
		e.batches = e.batches[:0]
	}
}

func (e *entry) remember(s seen) {
	if len(e.batches) == Remembered {
		copy(e.batches, e.batches[1:])
		e.batches = e.batches[:Remembered-1]
	}
	e.batches = append(e.batches, s)
	e.lastTimestamp = s.timestamp
}

// subSequence goes n back in the sequence numbers, which wrap below zero.
func subSequence(seq, n int32) int32 {
	if seq >= n {
		return seq - n
	}
	return math.MaxInt32 - (n - seq) + 1
}

// inSequence says whether next follows last; numbers wrap after 2³¹−1.
func inSequence(last, next int32) bool {
	return int64(next) == int64(last)+1 || next == 0 && last == math.MaxInt32
}
