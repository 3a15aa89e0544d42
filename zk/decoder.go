package zk

import (
	"encoding/binary"
	"fmt"
)

// Decoder reads jute values from a byte slice. The first error sticks: later
// calls return zero values, and Err tells what was wrong.
type Decoder struct {
	src    []byte
	off    int
	err    error
	reader reader
}

// reader is who reads, and so how.
type reader uint8

const (
	// asClient takes strings as they are, null as empty.
	asClient reader = iota
	// asServer reads requests as ZooKeeper does, for an answer that is the same.
	asServer
	// asPeer reads requests that a server has read already.
	asPeer
)

// Null is what DecodeRequest returns for a null string where a request holds one
// that should be there. No other string that it returns is the same: this is no
// UTF-8.
const Null = "\xff"

// ErrNull marks requests that ZooKeeper fails to decode because of a null where
// it expects a vector.
var ErrNull = fmt.Errorf("null is not a vector: %w", ErrMarshalling)

// NewDecoder returns a decoder over src, which it neither changes nor copies.
func NewDecoder(src []byte) *Decoder { return &Decoder{src: src} }

// Err returns the first error; it wraps ErrMarshalling, the code with which
// ZooKeeper answers a body it cannot read.
func (d *Decoder) Err() error { return d.err }

// Len returns how many bytes are left.
func (d *Decoder) Len() int { return len(d.src) - d.off }

// Rest returns the bytes not read yet.
func (d *Decoder) Rest() []byte { return d.src[d.off:] }

// fail records the first error, with the offset at which it was found.
func (d *Decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("at byte %d: %s: %w", d.off, fmt.Sprintf(format, args...), ErrMarshalling)
	}
}

// take returns the next n bytes, or nil when they are not there.
func (d *Decoder) take(n int, what string) []byte {
	if d.err != nil {
		return nil
	}
	if n > d.Len() {
		d.fail("%s needs %d bytes, %d are left", what, n, d.Len())
		return nil
	}
	b := d.src[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if b := d.take(1, "byte"); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads one byte; any value but 0 is true, as in Java's readBoolean.
func (d *Decoder) Bool() bool { return d.Byte() != 0 }

// Int reads a big-endian int32.
func (d *Decoder) Int() int32 {
	if b := d.take(4, "int"); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Long reads a big-endian int64.
func (d *Decoder) Long() int64 {
	if b := d.take(8, "long"); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Buffer reads an int32 length and that many bytes. The result aliases the
// source; null (length -1) is nil, length 0 is empty and not nil.
func (d *Decoder) Buffer() []byte {
	n := d.Int()
	switch {
	case d.err != nil || n == nullLength:
		return nil
	case n < 0:
		d.fail("length %d is negative", n)
		return nil
	}
	return d.take(int(n), "buffer")
}

// String reads a string, null as empty. The bytes are copied and not checked
// for UTF-8, except by DecodeRequest.
func (d *Decoder) String() string { return d.text(d.Buffer()) }

func (d *Decoder) text(b []byte) string {
	switch {
	case d.reader != asClient && b == nil && d.err == nil:
		return Null
	case d.reader == asServer:
		return Text(b)
	}
	return string(b)
}

// NullableString reads a string, nil for null.
func (d *Decoder) NullableString() *string {
	b := d.Buffer()
	if b == nil {
		return nil
	}
	return new(string(b))
}

// Vector reads the count of a vector whose elements take at least minSize
// bytes each, and refuses a count that the bytes left cannot hold. A count below
// that of null is none, as in Java. ok is false for a null vector and after an
// error.
func (d *Decoder) Vector(minSize int) (count int, ok bool) {
	n := d.Int()
	switch {
	case d.err != nil || n == nullLength:
		return 0, false
	case n < 0:
		return 0, true
	case int64(n)*int64(minSize) > int64(d.Len()):
		d.fail("vector of %d elements needs %d bytes, %d are left", n, int64(n)*int64(minSize), d.Len())
		return 0, false
	}
	return int(n), true
}

// Strings reads a vector of strings; null is nil, an empty vector is not.
func (d *Decoder) Strings() []string {
	const minString = 4 // the length alone
	n, ok := d.Vector(minString)
	if !ok {
		return nil
	}
	v := make([]string, 0, n)
	for range n {
		v = append(v, d.String())
		if d.err != nil {
			return nil
		}
	}
	return v
}
