package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// RequestHeader stands in front of every request. Headers of version 2, those
// of flexible requests, end with tagged fields, of which none is defined.
type RequestHeader struct {
	Key           Key
	Version       int16
	CorrelationID int32
	ClientID      *string // nil in v0 of ControlledShutdown, which has no place for it
}

// requestHeaderVersion returns the version of the header, which depends on
// the request. Unknown keys get v1, which all clients agree on far enough to
// let the receiver name the key in its complaint.
func requestHeaderVersion(k Key, version int16) int {
	switch {
	case k == KeyControlledShutdown && version == 0:
		return 0
	case version >= FlexibleFrom(k):
		return 2
	}
	return 1
}

// DecodeRequestHeader cuts the header off a frame (without its size). The
// body aliases the frame. Versions above those of the schema are read like
// the highest, which is how an ApiVersions request from a newer client can be
// answered at all.
func DecodeRequestHeader(frame []byte) (h RequestHeader, body []byte, err error) {
	r := reader{src: frame}
	h.Key = Key(r.int16())
	h.Version = r.int16()
	h.CorrelationID = r.int32()
	v := requestHeaderVersion(h.Key, h.Version)
	if v >= 1 {
		h.ClientID = r.nullString(false, true) // never compact, not even in v2
	}
	if v >= 2 {
		r.skipTags()
	}
	if r.err != nil {
		return h, nil, fmt.Errorf("decode request header: %w", r.err)
	}
	return h, frame[r.off:], nil
}

// AppendRequestHeader appends the header. A client id over MaxString is cut.
func AppendRequestHeader(dst []byte, h RequestHeader) []byte {
	w := Writer{buf: dst}
	w.int16(int16(h.Key))
	w.int16(h.Version)
	w.int32(h.CorrelationID)
	v := requestHeaderVersion(h.Key, h.Version)
	if v >= 1 {
		if id := h.ClientID; id != nil && len(*id) > MaxString {
			w.string((*id)[:MaxString], false)
		} else {
			w.nullString(id, false)
		}
	}
	if v >= 2 {
		w.uvarint(0)
	}
	return w.buf
}

// responseHeaderTags tells whether the response header ends with tagged
// fields. That of ApiVersions never does: a client that asks for a version
// the broker does not know could not read the answer.
func responseHeaderTags(k Key, version int16) bool {
	return k != KeyApiVersions && version >= FlexibleFrom(k)
}

// AppendResponseHeader appends the header of a response.
func AppendResponseHeader(dst []byte, k Key, version int16, correlation int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	if responseHeaderTags(k, version) {
		dst = append(dst, 0)
	}
	return dst
}

// DecodeResponseHeader cuts the header off a frame (without its size).
func DecodeResponseHeader(src []byte, k Key, version int16) (correlation int32, body []byte, err error) {
	r := reader{src: src}
	correlation = r.int32()
	if responseHeaderTags(k, version) {
		r.skipTags()
	}
	if r.err != nil {
		return 0, nil, fmt.Errorf("decode response header of %s v%d: %w", k, version, r.err)
	}
	return correlation, src[r.off:], nil
}

// EncodeResponse appends a whole response frame to w: size, header, body. The
// size counts the holes. When it fails, w is as it was before.
func EncodeResponse(w *Writer, version int16, correlation int32, body Body) error {
	start := w.begin()
	w.uint32(0)
	w.buf = AppendResponseHeader(w.buf, body.Key(), version, correlation)
	return w.frame(start, body, version)
}

// EncodeRequest appends a whole request frame to w: size, header, body. When
// it fails, w is as it was before.
func EncodeRequest(w *Writer, h RequestHeader, body Body) error {
	start := w.begin()
	w.uint32(0)
	w.buf = AppendRequestHeader(w.buf, h)
	return w.frame(start, body, h.Version)
}

// frame appends the body to a frame that began at start, and sets its size.
func (w *Writer) frame(start position, body Body, version int16) error {
	if err := body.Encode(w, version); err != nil {
		w.rewind(start)
		return err
	}
	n := len(w.buf) - start.buf - 4
	for _, h := range w.holes[start.holes:] {
		n += h.hole.Size()
	}
	if n > math.MaxInt32 {
		w.rewind(start)
		return fmt.Errorf("frame of %s v%d: %d bytes do not fit 31 bits", body.Key(), version, n)
	}
	binary.BigEndian.PutUint32(w.buf[start.buf:], uint32(n))
	return nil
}
