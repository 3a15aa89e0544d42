package producer

import (
	"errors"
	"fmt"
)

// Why a leader refuses a batch; the errors of Check wrap one of these.
var (
	// ErrOutOfOrder: a sequence number is missing or repeated (45).
	ErrOutOfOrder = errors.New("out of order sequence number")
	// ErrEpoch: the producer's epoch is below the last seen (47).
	ErrEpoch = errors.New("producer epoch is fenced")
	// ErrCoordinatorEpoch: a marker of a coordinator that was replaced (52).
	ErrCoordinatorEpoch = errors.New("transaction coordinator is fenced")
	// ErrTxnState: a batch does not fit the producer's transaction (48).
	ErrTxnState = errors.New("invalid transaction state")
)

// Origin is who appends; it says which checks apply.
type Origin uint8

// The origins.
const (
	Client      Origin = iota // a produce request: everything is checked
	Coordinator               // group or transaction coordinator: no sequences
	Replica                   // what a leader has checked before
)

// Duplicate is a batch that is in the log already.
type Duplicate struct {
	FirstOffset, LastOffset int64
	Timestamp               int64 // largest of the batch, ms
}

// Check tells whether a leader may append b: it returns the remembered batch
// that b repeats, or an error, or neither. guard is what StartVerification gave
// the caller, zero when verification is not asked for; verify says whether
// transactions must be verified at all.
func (s *State) Check(b Batch, origin Origin, guard Guard, verify bool) (*Duplicate, error) {
	e := s.producers[b.ProducerID]
	if origin == Client && e != nil {
		if d, ok := e.duplicate(b.Epoch, b.FirstSeq, b.LastSeq); ok {
			return &Duplicate{d.firstOffset(), d.lastOffset, d.timestamp}, nil
		}
	}
	if origin == Replica {
		return nil, nil
	}
	if verify && b.Transactional && !b.Control && !s.HasTxn(b.ProducerID) && !s.verified(b.ProducerID, guard) {
		return nil, fmt.Errorf("record of producer %d was not part of an ongoing transaction: %w", b.ProducerID, ErrTxnState)
	}
	if e == nil {
		e = newEntry(b.ProducerID)
	}
	if b.Epoch < e.epoch {
		return nil, fmt.Errorf("producer %d: epoch %d, last seen %d: %w", b.ProducerID, b.Epoch, e.epoch, ErrEpoch)
	}
	if b.Control {
		return nil, e.checkMarker(b)
	}
	if origin == Client {
		if err := s.checkSequence(e, b); err != nil {
			return nil, err
		}
	}
	if e.txnFirst != None && !b.Transactional {
		return nil, fmt.Errorf("producer %d has a transaction open since offset %d and wrote outside of it: %w", b.ProducerID, e.txnFirst, ErrTxnState)
	}
	return nil, nil
}

func (e *entry) checkMarker(b Batch) error {
	if b.Marker != nil && b.Marker.CoordinatorEpoch < e.coordinator {
		return fmt.Errorf("marker for producer %d: coordinator epoch %d, last seen %d: %w",
			b.ProducerID, b.Marker.CoordinatorEpoch, e.coordinator, ErrCoordinatorEpoch)
	}
	return nil
}

func (s *State) checkSequence(e *entry, b Batch) error {
	if v := s.verifying[b.ProducerID]; v != nil && b.FirstSeq > v.lowest {
		return fmt.Errorf("producer %d: sequence %d before %d of the same transaction: %w", b.ProducerID, b.FirstSeq, v.lowest, ErrOutOfOrder)
	}
	switch {
	case e.epoch == None: // unknown, or forgotten: any sequence will do
		return nil
	case b.Epoch != e.epoch && b.FirstSeq != 0:
		return fmt.Errorf("producer %d: new epoch %d starts at sequence %d: %w", b.ProducerID, b.Epoch, b.FirstSeq, ErrOutOfOrder)
	case b.Epoch == e.epoch && !inSequence(e.lastSeq(), b.FirstSeq):
		return fmt.Errorf("producer %d: sequence %d follows %d: %w", b.ProducerID, b.FirstSeq, e.lastSeq(), ErrOutOfOrder)
	}
	return nil
}

// Guard identifies one verification of a transaction (KIP-890); zero is none.
type Guard uint64

// verification is a transaction that the coordinator is being asked about.
type verification struct {
	guard  Guard
	since  int64 // ms
	epoch  int16
	lowest int32 // lowest sequence seen since, which must be written first
}

// StartVerification is called before the coordinator is asked whether a
// producer's transaction includes this partition. It returns zero when a
// transaction is open here, which needs no verification.
func (s *State) StartVerification(id int64, epoch int16, firstSeq int32, now int64) Guard {
	if s.HasTxn(id) {
		return 0
	}
	v := s.verifying[id]
	if v == nil {
		if s.verifying == nil {
			s.verifying = map[int64]*verification{}
		}
		s.guards++
		v = &verification{guard: s.guards, since: now, epoch: epoch, lowest: firstSeq}
		s.verifying[id] = v
	}
	switch {
	case epoch > v.epoch:
		v.epoch, v.lowest = epoch, firstSeq
	case epoch == v.epoch:
		v.lowest = min(v.lowest, firstSeq)
	}
	return v.guard
}

func (s *State) verified(id int64, g Guard) bool {
	v := s.verifying[id]
	return v != nil && g != 0 && v.guard == g
}
