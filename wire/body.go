package wire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Body is a message without its header: a request, a response, or the key or
// value of a record that Kafka itself writes.
//
// A slice or pointer that is nil is null where the schema allows null in that
// version. Where the schema never allows it, a nil slice is an empty one;
// where it allows it in other versions only, encoding is refused.
// Literals start from Go's zero values; New... functions and Reset start from
// the schema's defaults, which Decode also gives to fields the version lacks.
type Body interface {
	// Key returns the API, or -1 for a message outside of any API.
	Key() Key
	// Decode reads a whole body. Byte slices and Records alias src, strings
	// are copies. Every field is overwritten. On ErrTrailing the message is
	// complete; on any other error its contents mean nothing.
	Decode(src []byte, version int16) error
	// Encode appends the body to w. It refuses versions outside the schema,
	// null where the version does not allow it, strings over MaxString, and
	// fields that are set though the version lacks them, unless the schema
	// calls them ignorable. When it fails, w is as it was before.
	Encode(w *Writer, version int16) error
	// Reset sets every field to its schema's default.
	Reset()
}

// MaxString is the longest string in bytes that Kafka reads or writes, in the
// compact form as well, where the format itself would allow more.
const MaxString = 1<<15 - 1

// UUID is a topic or directory id; the zero value stands for none.
type UUID [16]byte

// String returns Kafka's form: URL-safe base64 without padding.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// ParseUUID reads the form that String writes.
func ParseUUID(s string) (u UUID, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return u, fmt.Errorf("uuid %q: %w", s, err)
	}
	if len(b) != len(u) {
		return u, fmt.Errorf("uuid %q: %d bytes, want %d", s, len(b), len(u))
	}
	copy(u[:], b)
	return u, nil
}

// Records are the batches of one partition in a produce or fetch. At most one
// field is set; both nil is null. Decode sets Bytes, aliasing its source.
type Records struct {
	Bytes []byte
	Hole  Hole
}

// Hole is record bytes that live outside of memory, usually in a segment
// file. Size must not change while a Writer holds it.
type Hole interface{ Size() int }

// IsNull tells whether there are no records at all, not even none.
func (r *Records) IsNull() bool { return r.Bytes == nil && r.Hole == nil }

// Append appends an encoded message to dst. It fails on messages with holes.
func Append(dst []byte, m Body, version int16) ([]byte, error) {
	w := Writer{buf: dst}
	if err := m.Encode(&w, version); err != nil {
		return dst, err
	}
	if len(w.holes) > 0 {
		return dst, fmt.Errorf("append %T v%d: record bytes are not in memory", m, version)
	}
	return w.buf, nil
}

// AppendVersioned appends a message with its version in front, which is the
// form of keys and values in Kafka's internal topics and of the metadata that
// consumers exchange.
func AppendVersioned(dst []byte, m Body, version int16) ([]byte, error) {
	out, err := Append(binary.BigEndian.AppendUint16(dst, uint16(version)), m, version)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// CutVersion splits what AppendVersioned wrote. The kind of a record's key is
// told by its version.
func CutVersion(src []byte) (version int16, body []byte, err error) {
	if len(src) < 2 {
		return 0, nil, fmt.Errorf("message of %d bytes has no version: %w", len(src), ErrShort)
	}
	return int16(binary.BigEndian.Uint16(src)), src[2:], nil
}
