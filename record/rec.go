package record

import "iter"

// Record is one record of a batch or of an old message set. Key, Value and
// Headers alias the batch, or the decoder's buffer when it is compressed; see
// Batch.Records for how long they live.
type Record struct {
	Offset    int64   // absolute
	Timestamp int64   // ms; the append time where the batch is LogAppendTime; -1 for none
	Key       []byte  // nil is null
	Value     []byte  // nil is null, a tombstone
	Headers   Headers // decoded when asked for
}

// Header is one key and value of a record. The key is UTF-8 and never null.
type Header struct {
	Key   []byte
	Value []byte // nil is null
}

// Headers are the headers of a record, already checked and still encoded.
type Headers struct {
	raw   []byte
	count int32
}

// Len is the number of headers.
func (h Headers) Len() int { return int(h.count) }

// All walks the headers in order; a key may repeat.
func (h Headers) All() iter.Seq[Header] {
	return func(yield func(Header) bool) {
		i := 0
		for range h.count {
			var hd Header
			hd.Key, i = field(h.raw, i)
			hd.Value, i = field(h.raw, i)
			if !yield(hd) {
				return
			}
		}
	}
}

// field reads a length and as many bytes of b at i; any negative length is
// null, as in Kafka. The returned index is -1 when b is too short.
func field(b []byte, i int) ([]byte, int) {
	n, i := varint(b, i)
	if n < 0 || i < 0 {
		return nil, i
	}
	end := i + int(n)
	if end > len(b) {
		return nil, -1
	}
	return b[i:end:end], end
}

// skipField is field without the bytes: it returns the length (negative for
// null) and the index behind, or -1.
func skipField(b []byte, i int) (int32, int) {
	n, i := varint(b, i)
	if n < 0 || i < 0 {
		return n, i
	}
	if i += int(n); i > len(b) {
		return n, -1
	}
	return n, i
}

// skipHeaders checks count headers of b at i and returns the index behind, or -1.
func skipHeaders(b []byte, i int, count int32) int {
	if count < 0 || int(count) > len(b)-i {
		return -1
	}
	for range count {
		var key int32
		if key, i = skipField(b, i); key < 0 || i < 0 {
			return -1
		}
		if _, i = skipField(b, i); i < 0 {
			return -1
		}
	}
	return i
}

// shape is what validation needs to know of a record.
type shape struct {
	timestampDelta int64
	offsetDelta    int32
	keySize        int32 // negative for null
}

// measure reads the shape of a record whose body is exactly b.
func measure(b []byte) (s shape, ok bool) {
	i := 1 // attributes, unused so far
	s.timestampDelta, i = varlong(b, i)
	s.offsetDelta, i = varint(b, i)
	s.keySize, i = skipField(b, i)
	_, i = skipField(b, i)
	count, i := varint(b, i)
	if i < 0 {
		return s, false
	}
	if count != 0 {
		i = skipHeaders(b, i, count)
	}
	return s, i == len(b)
}

// decode reads a record whose body is exactly b. Offset and timestamp are left
// as deltas.
func (r *Record) decode(b []byte) bool {
	i := 1
	var delta int32
	r.Timestamp, i = varlong(b, i)
	delta, i = varint(b, i)
	r.Offset = int64(delta)
	r.Key, i = field(b, i)
	r.Value, i = field(b, i)
	count, i := varint(b, i)
	if i < 0 {
		return false
	}
	r.Headers = Headers{}
	if count != 0 {
		start := i
		if i = skipHeaders(b, i, count); i < 0 {
			return false
		}
		r.Headers = Headers{raw: b[start:i:i], count: count}
	}
	return i == len(b)
}

// frame cuts the body of the next record off b.
func frame(b []byte) (body, rest []byte, ok bool) {
	n, i := varint(b, 0)
	if i < 0 || n < 0 || int(n) > len(b)-i {
		return nil, b, false
	}
	end := i + int(n)
	return b[i:end:end], b[end:], true
}
