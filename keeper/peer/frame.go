package peer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// frameHead is a frame without its payload: length, CRC, kind.
const frameHead = 4 + 4 + 1

// kindCRC is the CRC of each kind alone.
var kindCRC = func() (crcs [256]uint32) {
	for kind := range crcs {
		crcs[kind] = crc32.Checksum([]byte{byte(kind)}, castagnoli)
	}
	return crcs
}()

// frameCRC covers the kind and the payload.
func frameCRC(kind byte, payload []byte) uint32 {
	return crc32.Update(kindCRC[kind], castagnoli, payload)
}

// appendFrame adds a frame whose CRC is known.
func appendFrame(dst []byte, kind byte, payload []byte, crc uint32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.BigEndian.AppendUint32(dst, crc)
	dst = append(dst, kind)
	return append(dst, payload...)
}

// readFrame reads one frame; the payload, at most limit bytes, is the caller's.
func readFrame(r *bufio.Reader, limit int) (kind byte, payload []byte, err error) {
	h, err := r.Peek(frameHead)
	if err != nil {
		if len(h) > 0 {
			err = unexpected(err)
		}
		return 0, nil, err
	}
	size, want := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
	kind = h[8]
	if size > uint32(limit) {
		return 0, nil, &ProtocolError{Reason: fmt.Sprintf("a frame of %d bytes, limit %d", size, limit)}
	}
	if _, err := r.Discard(frameHead); err != nil {
		return 0, nil, err // it is in the buffer
	}
	if payload, err = readGrowing(r, int(size)); err != nil {
		return 0, nil, unexpected(err)
	}
	if got := frameCRC(kind, payload); got != want {
		return 0, nil, &ProtocolError{Reason: fmt.Sprintf("a frame of kind %d and %d bytes has CRC %08x, its bytes %08x", kind, size, want, got)}
	}
	return kind, payload, nil
}
