package record

import (
	"errors"
	"iter"
)

// Records walks the records of the batch; the first error (*InvalidError,
// *DecompressError, ErrUnsupportedCodec) ends the walk. It checks the framing
// of what it passes, and at the end that count and bytes agree.
//
// Records of an uncompressed batch alias it. Those of a compressed one alias
// the decoder's buffer and live until the loop goes on. Nothing is allocated in
// either case, beyond what a record longer than the decoder's window needs.
func (b Batch) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { b.walk(yield) }
}

func (b Batch) walk(yield func(Record, error) bool) {
	if b.Count() == 0 { // as compaction leaves it; Kafka looks no further
		return
	}
	var err error
	if b.Codec() == None {
		err = b.walkFlat(yield)
	} else {
		err = b.walkInflated(yield)
	}
	if err != nil && !errors.Is(err, errStopped) {
		yield(Record{}, err)
	}
}

// errStopped says inside a walk that its caller wants no more.
var errStopped error = &InvalidError{Reason: "walk stopped"}

// origin turns deltas of a batch into offsets and timestamps.
type origin struct {
	offset    int64
	timestamp int64
	fixed     bool // LogAppendTime: timestamp is that of every record
}

func (b Batch) origin() origin {
	if b.TimestampType() == LogAppendTime {
		return origin{offset: b.BaseOffset(), timestamp: b.MaxTimestamp(), fixed: true}
	}
	return origin{offset: b.BaseOffset(), timestamp: b.BaseTimestamp()}
}

func (o *origin) place(r *Record) {
	r.Offset += o.offset
	if o.fixed {
		r.Timestamp = o.timestamp
	} else {
		r.Timestamp += o.timestamp
	}
}

func (b Batch) walkFlat(yield func(Record, error) bool) error {
	from, rest := b.origin(), b.RecordBytes()
	for range b.Count() {
		body, more, ok := frame(rest)
		var r Record
		if !ok || !r.decode(body) {
			return errFraming
		}
		rest = more
		from.place(&r)
		if !yield(r, nil) {
			return errStopped
		}
	}
	if len(rest) > 0 {
		return errRemaining
	}
	return nil
}

func (b Batch) walkInflated(yield func(Record, error) bool) error {
	s, err := openStream(b.Codec(), b.RecordBytes(), b.Magic())
	if err != nil {
		return err
	}
	defer s.close()
	from := b.origin()
	for range b.Count() {
		body, err := s.next()
		if err != nil {
			return err
		}
		var r Record
		if !r.decode(body) {
			return errFraming
		}
		from.place(&r)
		if !yield(r, nil) {
			return errStopped
		}
	}
	return s.mustEnd()
}

// mustEnd is errRemaining if anything is left, and it makes the codec check
// what it has at its end (gzip's checksum).
func (s *stream) mustEnd() error {
	end, err := s.atEnd()
	if err == nil && !end {
		err = errRemaining
	}
	return err
}
