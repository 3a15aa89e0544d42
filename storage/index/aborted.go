package index

import (
	"encoding/binary"
	"fmt"
)

// AbortedSize is the size of one entry of a .txnindex, in bytes.
const AbortedSize = 34

// abortedVersion is the only version there is.
const abortedVersion = 0

// Aborted says that a producer's transaction ended with an abort marker.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64 // first record of the transaction in this partition
	LastOffset  int64 // the marker
	// LastStable is the last stable offset just after the marker: a reader
	// that stops below it needs no later entry.
	LastStable int64
}

// AppendAborted encodes a.
func AppendAborted(dst []byte, a Aborted) []byte {
	dst = binary.BigEndian.AppendUint16(dst, abortedVersion)
	for _, v := range [...]int64{a.ProducerID, a.FirstOffset, a.LastOffset, a.LastStable} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

// DecodeAborted reads a whole .txnindex. A torn last entry, another version, or
// markers not in ascending order, is ErrCorrupt.
func DecodeAborted(src []byte) ([]Aborted, error) {
	if n := len(src) % AbortedSize; n != 0 {
		return nil, fmt.Errorf("%d bytes behind the last aborted transaction: %w", n, ErrCorrupt)
	}
	out := make([]Aborted, 0, len(src)/AbortedSize)
	for ; len(src) > 0; src = src[AbortedSize:] {
		if v := int16(binary.BigEndian.Uint16(src)); v != abortedVersion {
			return out, fmt.Errorf("aborted transaction with version %d: %w", v, ErrCorrupt)
		}
		a := Aborted{
			ProducerID:  int64(binary.BigEndian.Uint64(src[2:])),
			FirstOffset: int64(binary.BigEndian.Uint64(src[10:])),
			LastOffset:  int64(binary.BigEndian.Uint64(src[18:])),
			LastStable:  int64(binary.BigEndian.Uint64(src[26:])),
		}
		if n := len(out); n > 0 && out[n-1].LastOffset >= a.LastOffset || a.FirstOffset > a.LastOffset {
			return out, fmt.Errorf("aborted transaction %+v out of order: %w", a, ErrCorrupt)
		}
		out = append(out, a)
	}
	return out, nil
}
