package record

import (
	"encoding/binary"
	"fmt"
)

// ControlType is the type in the key of a control record.
type ControlType int16

// Control types of transactions. Higher ones belong to KRaft and are skipped by
// whoever meets them.
const (
	ControlAbort  ControlType = 0
	ControlCommit ControlType = 1
)

// String is the name Kafka's tools print.
func (t ControlType) String() string {
	switch t {
	case ControlAbort:
		return "ABORT"
	case ControlCommit:
		return "COMMIT"
	}
	return fmt.Sprintf("UNKNOWN(%d)", int16(t))
}

// EndTxnMarker ends a transaction in one partition.
type EndTxnMarker struct {
	Type             ControlType // ControlAbort or ControlCommit
	CoordinatorEpoch int32
}

// Sizes of a marker: key is version and type, value version and epoch.
const (
	controlKeySize   = 4
	markerValueSize  = 6
	markerRecordSize = 17
)

// AppendEndTxnMarker appends a control batch of one marker at offset 0 and
// leader epoch -1, for the leader to assign. timestamp is in ms.
func AppendEndTxnMarker(dst []byte, producerID int64, producerEpoch int16, m EndTxnMarker, timestamp int64) []byte {
	start := len(dst)
	var header [HeaderSize]byte
	dst = append(dst, header[:]...)
	var key [controlKeySize]byte
	binary.BigEndian.PutUint16(key[2:], uint16(m.Type))
	var value [markerValueSize]byte
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	dst = appendRecord(dst, 0, 0, key[:], value[:], Headers{})
	b := Batch(dst[start:])
	putHeader(b, attrTransactional|attrControl, 0, timestamp, timestamp, producerID, producerEpoch, NoSequence, 1)
	b.SetCRC()
	return dst
}

// ControlType reads the type of a control batch's record. Errors:
// *InvalidError when the batch is no control batch, holds no record (compacted
// away) or a key that is none, and those of Records.
func (b Batch) ControlType() (ControlType, error) {
	t, _, err := b.control()
	return t, err
}

// EndTxnMarker reads the marker of a control batch; other control types are an
// *InvalidError, see ControlType.
func (b Batch) EndTxnMarker() (EndTxnMarker, error) {
	t, value, err := b.control()
	switch {
	case err != nil:
		return EndTxnMarker{}, err
	case t != ControlAbort && t != ControlCommit:
		return EndTxnMarker{}, invalid("control type %s does not end a transaction", t)
	case len(value) < markerValueSize:
		return EndTxnMarker{}, invalid("marker value of %d bytes", len(value))
	}
	if v := int16(binary.BigEndian.Uint16(value)); v < 0 {
		return EndTxnMarker{}, invalid("marker version %d", v)
	}
	return EndTxnMarker{Type: t, CoordinatorEpoch: int32(binary.BigEndian.Uint32(value[2:]))}, nil
}

// control gives type and value of the first record. Later versions add fields
// behind those known, so longer keys and values are fine.
func (b Batch) control() (t ControlType, value []byte, err error) {
	if !b.IsControl() {
		return 0, nil, invalid("no control batch")
	}
	for r, err := range b.Records() {
		if err != nil {
			return 0, nil, err
		}
		if len(r.Key) < controlKeySize {
			return 0, nil, invalid("control record key of %d bytes", len(r.Key))
		}
		if v := int16(binary.BigEndian.Uint16(r.Key)); v < 0 {
			return 0, nil, invalid("control record version %d", v)
		}
		t = ControlType(binary.BigEndian.Uint16(r.Key[2:]))
		// The value outlives a decoder's buffer only as a copy.
		return t, append([]byte(nil), r.Value[:min(len(r.Value), markerValueSize)]...), nil
	}
	return 0, nil, invalid("control batch without records")
}
