package storage

import (
	"io"

	"github.com/gregor-mq/gregor/internal/env"
)

// Span is record bytes that lie in a segment: whole batches from the first on,
// the last may be cut off. It keeps the file open, so Release must be called
// exactly once for a Span that is not empty. The zero value is empty.
//
// The bytes stay readable when the segment is deleted meanwhile. A truncation
// of the log may change them: below the high watermark only an unclean election
// causes one, above it, where replicas read, every change of leader may.
type Span struct {
	h   *handle
	seg *segment
	pos int64
	n   int
}

// Size is the number of bytes.
func (s Span) Size() int { return s.n }

// Release gives the file back.
func (s Span) Release() {
	if s.h != nil {
		s.h.release()
	}
}

// ReadAt reads from byte off of the span, as io.ReaderAt.
func (s Span) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(s.n) {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), int64(s.n)-off)]
	n, err := s.h.file.ReadAt(want, s.pos+off)
	if n == len(want) {
		err = nil
		if n < len(p) {
			err = io.EOF
		}
	}
	return n, err
}

// AppendTo appends the bytes to dst. On an error dst is returned as it was.
func (s Span) AppendTo(dst []byte) ([]byte, error) {
	if s.n == 0 {
		return dst, nil
	}
	at := len(dst)
	if cap(dst)-at < s.n {
		grown := make([]byte, at, at+s.n)
		copy(grown, dst)
		dst = grown
	}
	if _, err := s.h.file.ReadAt(dst[at:at+s.n], s.pos); err != nil {
		return dst[:at], err
	}
	return dst[:at+s.n], nil
}

// File gives the file and the range in it, for a zero-copy send.
func (s Span) File() (f env.File, pos int64, n int) {
	if s.h == nil {
		return nil, 0, 0
	}
	return s.h.file, s.pos, s.n
}

// Trim shortens the span to at most n bytes. A span of no bytes still must be
// released.
func (s Span) Trim(n int) Span {
	s.n = max(0, min(s.n, n))
	return s
}
