package record

import (
	"encoding/binary"
	"errors"
	"math"
)

// Spec is what a batch to be built shall be. Its zero value is a plain batch of
// no producer, uncompressed, at offset 0. The leader epoch is -1 until the
// leader stamps it.
type Spec struct {
	BaseOffset int64
	Codec      Codec
	Level      int // compression.<codec>.level; DefaultLevel for the codec's own

	TimestampType TimestampType
	LogAppendTime int64 // ms, where TimestampType is LogAppendTime

	HasProducer   bool // else id, epoch and sequence are -1
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool

	HasDeleteHorizon bool
	DeleteHorizon    int64 // ms, becomes the base timestamp

	// MaxBytes ends in ErrTooLarge a batch that grows beyond it; 0 is the
	// format's own limit of 2³¹−1.
	MaxBytes int
}

// Builder builds v2 batches, one after the other: Reset, Append…, Build. It
// keeps its buffers, so a used one allocates nothing. The first error sticks
// and comes out of Build. The zero value needs a Reset.
type Builder struct {
	spec      Spec
	out       sink   // the batch; records go straight here when not compressed
	raw       []byte // encoded records that wait for the encoder
	scratch   []byte // encoded headers of the record being appended
	enc       encoder
	err       error
	count     int32
	lastDelta int32
	baseTime  int64
	maxTime   int64
	rawBytes  int64 // of all records, uncompressed
}

var errEmpty = errors.New("batch without records")

// Reset drops what was built and starts a batch. Batches built before are
// overwritten.
func (bl *Builder) Reset(spec Spec) {
	bl.drop()
	if cap(bl.out.b) < HeaderSize {
		bl.out.b = make([]byte, HeaderSize, 4<<10)
	}
	bl.spec = spec
	bl.out.b, bl.out.limit = bl.out.b[:HeaderSize], spec.MaxBytes
	bl.raw, bl.rawBytes = bl.raw[:0], 0
	bl.count, bl.lastDelta, bl.baseTime, bl.maxTime, bl.err = 0, -1, NoTimestamp, NoTimestamp, nil
	if spec.Codec != None {
		bl.enc, bl.err = newEncoder(spec.Codec, spec.Level, &bl.out, 2)
	}
}

// drop gives the encoder back.
func (bl *Builder) drop() {
	if bl.enc != nil {
		bl.enc.close()
		bl.enc = nil
	}
}

// Count is the number of records appended since Reset.
func (bl *Builder) Count() int { return int(bl.count) }

// Size is the size of the batch if it were not compressed.
func (bl *Builder) Size() int64 { return HeaderSize + bl.rawBytes }

// Append adds a record at the next offset. nil key or value is null; timestamp
// is in ms, -1 for none. Bytes are copied.
func (bl *Builder) Append(timestamp int64, key, value []byte, headers ...Header) {
	bl.AppendAt(bl.lastDelta+1, timestamp, key, value, headers...)
}

// AppendAt is Append at an offset delta, which must be above the last.
func (bl *Builder) AppendAt(delta int32, timestamp int64, key, value []byte, headers ...Header) {
	bl.scratch = bl.scratch[:0]
	for _, h := range headers {
		bl.scratch = appendField(bl.scratch, h.Key)
		if h.Key == nil { // null keys do not exist
			bl.scratch[len(bl.scratch)-1] = 0
		}
		bl.scratch = appendField(bl.scratch, h.Value)
	}
	bl.add(delta, timestamp, key, value, Headers{raw: bl.scratch, count: int32(len(headers))})
}

// AppendRecord is AppendAt with everything from a record read elsewhere, whose
// offset is taken as absolute. Headers are copied as they are.
func (bl *Builder) AppendRecord(r *Record) {
	delta := r.Offset - bl.spec.BaseOffset
	if delta != int64(int32(delta)) {
		bl.fail(invalid("offset %d is out of reach of base offset %d", r.Offset, bl.spec.BaseOffset))
		return
	}
	bl.add(int32(delta), r.Timestamp, r.Key, r.Value, r.Headers)
}

func (bl *Builder) fail(err error) {
	if bl.err == nil {
		bl.err = err
	}
}

func (bl *Builder) add(delta int32, timestamp int64, key, value []byte, headers Headers) {
	switch {
	case bl.err != nil:
		return
	case delta <= bl.lastDelta:
		bl.err = invalid("offset delta %d follows %d", delta, bl.lastDelta)
		return
	case timestamp < NoTimestamp:
		bl.err = invalid("negative timestamp %d", timestamp)
		return
	}
	if bl.count == 0 {
		bl.baseTime = timestamp
		if bl.spec.HasDeleteHorizon {
			bl.baseTime = bl.spec.DeleteHorizon
		}
	}
	bl.count++
	bl.lastDelta = delta
	bl.maxTime = max(bl.maxTime, timestamp)
	if bl.enc == nil {
		before := len(bl.out.b)
		bl.out.b = appendRecord(bl.out.b, timestamp-bl.baseTime, delta, key, value, headers)
		bl.rawBytes += int64(len(bl.out.b) - before)
		if bl.out.limit > 0 && len(bl.out.b) > bl.out.limit {
			bl.err = ErrTooLarge
		}
		return
	}
	before := len(bl.raw)
	bl.raw = appendRecord(bl.raw, timestamp-bl.baseTime, delta, key, value, headers)
	bl.rawBytes += int64(len(bl.raw) - before)
	if len(bl.raw) >= windowBytes {
		bl.flush()
	}
}

// flush hands records to the encoder, so that a batch rewritten from a
// compressed one is never held uncompressed.
func (bl *Builder) flush() {
	if _, err := bl.enc.Write(bl.raw); err != nil {
		bl.fail(err)
	}
	bl.raw = bl.raw[:0]
}

// SetLastOffsetDelta makes the batch cover offsets behind its last record, as a
// compacted batch does.
func (bl *Builder) SetLastOffsetDelta(delta int32) {
	if delta < bl.lastDelta {
		bl.fail(invalid("last offset delta %d lies before %d", delta, bl.lastDelta))
		return
	}
	bl.lastDelta = delta
}

// Build finishes the batch, which lives until the next Reset. Errors: the first
// *InvalidError of an append, ErrTooLarge, ErrUnsupportedCodec, an empty batch.
func (bl *Builder) Build() (Batch, error) {
	if bl.enc != nil {
		bl.flush()
		if err := bl.enc.finish(); err != nil {
			bl.fail(err)
		}
		bl.drop()
	}
	limit := bl.spec.MaxBytes
	if limit == 0 {
		limit = math.MaxInt32
	}
	switch {
	case bl.err != nil:
		return nil, bl.err
	case bl.count == 0:
		return nil, errEmpty
	case len(bl.out.b) > limit:
		bl.err = ErrTooLarge
		return nil, bl.err
	}
	b := Batch(bl.out.b)
	bl.header(b)
	return b, nil
}

func (bl *Builder) header(b Batch) {
	s := &bl.spec
	attributes := uint16(s.Codec)
	maxTime := bl.maxTime
	if s.TimestampType == LogAppendTime {
		attributes |= attrLogAppendTime
		maxTime = s.LogAppendTime
	}
	if s.Transactional {
		attributes |= attrTransactional
	}
	if s.Control {
		attributes |= attrControl
	}
	if s.HasDeleteHorizon {
		attributes |= attrDeleteHorizon
	}
	id, epoch, sequence := NoProducerID, NoProducerEpoch, NoSequence
	if s.HasProducer {
		id, epoch, sequence = s.ProducerID, s.ProducerEpoch, s.BaseSequence
	}
	putHeader(b, attributes, bl.lastDelta, bl.baseTime, maxTime, id, epoch, sequence, bl.count)
	b.SetBaseOffset(s.BaseOffset)
	b.SetCRC()
}

// putHeader fills all but base offset and checksum.
func putHeader(b Batch, attributes uint16, lastDelta int32, baseTime, maxTime, id int64, epoch int16, sequence, count int32) {
	binary.BigEndian.PutUint32(b[offLength:], uint32(len(b)-LogOverhead))
	b.SetLeaderEpoch(NoLeaderEpoch)
	b[offMagic] = 2
	binary.BigEndian.PutUint16(b[offAttributes:], attributes)
	binary.BigEndian.PutUint32(b[offLastOffsetDelta:], uint32(lastDelta))
	binary.BigEndian.PutUint64(b[offBaseTimestamp:], uint64(baseTime))
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(maxTime))
	binary.BigEndian.PutUint64(b[offProducerID:], uint64(id))
	binary.BigEndian.PutUint16(b[offProducerEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(b[offBaseSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(b[offCount:], uint32(count))
}

// AppendEmpty appends the batch without its records, as the cleaner keeps it
// for the producer's last sequence or the leader epoch: same offsets, producer
// and flags, no codec, no delete horizon.
func (b Batch) AppendEmpty(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, b[:HeaderSize]...)
	e := Batch(dst[start:])
	attributes := uint16(b.Attributes()) & (attrLogAppendTime | attrTransactional | attrControl)
	putHeader(e, attributes, b.LastOffsetDelta(), NoTimestamp, b.MaxTimestamp(),
		b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), 0)
	e.SetLeaderEpoch(b.LeaderEpoch())
	e.SetCRC()
	return dst
}

func appendRecord(dst []byte, timeDelta int64, delta int32, key, value []byte, headers Headers) []byte {
	size := 1 + varlongSize(timeDelta) + varintSize(delta) + fieldSize(key) + fieldSize(value) +
		varintSize(headers.count) + len(headers.raw)
	dst = appendVarint(dst, int32(size))
	dst = append(dst, 0) // attributes
	dst = appendVarlong(dst, timeDelta)
	dst = appendVarint(dst, delta)
	dst = appendField(dst, key)
	dst = appendField(dst, value)
	dst = appendVarint(dst, headers.count)
	return append(dst, headers.raw...)
}

func appendField(dst, field []byte) []byte {
	if field == nil {
		return append(dst, 1) // zig-zag of -1
	}
	dst = appendVarint(dst, int32(len(field)))
	return append(dst, field...)
}

func fieldSize(field []byte) int {
	if field == nil {
		return 1
	}
	return varintSize(int32(len(field))) + len(field)
}
