package producer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Layout of a snapshot file, big-endian: version i16, crc u32 (CRC-32C of all
// that follows it), count i32, entries.
const (
	// SnapshotHeader is the size of a snapshot without producers, in bytes.
	SnapshotHeader  = 10
	snapshotVersion = 1
	entrySize       = 46
	crcEnd          = 6
)

// ErrSnapshot says that a snapshot is damaged; the caller deletes it and uses
// an older one.
var ErrSnapshot = errors.New("corrupt producer snapshot")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendSnapshot encodes the producers, by id. Of the remembered batches only
// the last is kept.
func (s *State) AppendSnapshot(dst []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, snapshotVersion)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.producers)))
	for _, e := range s.sorted() {
		last := seen{lastSeq: None, lastOffset: None}
		if n := len(e.batches); n > 0 {
			last = e.batches[n-1]
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.id))
		dst = binary.BigEndian.AppendUint16(dst, uint16(e.epoch))
		dst = binary.BigEndian.AppendUint32(dst, uint32(last.lastSeq))
		dst = binary.BigEndian.AppendUint64(dst, uint64(last.lastOffset))
		dst = binary.BigEndian.AppendUint32(dst, uint32(last.delta))
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.lastTimestamp))
		dst = binary.BigEndian.AppendUint32(dst, uint32(e.coordinator))
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.txnFirst))
	}
	binary.BigEndian.PutUint32(dst[start+2:], crc32.Checksum(dst[start+crcEnd:], castagnoli))
	return dst
}

// LoadSnapshot decodes src into an empty state, leaving out producers that
// expired (see Expire). Damage is ErrSnapshot and leaves the state empty.
func (s *State) LoadSnapshot(src []byte, now, expiration int64) error {
	if len(src) < SnapshotHeader {
		return fmt.Errorf("%d bytes: %w", len(src), ErrSnapshot)
	}
	if v := int16(binary.BigEndian.Uint16(src)); v != snapshotVersion {
		return fmt.Errorf("version %d: %w", v, ErrSnapshot)
	}
	if crc, want := crc32.Checksum(src[crcEnd:], castagnoli), binary.BigEndian.Uint32(src[2:]); crc != want {
		return fmt.Errorf("stored crc %#08x, computed %#08x: %w", want, crc, ErrSnapshot)
	}
	count := int32(binary.BigEndian.Uint32(src[crcEnd:]))
	src = src[SnapshotHeader:]
	if count < 0 || int64(count)*entrySize != int64(len(src)) {
		return fmt.Errorf("%d producers in %d bytes: %w", count, len(src), ErrSnapshot)
	}
	for ; len(src) > 0; src = src[entrySize:] {
		if e := decodeEntry(src); !e.expired(now, expiration) {
			s.producers[e.id] = e
			if e.txnFirst != None {
				s.ongoing = insert(s.ongoing, txn{id: e.id, first: e.txnFirst, last: None})
			}
		}
	}
	return nil
}

func decodeEntry(src []byte) *entry {
	e := newEntry(int64(binary.BigEndian.Uint64(src)))
	e.epoch = int16(binary.BigEndian.Uint16(src[8:]))
	last := seen{
		lastSeq:    int32(binary.BigEndian.Uint32(src[10:])),
		lastOffset: int64(binary.BigEndian.Uint64(src[14:])),
		delta:      int32(binary.BigEndian.Uint32(src[22:])),
		timestamp:  int64(binary.BigEndian.Uint64(src[26:])),
	}
	e.lastTimestamp = last.timestamp
	e.coordinator = int32(binary.BigEndian.Uint32(src[34:]))
	e.txnFirst = max(None, int64(binary.BigEndian.Uint64(src[38:])))
	if last.lastOffset >= 0 {
		e.batches = append(e.batches, last)
	}
	return e
}
