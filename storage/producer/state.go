package producer

import (
	"cmp"
	"maps"
	"slices"
)

// Batch is what the state needs to know of a record batch that has a producer.
type Batch struct {
	ProducerID    int64
	Epoch         int16
	FirstSeq      int32 // or None
	LastSeq       int32
	FirstOffset   int64
	LastOffset    int64
	Timestamp     int64 // largest of the batch, ms
	Transactional bool
	Control       bool
	Marker        *Marker // of a control batch; nil when its record was compacted away
}

// Marker is the end of a transaction.
type Marker struct {
	Commit           bool
	CoordinatorEpoch int32
	Timestamp        int64 // of the marker's record, ms
}

// txn is one transaction of this partition.
type txn struct {
	id    int64
	first int64
	last  int64 // offset of the marker, None while open
}

// Completed is a transaction that a marker has just ended.
type Completed struct {
	ProducerID  int64
	FirstOffset int64
	LastOffset  int64
	Aborted     bool
	// LastStable is what the last stable offset becomes, ignoring replication.
	LastStable int64
}

// State is the producers of one partition. Use NewState.
type State struct {
	producers    map[int64]*entry
	ongoing      []txn // open, ascending by first
	unreplicated []txn // ended, but the marker is not below the high watermark; ascending by first
	verifying    map[int64]*verification
	guards       Guard
}

// NewState returns an empty state.
func NewState() *State { return &State{producers: map[int64]*entry{}} }

// Len is the number of producer ids.
func (s *State) Len() int { return len(s.producers) }

// Clear forgets all producers and transactions. Verifications go on, and guards
// are never given twice.
func (s *State) Clear() {
	clear(s.producers)
	s.ongoing, s.unreplicated = nil, nil
}

// Apply takes in a batch that is in the log. It checks nothing: what a leader
// refuses, Check has refused. When the batch is a marker that ends an open
// transaction, that is returned.
func (s *State) Apply(b Batch) *Completed {
	if b.Control && b.Marker == nil {
		return nil
	}
	e := s.producers[b.ProducerID]
	if e == nil {
		e = newEntry(b.ProducerID)
		s.producers[b.ProducerID] = e
	}
	if b.Transactional {
		delete(s.verifying, b.ProducerID)
	}
	e.setEpoch(b.Epoch)
	if b.Control {
		return s.applyMarker(e, b)
	}
	e.remember(seenOf(b))
	if b.Transactional && e.txnFirst == None {
		e.txnFirst = b.FirstOffset
		s.ongoing = insert(s.ongoing, txn{id: b.ProducerID, first: b.FirstOffset, last: None})
	}
	return nil
}

// Recall takes in a batch that was applied before the snapshot which the state
// came from. A snapshot names the last batch of each producer; with those before
// it, in offset order, more retries are recognised. Nothing else changes.
func (s *State) Recall(b Batch) {
	e := s.producers[b.ProducerID]
	if e == nil || len(e.batches) == 0 || b.Control || b.Epoch != e.epoch {
		return
	}
	last := e.batches[len(e.batches)-1]
	if b.LastOffset >= last.lastOffset {
		return
	}
	e.batches = e.batches[:len(e.batches)-1]
	if len(e.batches) == Remembered-1 {
		e.batches = slices.Delete(e.batches, 0, 1)
	}
	e.batches = append(e.batches, seenOf(b), last)
}

// End is the offset behind the newest batch that the state remembers, 0 when
// there is none.
func (s *State) End() int64 {
	end := int64(0)
	for _, e := range s.producers {
		if n := len(e.batches); n > 0 {
			end = max(end, e.batches[n-1].lastOffset+1)
		}
	}
	return end
}

func (s *State) applyMarker(e *entry, b Batch) *Completed {
	e.coordinator, e.lastTimestamp = b.Marker.CoordinatorEpoch, b.Marker.Timestamp
	if e.txnFirst == None {
		return nil
	}
	first := e.txnFirst
	e.txnFirst = None
	s.ongoing = remove(s.ongoing, first)
	s.unreplicated = insert(s.unreplicated, txn{id: b.ProducerID, first: first, last: b.LastOffset})
	stable := b.LastOffset + 1
	if len(s.ongoing) > 0 {
		stable = s.ongoing[0].first
	}
	return &Completed{ProducerID: b.ProducerID, FirstOffset: first, LastOffset: b.LastOffset, Aborted: !b.Marker.Commit, LastStable: stable}
}

// FirstUnstable is where the first transaction begins that is open, or whose
// marker is not replicated yet; ok is false when there is none.
func (s *State) FirstUnstable() (offset int64, ok bool) {
	switch {
	case len(s.ongoing) == 0 && len(s.unreplicated) == 0:
		return 0, false
	case len(s.ongoing) == 0:
		return s.unreplicated[0].first, true
	case len(s.unreplicated) == 0:
		return s.ongoing[0].first, true
	}
	return min(s.ongoing[0].first, s.unreplicated[0].first), true
}

// Replicated forgets ended transactions whose marker lies below an offset: the
// high watermark, or the start of the log.
func (s *State) Replicated(offset int64) {
	s.unreplicated = slices.DeleteFunc(s.unreplicated, func(t txn) bool { return t.last < offset })
}

// HasTxn says whether a producer has an open transaction here.
func (s *State) HasTxn(id int64) bool {
	e := s.producers[id]
	return e != nil && e.txnFirst != None
}

// Expire forgets producers that wrote nothing for expiration (ms) and have no
// open transaction, and verifications as old. It returns how many producers
// went.
func (s *State) Expire(now, expiration int64) int {
	before := len(s.producers)
	maps.DeleteFunc(s.producers, func(_ int64, e *entry) bool { return e.expired(now, expiration) })
	maps.DeleteFunc(s.verifying, func(_ int64, v *verification) bool { return now-v.since >= expiration })
	return before - len(s.producers)
}

func (e *entry) expired(now, expiration int64) bool {
	return e.txnFirst == None && now-e.lastTimestamp >= expiration
}

// OldestTxn is when the producer of the oldest open transaction last wrote
// (ms); ok is false when none is open. It tells hanging transactions.
func (s *State) OldestTxn() (timestamp int64, ok bool) {
	if len(s.ongoing) == 0 {
		return 0, false
	}
	if e := s.producers[s.ongoing[0].id]; e != nil {
		return e.lastTimestamp, true
	}
	return 0, false
}

// Active describes one producer, as DescribeProducers wants it. None stands for
// what is missing.
type Active struct {
	ProducerID       int64
	Epoch            int16
	LastSequence     int32
	LastTimestamp    int64
	CoordinatorEpoch int32
	TxnStartOffset   int64
}

// Active lists the producers by id.
func (s *State) Active() []Active {
	out := make([]Active, 0, len(s.producers))
	for _, e := range s.sorted() {
		out = append(out, Active{e.id, e.epoch, e.lastSeq(), e.lastTimestamp, e.coordinator, e.txnFirst})
	}
	return out
}

func (s *State) sorted() []*entry {
	return slices.SortedFunc(maps.Values(s.producers), func(a, b *entry) int { return cmp.Compare(a.id, b.id) })
}

func insert(ts []txn, t txn) []txn {
	i, found := find(ts, t.first)
	if found {
		ts[i] = t
		return ts
	}
	return slices.Insert(ts, i, t)
}

func remove(ts []txn, first int64) []txn {
	if i, found := find(ts, first); found {
		return slices.Delete(ts, i, i+1)
	}
	return ts
}

func find(ts []txn, first int64) (int, bool) {
	return slices.BinarySearchFunc(ts, first, func(t txn, f int64) int { return cmp.Compare(t.first, f) })
}
