package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"iter"
)

// Layout of a magic 0 or 1 entry: offset and length as in v2, then CRC-32
// (IEEE) of what follows it, magic, attributes, in magic 1 a timestamp, key,
// value, each with an i32 length.
const (
	entryCRC        = 12
	entryAttributes = 17
	entryTimestamp  = 18
	entryFieldsV0   = 18
	entryFieldsV1   = 26
)

// Entry is a view of one whole entry of a magic 0 or 1 message set: a message,
// or a wrapper whose value is a compressed set of messages. It comes from
// NextEntry, which guarantees the fixed part.
type Entry []byte

// NextEntry cuts the first magic 0 or 1 entry off src, as Next does for v2.
// A v2 batch is a *CorruptError.
func NextEntry(src []byte) (e Entry, rest []byte, err error) {
	size, magic, err := Peek(src)
	switch {
	case err != nil:
		return nil, src, err
	case magic > 1:
		return nil, src, corrupt("magic %d in a set of magic 0 or 1", magic)
	case magic == 1 && size < entryFieldsV1+8:
		return nil, src, corrupt("magic 1 entry of %d bytes", size)
	case size > len(src):
		return nil, src, ErrShort
	}
	return Entry(src[:size:size]), src[size:], nil
}

// Entries walks an old message set; the first error ends the walk. A tail that
// is not whole gives ErrShort.
func Entries(src []byte) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for len(src) > 0 {
			e, rest, err := NextEntry(src)
			if !yield(e, err) || err != nil {
				return
			}
			src = rest
		}
	}
}

// Offset is the entry's offset; a wrapper has that of its last message.
func (e Entry) Offset() int64 { return int64(binary.BigEndian.Uint64(e)) }

// SetOffset sets the entry's offset, which the checksum does not cover.
func (e Entry) SetOffset(offset int64) { binary.BigEndian.PutUint64(e, uint64(offset)) }

// Magic is 0 or 1.
func (e Entry) Magic() int8 { return int8(e[offMagic]) }

// Codec says how a wrapper is compressed; None is a plain message.
func (e Entry) Codec() Codec { return Codec(e[entryAttributes] & attrCodec) }

// TimestampType says who set the timestamp; magic 0 has none and says CreateTime.
func (e Entry) TimestampType() TimestampType {
	if e.Magic() > 0 && e[entryAttributes]&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// Timestamp is in ms; -1 in magic 0. A wrapper has the largest of its messages,
// or the append time.
func (e Entry) Timestamp() int64 {
	if e.Magic() == 0 {
		return NoTimestamp
	}
	return int64(binary.BigEndian.Uint64(e[entryTimestamp:]))
}

// Verify checks length and CRC-32 (*CorruptError) and that key and value fill
// the entry exactly (*InvalidError).
func (e Entry) Verify() error {
	size, magic, err := Peek(e)
	switch {
	case err != nil:
		return err
	case size != len(e), magic > 1:
		return corrupt("%d bytes hold an entry of %d, magic %d", len(e), size, magic)
	}
	stored, computed := binary.BigEndian.Uint32(e[entryCRC:]), crc32.ChecksumIEEE(e[offMagic:])
	if stored != computed {
		return corrupt("stored crc %#08x, computed %#08x", stored, computed)
	}
	if _, _, ok := e.fields(); !ok {
		return errFraming
	}
	return nil
}

// fields gives key and value, nil for null.
func (e Entry) fields() (key, value []byte, ok bool) {
	rest := []byte(e[entryFieldsV0:])
	if e.Magic() == 1 {
		rest = e[entryFieldsV1:]
	}
	key, rest, ok = entryField(rest)
	if ok {
		value, rest, ok = entryField(rest)
	}
	return key, value, ok && len(rest) == 0
}

func entryField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, b, false
	}
	n := int32(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n < 0 {
		return nil, b, true
	}
	if int(n) > len(b) {
		return nil, b, false
	}
	return b[:n:n], b[n:], true
}

// Records walks the messages: the entry itself, or those of a wrapper, with
// absolute offsets. Messages inside a wrapper are verified; the entry is not.
// Errors and lifetime are those of Batch.Records, and *CorruptError for a
// checksum.
func (e Entry) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := e.walk(yield); err != nil && !errors.Is(err, errStopped) {
			yield(Record{}, err)
		}
	}
}

func (e Entry) walk(yield func(Record, error) bool) error {
	var base int64
	if e.Codec() != None && e.Magic() == 1 {
		// Offsets inside are relative, and the wrapper has the last: so the last
		// must be known before the first.
		var last int64
		if err := e.inner(func(in Entry) error { last = in.Offset(); return nil }); err != nil {
			return err
		}
		var err error
		if base, err = e.baseOffset(last); err != nil {
			return err
		}
	}
	return e.messages(func(r *Record) error {
		r.Offset += base
		if !yield(*r, nil) {
			return errStopped
		}
		return nil
	})
}

// baseOffset is what a magic 1 wrapper's relative offsets are relative to, given
// the last of them. Old librdkafka sent wrappers with offset 0.
func (e Entry) baseOffset(last int64) (int64, error) {
	switch {
	case e.Offset() == 0:
		return 0, nil
	case e.Offset() < last:
		return 0, invalid("wrapper offset %d is less than the last inner message offset %d and it is not zero", e.Offset(), last)
	}
	return e.Offset() - last, nil
}

// messages gives each message, with its offset as written.
func (e Entry) messages(yield func(*Record) error) error {
	if e.Codec() == None {
		key, value, ok := e.fields()
		if !ok {
			return errFraming
		}
		return yield(&Record{Offset: e.Offset(), Timestamp: e.Timestamp(), Key: key, Value: value})
	}
	return e.inner(func(in Entry) error {
		key, value, ok := in.fields()
		if !ok {
			return errFraming
		}
		r := Record{Offset: in.Offset(), Timestamp: in.Timestamp(), Key: key, Value: value}
		if e.TimestampType() == LogAppendTime {
			r.Timestamp = e.Timestamp()
		}
		return yield(&r)
	})
}

// inner inflates a wrapper and gives its entries, verified.
func (e Entry) inner(yield func(Entry) error) error {
	if e.Codec() == Zstd {
		return invalid("zstd wrapper in magic %d", e.Magic())
	}
	_, value, ok := e.fields()
	if !ok || value == nil {
		return invalid("wrapper of magic %d without a value", e.Magic())
	}
	s, err := openStream(e.Codec(), value, e.Magic())
	if err != nil {
		return err
	}
	defer s.close()
	count := 0
	for {
		end, err := s.atEnd()
		if err != nil {
			return err
		}
		if end {
			break
		}
		in, err := s.nextEntry()
		if err != nil {
			return err
		}
		switch {
		case in.Magic() != e.Magic():
			return invalid("message of magic %d in a wrapper of magic %d", in.Magic(), e.Magic())
		case in.Codec() != None:
			return invalid("inner messages must not be compressed")
		}
		if err := yield(in); err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		return invalid("compressed record set with no inner records")
	}
	return nil
}

// nextEntry gives the next entry as one slice, verified, valid until the next call.
func (s *stream) nextEntry() (Entry, error) {
	if err := s.need(PrefixSize); err != nil {
		return nil, err
	}
	size, magic, err := Peek(s.buf[s.r:s.w])
	switch {
	case errors.Is(err, ErrShort):
		return nil, errPremature
	case err != nil:
		return nil, err
	case magic > 1:
		return nil, invalid("message of magic %d in a wrapper", magic)
	case size > s.most:
		return nil, invalid("message of %d bytes is longer than %d", size, s.most)
	}
	if err := s.need(size); err != nil {
		return nil, err
	}
	e, _, err := NextEntry(s.buf[s.r:s.w])
	if errors.Is(err, ErrShort) {
		return nil, errPremature
	}
	if err != nil {
		return nil, err
	}
	s.take(size)
	return e, e.Verify()
}

// appendEntry appends a plain message.
func appendEntry(dst []byte, magic int8, offset int64, t TimestampType, timestamp int64, key, value []byte) []byte {
	start := len(dst)
	dst = appendEntryHeader(dst, magic, offset, t, None, timestamp)
	dst = appendEntryField(dst, key)
	dst = appendEntryField(dst, value)
	finishEntry(dst[start:])
	return dst
}

// appendEntryHeader appends all up to the key; finishEntry adds size and checksum.
func appendEntryHeader(dst []byte, magic int8, offset int64, t TimestampType, c Codec, timestamp int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(magic))
	attributes := byte(c)
	if magic == 0 {
		return append(dst, attributes)
	}
	if t == LogAppendTime {
		attributes |= attrLogAppendTime
	}
	return binary.BigEndian.AppendUint64(append(dst, attributes), uint64(timestamp))
}

func finishEntry(e []byte) {
	binary.BigEndian.PutUint32(e[offLength:], uint32(len(e)-LogOverhead))
	binary.BigEndian.PutUint32(e[entryCRC:], crc32.ChecksumIEEE(e[offMagic:]))
}

func appendEntryField(dst, field []byte) []byte {
	if field == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(field)))
	return append(dst, field...)
}
