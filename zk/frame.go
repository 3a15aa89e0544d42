package zk

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// MaxFrame is ZooKeeper's default jute.maxbuffer in bytes: servers refuse
// longer requests.
const MaxFrame = 0xfffff

// MaxReply is the jute.maxbuffer in bytes that Kafka sets on its clients: a
// listing of many topics is longer than a request may be.
const MaxReply = 4 << 20

// frameStep is how many bytes ReadBody makes room for before any of them
// arrived: small, because a length costs a stranger nothing to claim.
const frameStep = 4 << 10

// LengthSize is the size in bytes of the length in front of every frame.
const LengthSize = 4

// FrameError says that a peer announced a frame of impossible length.
type FrameError struct {
	// Length is what was announced, Limit the largest allowed, both in bytes.
	Length, Limit int
}

// Error implements error.
func (e *FrameError) Error() string {
	return fmt.Sprintf("frame of %d bytes is outside 0..%d (jute.maxbuffer)", e.Length, e.Limit)
}

// ReadFrame reads a length and the frame that follows into buf, which it grows
// as bytes arrive and returns. A length that is negative or above limit is a
// *FrameError; io.EOF means that the stream ended between two frames.
func ReadFrame(r io.Reader, buf []byte, limit int) ([]byte, error) {
	buf = slices.Grow(buf[:0], LengthSize)[:LengthSize]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf[:0], err
	}
	n := int(int32(binary.BigEndian.Uint32(buf)))
	if n < 0 || n > limit {
		return buf[:0], &FrameError{Length: n, Limit: limit}
	}
	return ReadBody(r, buf, n)
}

// ReadBody reads exactly n bytes into buf[:0], growing it with what arrives: at
// most twice what came, never what n merely claims. It is for servers that have
// looked at the length themselves, since it may be a four-letter word.
func ReadBody(r io.Reader, buf []byte, n int) ([]byte, error) {
	buf = buf[:0]
	for len(buf) < n {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(n-len(buf), max(len(buf), frameStep)))
		}
		end := min(n, cap(buf))
		k, err := io.ReadFull(r, buf[len(buf):end])
		buf = buf[:len(buf)+k]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// AppendFrame appends a length and the given records, nil ones left out.
func AppendFrame(dst []byte, records ...Record) []byte {
	start := len(dst)
	e := Encoder{buf: append(dst, 0, 0, 0, 0)}
	for _, r := range records {
		if r != nil {
			r.Encode(&e)
		}
	}
	binary.BigEndian.PutUint32(e.buf[start:], uint32(len(e.buf)-start-LengthSize))
	return e.buf
}

// AppendRequest appends a request as one frame.
func AppendRequest(dst []byte, xid int32, r Request) []byte {
	return AppendFrame(dst, &RequestHeader{Xid: xid, Op: r.Op()}, r)
}

// AppendReply appends a reply as one frame; body is nil for an empty one.
func AppendReply(dst []byte, h ReplyHeader, body Record) []byte {
	return AppendFrame(dst, &h, body)
}

// AppendEvent appends a watch notification as one frame. Its header carries
// xid -1; zxid is -1 in ZooKeeper 3.8, that of the change from 3.9 on.
func AppendEvent(dst []byte, zxid int64, ev Event) []byte {
	return AppendFrame(dst, &ReplyHeader{Xid: XidNotification, Zxid: zxid}, &ev)
}

// DecodeRequest reads the header and body of one frame of a client, as a server
// written in Java does: null strings are Null, and bytes that are no UTF-8 are
// replaced. The header is valid even when err is not nil, unless the frame is
// shorter than one: an unknown operation wraps ErrUnimplemented, an unreadable
// body ErrMarshalling. Bytes after the body are ignored, as ZooKeeper does.
// []byte fields alias frame.
func DecodeRequest(frame []byte) (h RequestHeader, r Request, err error) {
	return decodeRequest(frame, asServer)
}

// DecodeForwarded reads a request that one server has read with DecodeRequest and
// passes on with AppendRequest: nothing of it changes once more.
func DecodeForwarded(frame []byte) (h RequestHeader, r Request, err error) {
	return decodeRequest(frame, asPeer)
}

func decodeRequest(frame []byte, as reader) (h RequestHeader, r Request, err error) {
	d := Decoder{src: frame, reader: as}
	h.Decode(&d)
	if d.err != nil {
		return h, nil, fmt.Errorf("request header: %w", d.err)
	}
	if r = NewRequest(h.Op); r == nil || h.Op == OpCheck { // only inside multi
		return h, nil, fmt.Errorf("operation %v: %w", h.Op, ErrUnimplemented)
	}
	if r.Decode(&d); d.err != nil {
		return h, nil, fmt.Errorf("body of %v request: %w", h.Op, d.err)
	}
	return h, r, nil
}
