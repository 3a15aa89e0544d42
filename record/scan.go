package record

import (
	"encoding/binary"
	"iter"
)

// minEntry is the smallest length field of any format: a magic 0 entry's CRC,
// magic, attributes, key length, value length.
const minEntry = 14

// Peek reads size (whole entry, in bytes) and magic of the first entry of any
// format; it needs PrefixSize bytes and gives ErrShort with fewer. Readers of
// files use it to learn how much to read.
func Peek(src []byte) (size int, magic int8, err error) {
	if len(src) < PrefixSize {
		return 0, 0, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(src[offLength:]))
	magic = int8(src[offMagic])
	switch {
	case magic < 0 || magic > 2:
		return 0, 0, corrupt("magic %d", magic)
	case length < minEntry, magic == 2 && length < HeaderSize-LogOverhead:
		return 0, 0, corrupt("length %d is below the header of magic %d", length, magic)
	}
	return LogOverhead + int(length), magic, nil
}

// Next cuts the first v2 batch off src without looking past its length field:
// b and rest alias src. Errors: ErrShort when src ends first (rest is src),
// ErrOldFormat for magic 0 and 1, *CorruptError for an impossible length or
// magic. It does not verify the checksum.
func Next(src []byte) (b Batch, rest []byte, err error) {
	size, magic, err := Peek(src)
	switch {
	case err != nil:
		return nil, src, err
	case magic != 2:
		return nil, src, ErrOldFormat
	case size > len(src):
		return nil, src, ErrShort
	}
	return Batch(src[:size:size]), src[size:], nil
}

// All walks the batches of src; the first error ends the walk. A tail that is
// not whole gives ErrShort.
func All(src []byte) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for len(src) > 0 {
			b, rest, err := Next(src)
			if !yield(b, err) || err != nil {
				return
			}
			src = rest
		}
	}
}

// Verify checks the batch as bytes from outside: length field, magic and
// CRC-32C (*CorruptError), then count and last offset delta (*InvalidError).
// Fewer records than offsets are fine, and none at all, as compaction leaves them.
func (b Batch) Verify() error {
	size, magic, err := Peek(b)
	switch {
	case err != nil:
		return err
	case magic != 2:
		return ErrOldFormat
	case size > len(b):
		return ErrShort
	case size < len(b):
		return corrupt("%d bytes hold a batch of %d", len(b), size)
	}
	if crc := b.computeCRC(); crc != b.CRC() {
		return corrupt("stored crc %#08x, computed %#08x", b.CRC(), crc)
	}
	delta, count := b.LastOffsetDelta(), b.Count()
	if delta < 0 || count < 0 || int64(count) > int64(delta)+1 {
		return invalid("count %d with last offset delta %d", count, delta)
	}
	return nil
}
