package record

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Bounds on what bytes from outside can make a reader hold or do.
const (
	// MaxRecordBytes is the longest record of a compressed batch, and so the
	// most a reader buffers: the power of two above socket.request.max.bytes
	// (100 MiB), which bounds an uncompressed one.
	MaxRecordBytes = 128 << 20
	// MaxInflatedBytes is how much one batch may inflate to. A megabyte of zstd
	// can stand for 32 GiB of zeros; a gigabyte costs about a second.
	MaxInflatedBytes = 1 << 30
	// windowBytes is the buffer of a reader; records beyond it are streamed
	// through by validation and make the buffer grow in iteration.
	windowBytes = 64 << 10
	// keptBytes is the largest buffer that goes back to a pool.
	keptBytes = 1 << 20
)

// DecompressError says that a codec could not read the records section. Kafka
// answers UNKNOWN_SERVER_ERROR (-1).
type DecompressError struct {
	Codec Codec
	Err   error
}

func (e *DecompressError) Error() string { return fmt.Sprintf("%s: %v", e.Codec, e.Err) }

// Unwrap gives the codec's own error.
func (e *DecompressError) Unwrap() error { return e.Err }

// decoder inflates one records section. It belongs to one goroutine from open
// to close.
type decoder interface {
	io.Reader
	// open starts on src, which it may alias until close. magic is the format
	// around it: lz4's header checksum was wrong in magic 0.
	open(src []byte, magic int8) error
	// close forgets src and goes back to the pool.
	close()
}

func newDecoder(c Codec) (decoder, error) {
	switch c {
	case Gzip:
		return gzipDecoders.Get().(*gzipDecoder), nil
	case Snappy:
		return snappyDecoders.Get().(*snappyDecoder), nil
	case LZ4:
		return lz4Decoders.Get().(*lz4Decoder), nil
	case Zstd:
		return zstdDecoders.Get().(*zstdDecoder), nil
	}
	return nil, fmt.Errorf("%s: %w", c, ErrUnsupportedCodec)
}

var (
	gzipDecoders   = sync.Pool{New: func() any { return new(gzipDecoder) }}
	snappyDecoders = sync.Pool{New: func() any { return new(snappyDecoder) }}
	lz4Decoders    = sync.Pool{New: func() any { return new(lz4Decoder) }}
	zstdDecoders   = sync.Pool{New: func() any { return new(zstdDecoder) }}
)

type gzipDecoder struct {
	src bytes.Reader
	zr  gzip.Reader
}

func (d *gzipDecoder) open(src []byte, _ int8) error {
	d.src.Reset(src)
	return d.zr.Reset(&d.src)
}

func (d *gzipDecoder) Read(p []byte) (int, error) { return d.zr.Read(p) }

func (d *gzipDecoder) close() {
	d.src.Reset(nil)
	gzipDecoders.Put(d)
}

// Zstandard decoders hold a window as large as the frame's header says.
const (
	// zstdWindow is the window a pooled decoder may hold: what RFC 8878
	// recommends to support, and what level 19 asks for.
	zstdWindow = 8 << 20
	// zstdLargeWindow is the most any frame gets: the limit of the C library's
	// decoder (and so of Kafka's), asked for by level 22.
	zstdLargeWindow = 128 << 20
	// zstdLargeReaders is how many large windows exist at a time, so that tiny
	// frames with large claims cannot add up; others wait.
	zstdLargeReaders = 2
)

var zstdLarge = make(chan struct{}, zstdLargeReaders)

type zstdDecoder struct {
	src   onlyReader
	small *zstd.Decoder
	large *zstd.Decoder // open with a large window, holds a place of zstdLarge
}

// onlyReader hides the methods by which the library would recognise bytes in
// memory and inflate them whole.
type onlyReader struct{ r bytes.Reader }

func (r *onlyReader) Read(p []byte) (int, error) { return r.r.Read(p) }

func (d *zstdDecoder) open(src []byte, _ int8) error {
	d.src.r.Reset(src)
	var h zstd.Header
	if err := h.Decode(src); err != nil && len(src) > 0 {
		return err
	}
	need := h.WindowSize
	if h.SingleSegment {
		need = h.FrameContentSize
	}
	if need > zstdLargeWindow {
		return fmt.Errorf("window of %d bytes is above %d", need, zstdLargeWindow)
	}
	if need > zstdWindow {
		zstdLarge <- struct{}{}
		var err error
		if d.large, err = newZstdDecoder(&d.src, zstdLargeWindow); err != nil {
			<-zstdLarge
		}
		return err
	}
	if d.small != nil {
		return d.small.Reset(&d.src)
	}
	var err error
	d.small, err = newZstdDecoder(&d.src, zstdWindow)
	return err
}

// newZstdDecoder makes a decoder that works on the caller's goroutine.
func newZstdDecoder(r io.Reader, window uint64) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(window), zstd.WithDecodeBuffersBelow(0))
}

func (d *zstdDecoder) Read(p []byte) (int, error) {
	if d.large != nil {
		return d.large.Read(p)
	}
	return d.small.Read(p)
}

func (d *zstdDecoder) close() {
	d.src.r.Reset(nil)
	if d.large != nil {
		d.large.Close()
		d.large = nil
		<-zstdLarge
	}
	zstdDecoders.Put(d)
}
