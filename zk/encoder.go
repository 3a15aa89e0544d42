package zk

import "encoding/binary"

// nullLength is the length jute writes for a null string, buffer or vector.
const nullLength = -1

// Encoder appends jute values to a byte slice. The zero value is ready to use.
type Encoder struct {
	buf []byte
}

// NewEncoder returns an encoder that appends to dst.
func NewEncoder(dst []byte) *Encoder { return &Encoder{buf: dst} }

// Bytes returns all that was appended, together with what dst held before.
func (e *Encoder) Bytes() []byte { return e.buf }

// Byte appends one byte.
func (e *Encoder) Byte(v byte) { e.buf = append(e.buf, v) }

// Bool appends one byte, 1 or 0.
func (e *Encoder) Bool(v bool) {
	if v {
		e.Byte(1)
	} else {
		e.Byte(0)
	}
}

// Int appends a big-endian int32.
func (e *Encoder) Int(v int32) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v)) }

// Long appends a big-endian int64.
func (e *Encoder) Long(v int64) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }

// String appends an int32 length and the bytes; Null is null.
func (e *Encoder) String(s string) {
	if s == Null {
		e.Int(nullLength)
		return
	}
	e.Int(int32(len(s)))
	e.buf = append(e.buf, s...)
}

// NullableString appends length -1 for nil, otherwise the string.
func (e *Encoder) NullableString(s *string) {
	if s == nil {
		e.Int(nullLength)
		return
	}
	e.String(*s)
}

// Buffer appends an int32 length and the bytes; nil is null, length -1.
func (e *Encoder) Buffer(b []byte) {
	if b == nil {
		e.Int(nullLength)
		return
	}
	e.Int(int32(len(b)))
	e.buf = append(e.buf, b...)
}

// Strings appends a vector. A nil slice is written as empty, not as null: Java
// clients hand a null vector on to their callers, who do not expect it.
func (e *Encoder) Strings(v []string) {
	e.Int(int32(len(v)))
	for _, s := range v {
		e.String(s)
	}
}
