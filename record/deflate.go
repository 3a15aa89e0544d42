package record

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// DefaultLevel stands for a codec's own default level. No codec has a level 0
// that means anything else.
const DefaultLevel = 0

const (
	lz4DefaultLevel  = 9
	zstdDefaultLevel = 3
	// zstdEncoderWindow is level 3's window in the C library; consumers hold as
	// much to read what was written here.
	zstdEncoderWindow = 2 << 20
)

// Levels are the bounds of compression.<codec>.level and its default; ok is
// false for codecs without levels. gzip also takes -1, its default.
func (c Codec) Levels() (low, high, def int, ok bool) {
	switch c {
	case Gzip:
		return gzip.BestSpeed, gzip.BestCompression, gzip.DefaultCompression, true
	case LZ4:
		return 1, 17, lz4DefaultLevel, true
	case Zstd:
		return -131072, 22, zstdDefaultLevel, true
	}
	return 0, 0, 0, false
}

// sink collects what an encoder writes, up to a limit.
type sink struct {
	b     []byte
	limit int // 0 is none
}

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	if s.limit > 0 && len(s.b) > s.limit {
		return 0, ErrTooLarge
	}
	return len(p), nil
}

// encoder deflates one records section. It belongs to one goroutine from
// newEncoder to close.
type encoder interface {
	io.Writer
	finish() error // writes what is left to the sink
	close()        // back to the pool
}

// newEncoder starts a section in format magic at the end of dst.
func newEncoder(c Codec, level int, dst *sink, magic int8) (encoder, error) {
	low, high, def, leveled := c.Levels()
	switch {
	case !leveled, level == DefaultLevel:
		level = def
	case level != def && (level < low || level > high):
		return nil, fmt.Errorf("%s level %d is not within %d and %d", c, level, low, high)
	}
	switch c {
	case Gzip:
		return newGzipEncoder(level, dst)
	case Snappy:
		e := snappyEncoders.Get().(*snappyEncoder)
		e.open(dst, level, magic)
		return e, nil
	case LZ4:
		e := lz4Encoders.Get().(*lz4Encoder)
		e.open(dst, level, magic)
		return e, nil
	case Zstd:
		if magic < 2 {
			return nil, fmt.Errorf("zstd in magic %d: %w", magic, ErrUnsupportedCodec)
		}
		return newZstdEncoder(zstd.EncoderLevelFromZstd(level), dst)
	}
	return nil, fmt.Errorf("%s: %w", c, ErrUnsupportedCodec)
}

// Encoders by level: gzip's from -1, zstd's by the few that the library has.
var (
	snappyEncoders = sync.Pool{New: func() any { return new(snappyEncoder) }}
	lz4Encoders    = sync.Pool{New: func() any { return new(lz4Encoder) }}
	gzipEncoders   [gzip.BestCompression + 2]sync.Pool
	zstdEncoders   [zstd.SpeedBestCompression + 1]sync.Pool
)

type gzipEncoder struct {
	*gzip.Writer
	level int
}

func newGzipEncoder(level int, dst *sink) (encoder, error) {
	if e, ok := gzipEncoders[level+1].Get().(*gzipEncoder); ok {
		e.Writer.Reset(dst)
		return e, nil
	}
	w, err := gzip.NewWriterLevel(dst, level)
	if err != nil {
		return nil, err
	}
	return &gzipEncoder{Writer: w, level: level}, nil
}

func (e *gzipEncoder) finish() error { return e.Writer.Close() }

func (e *gzipEncoder) close() {
	e.Writer.Reset(io.Discard)
	gzipEncoders[e.level+1].Put(e)
}

type zstdEncoder struct {
	*zstd.Encoder // concurrency 1: works on the caller's goroutine
	level         zstd.EncoderLevel
}

func newZstdEncoder(level zstd.EncoderLevel, dst *sink) (encoder, error) {
	if e, ok := zstdEncoders[level].Get().(*zstdEncoder); ok {
		e.Encoder.Reset(dst)
		return e, nil
	}
	w, err := zstd.NewWriter(dst, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(zstdEncoderWindow), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	return &zstdEncoder{Encoder: w, level: level}, nil
}

func (e *zstdEncoder) finish() error { return e.Encoder.Close() }

func (e *zstdEncoder) close() {
	e.Encoder.Reset(nil)
	zstdEncoders[e.level].Put(e)
}
