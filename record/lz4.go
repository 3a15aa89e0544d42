package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

// LZ4 frames as Kafka reads and writes them: version 1, independent blocks, no
// dictionary, checksums optional. Frames are handled here, blocks by the
// library, because Kafka's magic 0 has a frame header checksum that nobody else
// accepts: it covers the frame's magic number too.
const (
	lz4Magic       = 0x184D2204
	lz4Stored      = 1 << 31 // block size bit: bytes are not compressed
	lz4BlockBytes  = 64 << 10
	lz4HeaderBytes = 7 // without content size
	lz4MaxRatio    = 255
)

// Bits of a frame's descriptor byte.
const (
	lz4Version         = 0x40
	lz4VersionMask     = 0xC0
	lz4Independent     = 0x20
	lz4BlockChecksum   = 0x10
	lz4ContentSize     = 0x08
	lz4ContentChecksum = 0x04
	lz4Reserved        = 0x03
)

type lz4Decoder struct {
	src      []byte
	block    []byte // decoded, unread bytes; aliases buf or src
	buf      []byte
	maxBlock int
	flags    byte
	done     bool
}

func (d *lz4Decoder) open(src []byte, magic int8) error {
	d.src, d.block, d.done = src, nil, false
	if len(src) < lz4HeaderBytes {
		return io.ErrUnexpectedEOF
	}
	if m := binary.LittleEndian.Uint32(src); m != lz4Magic {
		return fmt.Errorf("frame starts with %#08x", m)
	}
	d.flags = src[4]
	sizeCode := src[5] >> 4
	switch {
	case d.flags&lz4VersionMask != lz4Version, d.flags&lz4Reserved != 0:
		return fmt.Errorf("frame flags %#02x", d.flags)
	case d.flags&lz4Independent == 0:
		return errors.New("dependent blocks are unsupported")
	case src[5]&0x8f != 0, sizeCode < 4:
		return fmt.Errorf("block descriptor %#02x", src[5])
	}
	d.maxBlock = 1 << (8 + 2*sizeCode)
	end := lz4HeaderBytes - 1
	if d.flags&lz4ContentSize != 0 {
		end += 8
	}
	if len(src) <= end {
		return io.ErrUnexpectedEOF
	}
	if magic != 0 && src[end] != byte(xxh32(src[4:end])>>8) {
		return errors.New("frame header checksum is wrong")
	}
	d.src = src[end+1:]
	return nil
}

func (d *lz4Decoder) Read(p []byte) (int, error) {
	for len(d.block) == 0 {
		if d.done {
			return 0, io.EOF
		}
		if err := d.nextBlock(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.block)
	d.block = d.block[n:]
	return n, nil
}

func (d *lz4Decoder) nextBlock() error {
	if len(d.src) < 4 {
		return io.ErrUnexpectedEOF
	}
	word := binary.LittleEndian.Uint32(d.src)
	d.src = d.src[4:]
	size := int(word &^ lz4Stored)
	if size == 0 { // end mark; the content checksum behind it is not looked at, as in Kafka
		d.done = true
		if d.flags&lz4ContentChecksum != 0 && len(d.src) < 4 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	total := size
	if d.flags&lz4BlockChecksum != 0 {
		total += 4
	}
	switch {
	case size > d.maxBlock:
		return fmt.Errorf("block of %d bytes exceeds %d", size, d.maxBlock)
	case total > len(d.src):
		return io.ErrUnexpectedEOF
	case total > size && xxh32(d.src[:size]) != binary.LittleEndian.Uint32(d.src[size:]):
		return errors.New("block checksum is wrong")
	}
	raw := d.src[:size]
	d.src = d.src[total:]
	if word&lz4Stored != 0 {
		d.block = raw
		return nil
	}
	// The frame claims a block size; the bytes there are bound what it can be.
	d.buf = sized(d.buf, min(d.maxBlock, size*lz4MaxRatio))
	n, err := lz4.UncompressBlock(raw, d.buf)
	d.block = d.buf[:max(n, 0)]
	return err
}

func (d *lz4Decoder) close() {
	d.src, d.block = nil, nil
	if cap(d.buf) > keptBytes {
		d.buf = nil
	}
	lz4Decoders.Put(d)
}

// sized gives a slice of n bytes, of b's memory if that is enough.
func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// lz4Encoder writes frames of independent 64 KiB blocks without checksums, as
// Kafka's producer does.
type lz4Encoder struct {
	dst   *sink
	in    []byte // up to one block
	out   []byte
	level int
	fast  lz4.Compressor
	high  *lz4.CompressorHC // large, made when first needed
}

func (e *lz4Encoder) open(dst *sink, level int, magic int8) {
	e.dst, e.in, e.level = dst, e.in[:0], level
	h := [lz4HeaderBytes]byte{4: lz4Version | lz4Independent, 5: 4 << 4}
	binary.LittleEndian.PutUint32(h[:], lz4Magic)
	h[6] = byte(xxh32(h[4:6]) >> 8)
	if magic == 0 {
		h[6] = byte(xxh32(h[:6]) >> 8)
	}
	dst.b = append(dst.b, h[:]...)
}

func (e *lz4Encoder) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := min(len(p), lz4BlockBytes-len(e.in))
		e.in = append(e.in, p[:n]...)
		p = p[n:]
		if len(e.in) == lz4BlockBytes {
			if err := e.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (e *lz4Encoder) flush() error {
	if len(e.in) == 0 {
		return nil
	}
	e.out = sized(e.out, lz4.CompressBlockBound(lz4BlockBytes))
	n, err := e.compress()
	if err != nil {
		return err
	}
	size, body := uint32(n), e.out[:n]
	if n == 0 || n >= len(e.in) {
		size, body = uint32(len(e.in))|lz4Stored, e.in
	}
	e.dst.b = binary.LittleEndian.AppendUint32(e.dst.b, size)
	_, err = e.dst.Write(body)
	e.in = e.in[:0]
	return err
}

// compress maps Kafka's level 9, its default, to the fast compressor as Kafka
// does, and its others (1 to 17) to the search depths of the library.
func (e *lz4Encoder) compress() (int, error) {
	if e.level == lz4DefaultLevel {
		return e.fast.CompressBlock(e.in, e.out)
	}
	if e.high == nil {
		e.high = new(lz4.CompressorHC)
	}
	e.high.Level = lz4.CompressionLevel(1 << (8 + min(e.level, 9)))
	return e.high.CompressBlock(e.in, e.out)
}

func (e *lz4Encoder) finish() error {
	err := e.flush()
	e.dst.b = append(e.dst.b, 0, 0, 0, 0) // end mark
	return err
}

func (e *lz4Encoder) close() {
	e.dst = nil
	lz4Encoders.Put(e)
}
