package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Writer collects encoded messages. Bytes are appended to one buffer; record
// bytes that are not in memory are noted as holes between them. The zero
// value is ready. Used again after Reset it does not allocate.
type Writer struct {
	buf   []byte
	holes []cut
	parts []Part
	err   error
}

// cut is a hole in front of the byte at pos.
type cut struct {
	pos  int
	hole Hole
}

// Part is a piece of what was written: bytes, or a hole.
type Part struct {
	Bytes []byte
	Hole  Hole
}

// Reset empties the Writer and makes it append to buf, which may be nil to
// keep the buffer it has. The holes are let go.
func (w *Writer) Reset(buf []byte) {
	if buf == nil {
		buf = w.buf[:0]
	}
	clear(w.holes)
	clear(w.parts)
	*w = Writer{buf: buf, holes: w.holes[:0], parts: w.parts[:0]}
}

// Bytes returns what was written, without the holes.
func (w *Writer) Bytes() []byte { return w.buf }

// Size returns the bytes written, those of the holes included.
func (w *Writer) Size() int {
	n := len(w.buf)
	for _, h := range w.holes {
		n += h.hole.Size()
	}
	return n
}

// Parts returns what was written, in order. The slice and its bytes are valid
// until the next use of the Writer.
func (w *Writer) Parts() []Part {
	w.parts = w.parts[:0]
	from := 0
	for _, h := range w.holes {
		if h.pos > from {
			w.parts = append(w.parts, Part{Bytes: w.buf[from:h.pos]})
		}
		w.parts = append(w.parts, Part{Hole: h.hole})
		from = h.pos
	}
	if from < len(w.buf) {
		w.parts = append(w.parts, Part{Bytes: w.buf[from:]})
	}
	return w.parts
}

// Write appends raw bytes; it never fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// position is where something began, to return to when it fails.
type position struct{ buf, holes int }

func (w *Writer) begin() position { return position{len(w.buf), len(w.holes)} }

// finish reports how an Encode went. After an error it drops what was written.
func (w *Writer) finish(start position, name string, version int16) error {
	err := w.err
	if err == nil {
		return nil
	}
	w.err = nil
	w.rewind(start)
	return fmt.Errorf("encode %s v%d: %w", name, version, err)
}

func (w *Writer) rewind(start position) {
	w.buf = w.buf[:start.buf]
	clear(w.holes[start.holes:])
	w.holes = w.holes[:start.holes]
}

// FieldError tells why Encode refused a field.
type FieldError struct {
	Field string // struct and field by their Go names
	Rule  error  // ErrAbsent or ErrNull
}

// Error names the field and the rule.
func (e *FieldError) Error() string { return e.Field + ": " + e.Rule.Error() }

// Unwrap returns the rule.
func (e *FieldError) Unwrap() error { return e.Rule }

// ErrAbsent means a field that is set though the version has no place for it.
var ErrAbsent = fmt.Errorf("set, but %w", errNoField)

var errNoField = fmt.Errorf("the version lacks it")

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) absent(field string) { w.fail(&FieldError{field, ErrAbsent}) }
func (w *Writer) null(field string)   { w.fail(&FieldError{field, ErrNull}) }

func (w *Writer) bool(v bool) {
	b := byte(0)
	if v {
		b = 1
	}
	w.buf = append(w.buf, b)
}

func (w *Writer) int8(v int8)       { w.buf = append(w.buf, byte(v)) }
func (w *Writer) uint16(v uint16)   { w.buf = binary.BigEndian.AppendUint16(w.buf, v) }
func (w *Writer) uint32(v uint32)   { w.buf = binary.BigEndian.AppendUint32(w.buf, v) }
func (w *Writer) uint64(v uint64)   { w.buf = binary.BigEndian.AppendUint64(w.buf, v) }
func (w *Writer) int16(v int16)     { w.uint16(uint16(v)) }
func (w *Writer) int32(v int32)     { w.uint32(uint32(v)) }
func (w *Writer) int64(v int64)     { w.uint64(uint64(v)) }
func (w *Writer) float64(v float64) { w.uint64(math.Float64bits(v)) }
func (w *Writer) uuid(v UUID)       { w.buf = append(w.buf, v[:]...) }

func (w *Writer) uvarint(v uint32) {
	if v < 0x80 {
		w.buf = append(w.buf, byte(v))
		return
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(v))
}

// size writes the length of bytes or an array.
func (w *Writer) size(n int, null, flex bool) {
	if n >= math.MaxInt32 {
		w.fail(fmt.Errorf("length %d does not fit 31 bits", n))
	}
	switch {
	case null && flex:
		w.uvarint(0)
	case null:
		w.int32(-1)
	case flex:
		w.uvarint(uint32(n) + 1)
	default:
		w.int32(int32(n))
	}
}

func (w *Writer) array(n int, null, flex bool) { w.size(n, null, flex) }

func (w *Writer) string(s string, flex bool) {
	if len(s) > MaxString {
		w.fail(fmt.Errorf("%w: %d bytes, the limit is %d", ErrStringSize, len(s), MaxString))
		return
	}
	if flex {
		w.uvarint(uint32(len(s)) + 1)
	} else {
		w.int16(int16(len(s)))
	}
	w.buf = append(w.buf, s...)
}

func (w *Writer) nullString(s *string, flex bool) {
	switch {
	case s != nil:
		w.string(*s, flex)
	case flex:
		w.uvarint(0)
	default:
		w.int16(-1)
	}
}

func (w *Writer) bytes(b []byte, null, flex bool) {
	w.size(len(b), null, flex)
	w.buf = append(w.buf, b...)
}

func (w *Writer) records(r *Records, nullable, flex bool) {
	if r.Hole == nil {
		w.bytes(r.Bytes, nullable && r.Bytes == nil, flex)
		return
	}
	if r.Bytes != nil {
		w.fail(fmt.Errorf("records have both bytes and a hole"))
	}
	n := r.Hole.Size()
	w.size(n, false, flex)
	if n > 0 {
		w.holes = append(w.holes, cut{len(w.buf), r.Hole})
	}
}

func (w *Writer) int8s(v []int8, null, flex bool) {
	w.size(len(v), null, flex)
	for _, x := range v {
		w.int8(x)
	}
}

func (w *Writer) int32s(v []int32, null, flex bool) {
	w.size(len(v), null, flex)
	for _, x := range v {
		w.int32(x)
	}
}

func (w *Writer) int64s(v []int64, null, flex bool) {
	w.size(len(v), null, flex)
	for _, x := range v {
		w.int64(x)
	}
}

func (w *Writer) uuids(v []UUID, null, flex bool) {
	w.size(len(v), null, flex)
	for _, x := range v {
		w.uuid(x)
	}
}

func (w *Writer) strings(v []string, null, flex bool) {
	w.size(len(v), null, flex)
	for _, x := range v {
		w.string(x, flex)
	}
}

// beginTag writes the tag and leaves one byte for the size of its payload,
// which is enough for nearly all.
func (w *Writer) beginTag(tag uint32) int {
	w.uvarint(tag)
	w.buf = append(w.buf, 0)
	return len(w.buf)
}

// endTag fills in the size of the payload that began at from. A longer size
// moves the payload up; it holds no records, so no hole moves.
func (w *Writer) endTag(from int) {
	n := len(w.buf) - from
	if n < 0x80 {
		w.buf[from-1] = byte(n)
		return
	}
	var size [binary.MaxVarintLen32]byte
	k := binary.PutUvarint(size[:], uint64(n))
	w.buf = slices.Insert(w.buf, from, size[1:k]...)
	w.buf[from-1] = size[0]
}
