package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// Snappy blocks in the framing of the xerial library, which Java uses: a
// 16-byte header, then blocks with big-endian lengths. Bytes without the header
// are one plain block, as some clients of old sent.
const (
	xerialMagic      = "\x82SNAPPY\x00"
	xerialHeader     = 16
	xerialVersion    = 1
	xerialBlockBytes = 32 << 10 // snappy-java's block size
	// snappyMaxBlock bounds one inflated block. Blocks hold what their tags say,
	// at most 64 bytes for two of input, so this is reached by real bytes only.
	snappyMaxBlock = MaxRecordBytes
)

type snappyDecoder struct {
	src   []byte
	block []byte // decoded, unread bytes of buf
	buf   []byte
	plain bool // one block without framing
}

func (d *snappyDecoder) open(src []byte, _ int8) error {
	d.src, d.block, d.plain = src, nil, false
	if len(src) < len(xerialMagic) || string(src[:len(xerialMagic)]) != xerialMagic {
		d.plain = true
		return nil
	}
	return d.header()
}

// header reads the framing header; streams may be joined, so it can come again.
func (d *snappyDecoder) header() error {
	if len(d.src) < xerialHeader {
		return io.ErrUnexpectedEOF
	}
	if v := int32(binary.BigEndian.Uint32(d.src[12:])); v < xerialVersion {
		return fmt.Errorf("framing is compatible with version %d", v)
	}
	d.src = d.src[xerialHeader:]
	return nil
}

func (d *snappyDecoder) Read(p []byte) (int, error) {
	for len(d.block) == 0 {
		if len(d.src) == 0 {
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

func (d *snappyDecoder) nextBlock() error {
	raw := d.src
	if d.plain {
		d.src = nil
	} else {
		if len(raw) >= len(xerialMagic) && string(raw[:len(xerialMagic)]) == xerialMagic {
			return d.header()
		}
		if len(raw) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(raw)
		if uint64(n) > uint64(len(raw)-4) {
			return io.ErrUnexpectedEOF
		}
		raw, d.src = raw[4:4+n], raw[4+n:]
	}
	size, err := snappyLen(raw)
	if err != nil {
		return err
	}
	d.buf = sized(d.buf, size)
	d.block, err = s2.Decode(d.buf, raw)
	return err
}

func (d *snappyDecoder) close() {
	d.src, d.block = nil, nil
	if cap(d.buf) > keptBytes {
		d.buf = nil
	}
	snappyDecoders.Put(d)
}

// snappyLen walks the tags of a block and returns the length it inflates to. It
// exists because the library also takes its own extension of the format
// (repeats, written as copies from offset 0), which no other client could read
// back, and because it allocates what the block claims.
func snappyLen(b []byte) (int, error) {
	claimed, i := binary.Uvarint(b)
	if i <= 0 || claimed > snappyMaxBlock {
		return 0, fmt.Errorf("block claims %d bytes: %w", claimed, errBlock)
	}
	size := 0
	for i < len(b) {
		tag := b[i]
		i++
		switch tag & 3 {
		case 0: // literal; lengths above 60 follow in 1 to 4 bytes
			n := int(tag >> 2)
			if n >= 60 {
				extra := n - 59
				if extra > len(b)-i {
					return 0, errBlock
				}
				n = 0
				for j := range extra {
					n |= int(b[i+j]) << (8 * j)
				}
				i += extra
			}
			n++
			if n <= 0 || n > len(b)-i {
				return 0, errBlock
			}
			size, i = size+n, i+n
		case 1:
			if i >= len(b) || tag&0xe0 == 0 && b[i] == 0 {
				return 0, errSnappyRepeat
			}
			size, i = size+4+int(tag>>2&7), i+1
		case 2:
			size, i = size+1+int(tag>>2), i+2
		case 3:
			size, i = size+1+int(tag>>2), i+4
		}
	}
	if i != len(b) || size != int(claimed) {
		return 0, errBlock
	}
	return size, nil
}

var (
	errBlock        = errors.New("corrupt block")
	errSnappyRepeat = errors.New("copy from offset 0")
)

// snappyEncoder writes xerial framing.
type snappyEncoder struct {
	dst *sink
	in  []byte // up to one block
	out []byte
}

func (e *snappyEncoder) open(dst *sink, _ int, _ int8) {
	e.dst, e.in = dst, e.in[:0]
	dst.b = append(dst.b, xerialMagic...)
	dst.b = append(dst.b, 0, 0, 0, xerialVersion, 0, 0, 0, xerialVersion)
}

func (e *snappyEncoder) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := min(len(p), xerialBlockBytes-len(e.in))
		e.in = append(e.in, p[:n]...)
		p = p[n:]
		if len(e.in) == xerialBlockBytes {
			if err := e.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (e *snappyEncoder) flush() error {
	if len(e.in) == 0 {
		return nil
	}
	e.out = s2.EncodeSnappy(e.out[:cap(e.out)], e.in)
	e.dst.b = binary.BigEndian.AppendUint32(e.dst.b, uint32(len(e.out)))
	_, err := e.dst.Write(e.out)
	e.in = e.in[:0]
	return err
}

func (e *snappyEncoder) finish() error { return e.flush() }

func (e *snappyEncoder) close() {
	e.dst = nil
	snappyEncoders.Put(e)
}
