package record

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Layout of a v2 batch. Everything is big-endian; the checksum covers what
// follows it, so offset and leader epoch may change without touching it.
const (
	offBaseOffset      = 0  // i64
	offLength          = 8  // i32, bytes after this field
	offLeaderEpoch     = 12 // i32
	offMagic           = 16 // i8, in all three formats
	offCRC             = 17 // u32, CRC-32C
	offAttributes      = 21 // i16
	offLastOffsetDelta = 23 // i32
	offBaseTimestamp   = 27 // i64, ms
	offMaxTimestamp    = 35 // i64, ms
	offProducerID      = 43 // i64
	offProducerEpoch   = 51 // i16
	offBaseSequence    = 53 // i32
	offCount           = 57 // i32

	// HeaderSize is the size of a v2 batch without records, in bytes.
	HeaderSize = 61
	// LogOverhead is the size of offset and length, which the length field of
	// every format leaves out.
	LogOverhead = 12
	// PrefixSize is how many bytes suffice to know size and magic of an entry.
	PrefixSize = 17
)

// Attribute bits of a v2 batch.
const (
	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

// Values that mean "none" in headers.
const (
	NoTimestamp     int64 = -1 // legal in records: magic 0 had none
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// TimestampType says who set the timestamps of a batch.
type TimestampType int8

// The two timestamp types, numbered as the attribute bit.
const (
	CreateTime    TimestampType = 0
	LogAppendTime TimestampType = 1
)

// String is the value of message.timestamp.type.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// Batch is a view of exactly one whole v2 batch. It comes from Next, All or a
// Builder, which guarantee the header; accessors do not check again. Count,
// deltas and records are as the writer left them until Verify has passed.
type Batch []byte

// BaseOffset is the offset of the first record as it was written; the record
// itself may have been compacted away.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b[offBaseOffset:])) }

// LastOffset is the last offset the batch covers, whether or not a record is
// left there. The log continues at LastOffset+1.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// LastOffsetDelta is LastOffset relative to BaseOffset.
func (b Batch) LastOffsetDelta() int32 {
	return int32(binary.BigEndian.Uint32(b[offLastOffsetDelta:]))
}

// Size is the number of bytes of the whole batch.
func (b Batch) Size() int { return len(b) }

// LeaderEpoch is the epoch of the leader that appended the batch; producers
// send -1.
func (b Batch) LeaderEpoch() int32 { return int32(binary.BigEndian.Uint32(b[offLeaderEpoch:])) }

// Magic is the format, 2.
func (b Batch) Magic() int8 { return int8(b[offMagic]) }

// CRC is the stored CRC-32C.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[offCRC:]) }

// Attributes are the raw attribute bits.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[offAttributes:])) }

// Codec says how the records are compressed; numbers 5 to 7 are unknown.
func (b Batch) Codec() Codec { return Codec(b[offAttributes+1] & attrCodec) }

// TimestampType says who set the timestamps.
func (b Batch) TimestampType() TimestampType {
	if b[offAttributes+1]&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional says whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b[offAttributes+1]&attrTransactional != 0 }

// IsControl says whether the batch is a control batch, which consumers skip.
func (b Batch) IsControl() bool { return b[offAttributes+1]&attrControl != 0 }

// HasDeleteHorizon says whether the base timestamp is a delete horizon (KIP-534).
func (b Batch) HasDeleteHorizon() bool { return b[offAttributes+1]&attrDeleteHorizon != 0 }

// DeleteHorizon is the time in ms after which the cleaner may drop tombstones
// and markers of this batch; ok is false where none is set.
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	if !b.HasDeleteHorizon() {
		return 0, false
	}
	return b.BaseTimestamp(), true
}

// BaseTimestamp is what record timestamp deltas are relative to, in ms.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[offBaseTimestamp:])) }

// MaxTimestamp is the largest record timestamp in ms, or the append time of a
// LogAppendTime batch, or -1.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[offMaxTimestamp:])) }

// ProducerID is the idempotent producer's id, or -1.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b[offProducerID:])) }

// HasProducer says whether an idempotent producer or a transaction marker wrote
// the batch.
func (b Batch) HasProducer() bool { return b.ProducerID() > NoProducerID }

// ProducerEpoch is the idempotent producer's epoch, or -1.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[offProducerEpoch:])) }

// BaseSequence is the sequence number of the first record, or -1.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[offBaseSequence:])) }

// LastSequence is the sequence number of LastOffset, or -1.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base == NoSequence {
		return NoSequence
	}
	return AddSequence(base, b.LastOffsetDelta())
}

// Count is the number of records left in the batch; zero after compaction.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b[offCount:])) }

// RecordBytes is the records section as stored, compressed or not.
func (b Batch) RecordBytes() []byte { return b[HeaderSize:] }

// AddSequence adds to a sequence number, which wraps from 2³¹−1 to 0.
func AddSequence(seq, n int32) int32 {
	if seq > math.MaxInt32-n {
		return n - (math.MaxInt32 - seq) - 1
	}
	return seq + n
}

// SetBaseOffset moves the batch to an offset. The checksum does not cover it.
func (b Batch) SetBaseOffset(offset int64) {
	binary.BigEndian.PutUint64(b[offBaseOffset:], uint64(offset))
}

// SetLeaderEpoch stamps the leader's epoch. The checksum does not cover it.
func (b Batch) SetLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[offLeaderEpoch:], uint32(epoch))
}

// SetMaxTimestamp sets timestamp type and largest timestamp (ms), and the
// checksum if either changed. The leader calls it after a walk, because
// producers are free to lie in the header.
func (b Batch) SetMaxTimestamp(t TimestampType, ms int64) {
	if b.TimestampType() == t && b.MaxTimestamp() == ms {
		return
	}
	b[offAttributes+1] &^= attrLogAppendTime
	if t == LogAppendTime {
		b[offAttributes+1] |= attrLogAppendTime
	}
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(ms))
	b.SetCRC()
}

// SetLogAppendTime gives every record the broker's time (ms).
func (b Batch) SetLogAppendTime(ms int64) { b.SetMaxTimestamp(LogAppendTime, ms) }

// SetProducer sets the fields of an idempotent producer, and the checksum.
func (b Batch) SetProducer(id int64, epoch int16, baseSequence int32) {
	binary.BigEndian.PutUint64(b[offProducerID:], uint64(id))
	binary.BigEndian.PutUint16(b[offProducerEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(b[offBaseSequence:], uint32(baseSequence))
	b.SetCRC()
}

// SetCRC stores the checksum of the batch as it is now.
func (b Batch) SetCRC() { binary.BigEndian.PutUint32(b[offCRC:], b.computeCRC()) }

func (b Batch) computeCRC() uint32 { return crc32.Checksum(b[offAttributes:], castagnoli) }
