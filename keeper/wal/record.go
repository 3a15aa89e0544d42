package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The kinds of records.
const (
	kindEntry = 1 // one raft entry
	kindState = 2 // raft's hard state
	kindClose = 3 // the log was closed in order; everything before is durable
	kindReset = 4 // the log begins anew behind an index, up to which there is a snapshot
)

const (
	// segmentHeader: magic, version, directory id, first index, CRC.
	segmentHeader = 8 + 8 + 8 + 4
	// recordHeader: CRC of the rest of the header, payload length, synced
	// offset, kind, CRC of the payload.
	recordHeader = 4 + 4 + 8 + 1 + 4
	// maxPayload bounds a record: a multi of the largest request that any
	// sensible jute.maxbuffer lets through, many times over.
	maxPayload = 1 << 30
	// sector is what a disk writes or does not write as a whole.
	sector = 512
)

var (
	magic = [8]byte{'G', 'R', 'G', 'L', 'O', 'G', 0, 1} // the last byte is the version
	table = crc32.MakeTable(crc32.Castagnoli)
)

// CorruptError says that a log holds bytes that were never written so. Nothing
// is repaired: what follows the place may have been acknowledged.
type CorruptError struct {
	// File and Offset say where, Reason what is wrong there.
	File   string
	Offset int64
	Reason string
	// Cut says that nothing but Options.Durable tells it from what a power cut
	// leaves.
	Cut bool
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("log %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

func appendSegmentHeader(dst []byte, dirID, first uint64) []byte {
	start := len(dst)
	dst = append(dst, magic[:]...)
	dst = binary.BigEndian.AppendUint64(dst, dirID)
	dst = binary.BigEndian.AppendUint64(dst, first)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], table))
}

// appendRecord appends a record; synced is up to where the segment was durable
// when the record was written.
func appendRecord(dst []byte, kind byte, synced int64, payload ...[]byte) []byte {
	size := 0
	crc := uint32(0)
	for _, p := range payload {
		size += len(p)
		crc = crc32.Update(crc, table, p)
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	dst = binary.BigEndian.AppendUint64(dst, uint64(synced))
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, crc)
	binary.BigEndian.PutUint32(dst[start:], crc32.Checksum(dst[start+4:], table))
	for _, p := range payload {
		dst = append(dst, p...)
	}
	return dst
}

// record is one record as found at a place.
type record struct {
	kind    byte
	synced  int64
	payload []byte
	size    int // header and payload
}

// parseState is what parseRecord found out.
type parseState int

const (
	recordOK     parseState = iota
	recordShort             // the bytes end before the record does
	recordHeadNo            // the header does not check
	recordBodyNo            // the payload does not check
)

// parseRecord reads the record at the start of src, which aliases it.
func parseRecord(src []byte) (record, parseState) {
	if len(src) < recordHeader {
		return record{}, recordShort
	}
	if binary.BigEndian.Uint32(src) != crc32.Checksum(src[4:recordHeader], table) {
		return record{}, recordHeadNo
	}
	size := binary.BigEndian.Uint32(src[4:])
	r := record{
		kind: src[16], synced: int64(binary.BigEndian.Uint64(src[8:])), size: recordHeader + int(size),
	}
	if size > maxPayload || r.kind < kindEntry || r.kind > kindReset {
		return r, recordHeadNo
	}
	if r.size > len(src) {
		return r, recordShort
	}
	r.payload = src[recordHeader:r.size:r.size]
	if crc32.Checksum(r.payload, table) != binary.BigEndian.Uint32(src[17:]) {
		return r, recordBodyNo
	}
	return r, recordOK
}

// torn reports whether bytes at an offset look like a write that power cut off:
// at least one sector of them was not written at all.
func torn(b []byte, offset int64) bool {
	for len(b) > 0 {
		n := min(len(b), sector-int(offset%sector))
		if allZero(b[:n]) {
			return true
		}
		b, offset = b[n:], offset+int64(n)
	}
	return false
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Entry is one raft entry.
type Entry struct {
	Term, Index uint64
	// Type is raft's: 0 for a normal entry.
	Type int32
	Data []byte
}

// State is raft's hard state.
type State struct{ Term, Vote, Commit uint64 }

func appendEntryHead(dst []byte, e *Entry) []byte {
	dst = binary.AppendUvarint(dst, e.Term)
	dst = binary.AppendUvarint(dst, e.Index)
	return binary.AppendUvarint(dst, uint64(uint32(e.Type)))
}

func decodeEntry(b []byte) (e Entry, ok bool) {
	var typ uint64
	for _, v := range []*uint64{&e.Term, &e.Index, &typ} {
		n := 0
		if *v, n = binary.Uvarint(b); n <= 0 {
			return Entry{}, false
		}
		b = b[n:]
	}
	e.Type = int32(uint32(typ))
	e.Data = b
	return e, true
}

func appendState(dst []byte, s State) []byte {
	dst = binary.AppendUvarint(dst, s.Term)
	dst = binary.AppendUvarint(dst, s.Vote)
	return binary.AppendUvarint(dst, s.Commit)
}

func decodeState(b []byte) (s State, ok bool) {
	for _, v := range []*uint64{&s.Term, &s.Vote, &s.Commit} {
		n := 0
		if *v, n = binary.Uvarint(b); n <= 0 {
			return State{}, false
		}
		b = b[n:]
	}
	return s, true
}
