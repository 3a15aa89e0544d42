package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors of Decode, wrapped with the message's name and version.
var (
	// ErrVersion means a version that the schema does not have.
	ErrVersion = errors.New("version not in the schema")
	// ErrShort means a field, or the elements an array claims to have, reach
	// beyond the bytes that are left for them.
	ErrShort = errors.New("not enough bytes")
	// ErrTrailing means bytes left over behind a complete message.
	ErrTrailing = errors.New("bytes left over")
	// ErrNull means null in a field or version that does not allow it.
	ErrNull = errors.New("null where it is not allowed")
	// ErrVarint means a variable-length number of more than five bytes.
	ErrVarint = errors.New("varint too long")
	// ErrStringSize means a string of more than MaxString bytes.
	ErrStringSize = errors.New("string too long")
)

func versionError(name string, version int16) error {
	return fmt.Errorf("%s v%d: %w", name, version, ErrVersion)
}

// reader takes a body apart. The first error sticks: what is read after it is
// zero, so that generated code need not ask after each field.
//
// Elements of an array are allocated before they are read, so what an array
// claims must be paid for in bytes. Each open array reserves the least size
// of the elements that were not begun yet; nothing inside of an element may
// claim those bytes again. Nested lies hence cannot multiply: memory
// allocated in one Decode is at most 22 times the bytes given, before the
// allocator rounds up. The worst are elements of which most fields are absent
// or empty; wire/gen refuses a schema that would need more.
type reader struct {
	src      []byte
	off      int
	reserved int
	err      error
}

// finish reports how a Decode went.
func (r *reader) finish(name string, version int16) error {
	if r.err != nil {
		return fmt.Errorf("decode %s v%d: %w", name, version, r.err)
	}
	if left := len(r.src) - r.off; left > 0 {
		return fmt.Errorf("decode %s v%d: %d %w", name, version, left, ErrTrailing)
	}
	return nil
}

//go:noinline
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("offset %d: %w", r.off, err)
	}
	r.off = len(r.src)
	r.reserved = 0
}

// free returns how many bytes a claim may count on.
func (r *reader) free() int { return len(r.src) - r.off - r.reserved }

func (r *reader) bool() bool { return r.int8() != 0 }

func (r *reader) int8() int8 {
	if r.off >= len(r.src) {
		r.fail(ErrShort)
		return 0
	}
	v := r.src[r.off]
	r.off++
	return int8(v)
}

// The three that make up most of any message each are one call deep.

func (r *reader) int16() int16 {
	b := r.src[r.off:]
	if len(b) < 2 {
		r.fail(ErrShort)
		return 0
	}
	r.off += 2
	return int16(binary.BigEndian.Uint16(b))
}

func (r *reader) int32() int32 {
	b := r.src[r.off:]
	if len(b) < 4 {
		r.fail(ErrShort)
		return 0
	}
	r.off += 4
	return int32(binary.BigEndian.Uint32(b))
}

func (r *reader) int64() int64 {
	b := r.src[r.off:]
	if len(b) < 8 {
		r.fail(ErrShort)
		return 0
	}
	r.off += 8
	return int64(binary.BigEndian.Uint64(b))
}

func (r *reader) uint16() uint16   { return uint16(r.int16()) }
func (r *reader) float64() float64 { return math.Float64frombits(uint64(r.int64())) }

func (r *reader) uuid() (u UUID) {
	b := r.src[r.off:]
	if len(b) < len(u) {
		r.fail(ErrShort)
		return u
	}
	r.off += len(u)
	copy(u[:], b)
	return u
}

// uvarint reads an unsigned number of at most five bytes. Bits beyond the
// 32nd are dropped, as Kafka does.
func (r *reader) uvarint() uint32 {
	if r.off < len(r.src) && r.src[r.off] < 0x80 {
		v := r.src[r.off]
		r.off++
		return uint32(v)
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := uint8(r.int8())
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.fail(ErrVarint)
	return 0
}

// size reads the length of something, -1 for null.
func (r *reader) size(flex bool) int {
	if flex {
		return int(r.uvarint()) - 1
	}
	return int(max(r.int32(), -1))
}

func (r *reader) stringSize(flex bool) int {
	if flex {
		return int(r.uvarint()) - 1
	}
	return int(max(r.int16(), -1))
}

// text returns a string of n bytes.
func (r *reader) text(n int) string {
	if n > r.free() {
		r.fail(ErrShort)
		return ""
	}
	if n > MaxString {
		r.fail(ErrStringSize)
		return ""
	}
	off := r.off
	r.off += n
	return string(r.src[off:r.off])
}

func (r *reader) string(flex bool) string {
	n := r.stringSize(flex)
	if n < 0 {
		r.fail(ErrNull)
		return ""
	}
	return r.text(n)
}

func (r *reader) nullString(flex, nullable bool) *string {
	n := r.stringSize(flex)
	if n < 0 {
		if !nullable {
			r.fail(ErrNull)
		}
		return nil
	}
	s := r.text(n)
	if r.err != nil {
		return nil
	}
	return &s
}

// bytes returns a view of src, with its capacity cut so that an append to it
// cannot write into the frame.
func (r *reader) bytes(flex, nullable bool) []byte {
	n := r.size(flex)
	if n < 0 {
		if !nullable {
			r.fail(ErrNull)
		}
		return nil
	}
	if n > r.free() {
		r.fail(ErrShort)
		return nil
	}
	off := r.off
	r.off += n
	return r.src[off:r.off:r.off]
}

func (r *reader) records(flex, nullable bool) Records {
	return Records{Bytes: r.bytes(flex, nullable)}
}

// array reads the length of an array whose elements take at least least bytes
// each, and reserves those bytes. It returns -1 for null and after errors.
func (r *reader) array(flex, nullable bool, least int) int {
	n := r.size(flex)
	if n < 0 {
		if !nullable {
			r.fail(ErrNull)
		}
		return -1
	}
	if r.err != nil {
		return -1
	}
	if n > r.free()/least {
		r.fail(ErrShort)
		return -1
	}
	r.reserved += n * least
	return n
}

// element gives the least size of the next element of an open array back to
// what may be read.
func (r *reader) element(least int) { r.reserved -= least }

// scalars opens an array of fixed-size elements and returns their bytes.
func (r *reader) scalars(flex, nullable bool, size int) (n int, src []byte) {
	n = r.array(flex, nullable, size)
	if n < 0 {
		return n, nil
	}
	r.reserved -= n * size
	off := r.off
	r.off += n * size
	return n, r.src[off:r.off]
}

func (r *reader) int8s(flex, nullable bool) []int8 {
	n, src := r.scalars(flex, nullable, 1)
	if n < 0 {
		return nil
	}
	out := make([]int8, n)
	for i := range out {
		out[i] = int8(src[i])
	}
	return out
}

func (r *reader) int32s(flex, nullable bool) []int32 {
	n, src := r.scalars(flex, nullable, 4)
	if n < 0 {
		return nil
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(binary.BigEndian.Uint32(src[4*i:]))
	}
	return out
}

func (r *reader) int64s(flex, nullable bool) []int64 {
	n, src := r.scalars(flex, nullable, 8)
	if n < 0 {
		return nil
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(binary.BigEndian.Uint64(src[8*i:]))
	}
	return out
}

func (r *reader) uuids(flex, nullable bool) []UUID {
	n, src := r.scalars(flex, nullable, 16)
	if n < 0 {
		return nil
	}
	out := make([]UUID, n)
	for i := range out {
		copy(out[i][:], src[16*i:])
	}
	return out
}

func (r *reader) strings(flex, nullable bool) []string {
	least := 2
	if flex {
		least = 1
	}
	n := r.array(flex, nullable, least)
	if n < 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		r.element(least)
		out[i] = r.string(flex)
		if r.err != nil {
			return nil
		}
	}
	return out
}

// outer is what lies around the payload of a tagged field.
type outer struct {
	src      []byte
	reserved int
}

// enterTag reads a tag and the size of its payload, and narrows the reader to
// that payload until leaveTag.
func (r *reader) enterTag() (tag uint32, o outer) {
	tag = r.uvarint()
	n := int(r.uvarint())
	if n > r.free() {
		r.fail(ErrShort)
		n = 0
	}
	o = outer{r.src, r.reserved}
	r.src, r.reserved = r.src[:r.off+n], 0
	return tag, o
}

// leaveTag widens the reader again. A payload must be read to its end.
func (r *reader) leaveTag(o outer) {
	if r.off != len(r.src) {
		r.fail(ErrTrailing)
	}
	r.src, r.reserved = o.src, o.reserved
	if r.err != nil {
		r.off = len(r.src)
	}
}

func (r *reader) skipRest() { r.off = len(r.src) }

// skipTags steps over tagged fields that this schema does not know, which
// newer peers may send at any version that has tags.
func (r *reader) skipTags() {
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		_, o := r.enterTag()
		r.skipRest()
		r.leaveTag(o)
	}
}
