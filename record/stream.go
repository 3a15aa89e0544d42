package record

import (
	"errors"
	"io"
	"sync"
)

// stream is a window on inflated records.
type stream struct {
	codec decoder
	name  Codec
	buf   []byte
	r, w  int   // the unread bytes are buf[r:w]
	taken int64 // bytes consumed so far
	left  int64 // bytes the batch may still inflate to
	most  int   // longest record
	eof   bool
}

var streams = sync.Pool{New: func() any { return &stream{buf: make([]byte, windowBytes)} }}

// openStream starts to inflate src; the caller must close the stream.
func openStream(c Codec, src []byte, magic int8) (*stream, error) {
	d, err := newDecoder(c)
	if err != nil {
		return nil, err
	}
	if err := d.open(src, magic); err != nil {
		d.close()
		return nil, &DecompressError{Codec: c, Err: err}
	}
	s := streams.Get().(*stream)
	*s = stream{codec: d, name: c, buf: s.buf, left: MaxInflatedBytes, most: MaxRecordBytes}
	return s, nil
}

func (s *stream) close() {
	s.codec.close()
	s.codec = nil
	if cap(s.buf) > keptBytes {
		s.buf = make([]byte, windowBytes)
	}
	streams.Put(s)
}

// fill reads more bytes behind those unread, moving them to the front first if
// there is no room. It needs room to come from somewhere: see grow.
func (s *stream) fill() error {
	if s.r > 0 && (s.r == s.w || s.w == len(s.buf)) {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	for range 100 { // as io.Reader implementations may return nothing, but not for ever
		n, err := s.codec.Read(s.buf[s.w:])
		s.w += n
		s.left -= int64(n)
		switch {
		case s.left < 0:
			return invalid("batch inflates to more than %d bytes", int64(MaxInflatedBytes))
		case errors.Is(err, io.EOF):
			s.eof = true
			return nil
		case err != nil:
			return &DecompressError{Codec: s.name, Err: err}
		case n > 0:
			return nil
		}
	}
	return &DecompressError{Codec: s.name, Err: io.ErrNoProgress}
}

// need makes n unread bytes available, or as many as there are until the end.
// The buffer grows only as bytes arrive: by doubling, up to n.
func (s *stream) need(n int) error {
	for s.w-s.r < n && !s.eof {
		if s.w-s.r == len(s.buf) {
			bigger := make([]byte, min(2*len(s.buf), max(n, len(s.buf)+1)))
			s.w = copy(bigger, s.buf[s.r:s.w])
			s.r, s.buf = 0, bigger
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over n bytes without keeping them.
func (s *stream) skip(n int) error {
	for {
		have := min(n, s.w-s.r)
		s.take(have)
		n -= have
		if n == 0 {
			return nil
		}
		if s.eof {
			return errPremature
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// next gives the body of the next record as one slice, valid until the next call.
func (s *stream) next() ([]byte, error) {
	n, err := s.length()
	if err != nil {
		return nil, err
	}
	if err := s.need(n); err != nil {
		return nil, err
	}
	if s.w-s.r < n {
		return nil, errPremature
	}
	body := s.buf[s.r : s.r+n : s.r+n]
	s.take(n)
	return body, nil
}

// length reads the length in front of a record.
func (s *stream) length() (int, error) {
	v, err := s.varint()
	switch {
	case err != nil:
		return 0, err
	case v < 0:
		return 0, errFraming
	case int(v) > s.most:
		return 0, invalid("record of %d bytes is longer than %d", v, s.most)
	}
	return int(v), nil
}

func (s *stream) varint() (int32, error) {
	if s.w-s.r < maxVarint {
		if err := s.need(maxVarint); err != nil {
			return 0, err
		}
	}
	v, i := varint(s.buf[s.r:s.w], 0)
	if i < 0 {
		if s.eof && s.w-s.r < maxVarint {
			return 0, errPremature
		}
		return 0, errFraming
	}
	s.take(i)
	return v, nil
}

func (s *stream) take(n int) {
	s.r += n
	s.taken += int64(n)
}

// atEnd says whether nothing is left to inflate.
func (s *stream) atEnd() (bool, error) {
	for s.r == s.w && !s.eof {
		if err := s.fill(); err != nil {
			return false, err
		}
	}
	return s.r == s.w, nil
}

// What every walk may find wrong with the records section.
var (
	errFraming   error = &InvalidError{Reason: "found invalid record structure"}
	errPremature error = &InvalidError{Reason: "incorrect declared batch size, premature EOF reached"}
	errRemaining error = &InvalidError{Reason: "incorrect declared batch size, records still remaining"}
)

// measure reads the shape of the next record. Records longer than the window
// are passed through it, so that validation holds no more than that.
func (s *stream) measure() (shape, error) {
	n, err := s.length()
	if err != nil {
		return shape{}, err
	}
	if err := s.need(min(n, len(s.buf))); err != nil {
		return shape{}, err
	}
	switch {
	case n > len(s.buf):
		return s.measureLong(n)
	case n > s.w-s.r:
		return shape{}, errPremature
	}
	sh, ok := measure(s.buf[s.r : s.r+n])
	if !ok {
		return sh, errFraming
	}
	s.take(n)
	return sh, nil
}

func (s *stream) measureLong(n int) (sh shape, err error) {
	end := s.taken + int64(n)
	if err = s.need(1 + maxVarlong + maxVarint); err != nil {
		return sh, err
	}
	i := 1 // attributes
	sh.timestampDelta, i = varlong(s.buf[s.r:s.w], i)
	sh.offsetDelta, i = varint(s.buf[s.r:s.w], i)
	if i < 0 {
		return sh, errFraming
	}
	s.take(i)
	if sh.keySize, err = s.skipField(end); err != nil {
		return sh, err
	}
	if _, err = s.skipField(end); err != nil { // value
		return sh, err
	}
	count, err := s.varint()
	if err != nil {
		return sh, err
	}
	if count < 0 || int64(count) > end-s.taken {
		return sh, errFraming
	}
	for range count {
		key, err := s.skipField(end)
		if err == nil && key < 0 {
			err = errFraming
		}
		if err == nil {
			_, err = s.skipField(end)
		}
		if err != nil {
			return sh, err
		}
	}
	if s.taken != end {
		return sh, errFraming
	}
	return sh, nil
}

// skipField passes over a length and as many bytes, which must lie before end.
func (s *stream) skipField(end int64) (int32, error) {
	n, err := s.varint()
	switch {
	case err != nil:
		return 0, err
	case n <= 0:
		return n, nil
	case int64(n) > end-s.taken:
		return 0, errFraming
	}
	return n, s.skip(int(n))
}
