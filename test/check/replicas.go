package check

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Replica is one copy of a partition as it lies on disk: the bytes of its
// segments, put together in offset order.
type Replica struct {
	Name string
	Log  []byte
}

// entryHeader is what every format has in front of an entry: base offset and
// length of the rest.
const entryHeader = 12

// bounds returns the base offset of the first entry, and where in the bytes
// entries with a base offset at or above from begin, and those at or above end.
func (r Replica) bounds(from, end int64) (first int64, low, high int, err error) {
	first, low = -1, -1
	at := 0
	for before := int64(-1); at < len(r.Log); {
		rest := r.Log[at:]
		if len(rest) < entryHeader {
			return 0, 0, 0, fmt.Errorf("%s: %d bytes behind offset %d are no entry", r.Name, len(rest), before)
		}
		base, size := int64(binary.BigEndian.Uint64(rest)), int64(binary.BigEndian.Uint32(rest[8:]))
		if base <= before {
			return 0, 0, 0, fmt.Errorf("%s: offset %d follows %d", r.Name, base, before)
		}
		if size > int64(len(rest)-entryHeader) {
			return 0, 0, 0, fmt.Errorf("%s: the entry at offset %d has %d of %d bytes", r.Name, base, len(rest)-entryHeader, size)
		}
		if first < 0 {
			first = base
		}
		if low < 0 && base >= from {
			low = at
		}
		if base >= end {
			break
		}
		before = base
		at += entryHeader + int(size)
	}
	if low < 0 {
		low = at
	}
	return first, low, at, nil
}

// Start returns the base offset of the first entry; ok is false when there is
// none.
func (r Replica) Start() (offset int64, ok bool) {
	if len(r.Log) < entryHeader {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(r.Log)), true
}

// End returns the offset behind the last record of the log, 0 when it is empty;
// entries must be whole, and of format 2.
func (r Replica) End() int64 {
	end := int64(0)
	for at := 0; at < len(r.Log); at += entrySize(r.Log[at:]) {
		const lastDeltaAt = 23
		end = int64(binary.BigEndian.Uint64(r.Log[at:])) + int64(int32(binary.BigEndian.Uint32(r.Log[at+lastDeltaAt:]))) + 1
	}
	return end
}

// SameReplicas compares copies byte for byte, from the latest of their first
// offsets and logStart up to end, the high watermark. Entries must not span end.
func SameReplicas(p Partition, logStart, end int64, replicas []Replica) error {
	for _, r := range replicas {
		first, _, _, err := r.bounds(0, end)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		logStart = max(logStart, first)
	}
	var model []byte
	for i, r := range replicas {
		_, low, high, err := r.bounds(logStart, end)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		part := r.Log[low:high]
		if i == 0 {
			model = part
			continue
		}
		if !bytes.Equal(model, part) {
			return fmt.Errorf("%s from offset %d to %d: %s", p, logStart, end, difference(replicas[0].Name, model, r.Name, part))
		}
	}
	return nil
}

// difference finds the first entry that two logs do not share.
func difference(nameA string, a []byte, nameB string, b []byte) string {
	for len(a) > 0 && len(b) > 0 {
		n, m := entrySize(a), entrySize(b)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return fmt.Sprintf("%s has %s, %s has %s", nameA, describeEntry(a), nameB, describeEntry(b))
		}
		a, b = a[n:], b[m:]
	}
	return fmt.Sprintf("%s has %s, %s has %s", nameA, describeEntry(a), nameB, describeEntry(b))
}

func entrySize(b []byte) int { return entryHeader + int(binary.BigEndian.Uint32(b[8:])) }

// describeEntry names a batch by what a follower must not change: of format 2
// all of it, so the leader epoch and the checksum are told.
func describeEntry(b []byte) string {
	if len(b) == 0 {
		return "ended"
	}
	size := entrySize(b)
	text := fmt.Sprintf("%d bytes at offset %d", size, binary.BigEndian.Uint64(b))
	const magicAt, epochAt, checksumAt = 16, 12, 17
	if size > checksumAt+4 && b[magicAt] == 2 {
		text += fmt.Sprintf(" (epoch %d, checksum %08x)", int32(binary.BigEndian.Uint32(b[epochAt:])), binary.BigEndian.Uint32(b[checksumAt:]))
	}
	return text
}
