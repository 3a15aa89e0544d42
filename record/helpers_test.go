package record

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// codecs are all codecs a v2 batch can have.
var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// msg is a record that owns its bytes, for comparison.
type msg struct {
	Offset, Timestamp int64
	Key, Value        []byte
	Headers           []Header
}

func own(r Record) msg {
	m := msg{Offset: r.Offset, Timestamp: r.Timestamp, Key: slices.Clone(r.Key), Value: slices.Clone(r.Value)}
	for h := range r.Headers.All() {
		m.Headers = append(m.Headers, Header{Key: slices.Clone(h.Key), Value: slices.Clone(h.Value)})
	}
	return m
}

func (m msg) String() string {
	s := fmt.Sprintf("%d@%d key=%s value=%s", m.Offset, m.Timestamp, show(m.Key), show(m.Value))
	for _, h := range m.Headers {
		s += fmt.Sprintf(" %s:%s", h.Key, show(h.Value))
	}
	return s
}

func show(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) > 24:
		return fmt.Sprintf("%q…%d", b[:24], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// collect reads all records of a walk.
func collect(t testing.TB, walk func(yield func(Record, error) bool)) []msg {
	t.Helper()
	var out []msg
	for r, err := range walk {
		if err != nil {
			t.Fatalf("after %d records: %v", len(out), err)
		}
		out = append(out, own(r))
	}
	return out
}

func same(t testing.TB, got, want []msg) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if g, w := got[i].String(), want[i].String(); g != w || !bytes.Equal(got[i].Value, want[i].Value) {
			t.Fatalf("record %d:\n got %s\nwant %s", i, g, w)
		}
	}
}

// sample gives n records with every kind of field, from a fixed seed. Values are
// of about size bytes and compress to about half.
func sample(n, size int) []msg {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(size)))
	out := make([]msg, n)
	for i := range out {
		m := msg{Offset: int64(i), Timestamp: 1_700_000_000_000 + int64(rng.IntN(5000)) - 1000, Value: make([]byte, size)}
		for j := range m.Value {
			m.Value[j] = "abcdefghijklmnop"[rng.IntN(16)]
		}
		switch i % 5 {
		case 1:
			m.Key = fmt.Appendf(nil, "key-%d", i)
		case 2:
			m.Key, m.Value = []byte{}, nil
		case 3:
			m.Key = bytes.Repeat([]byte("k"), 100)
			m.Headers = []Header{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte(""), Value: nil}, {Key: []byte("a"), Value: []byte{}}}
		case 4:
			m.Value = []byte{}
		}
		out[i] = m
	}
	return out
}

// build makes a batch of its own memory.
func build(t testing.TB, spec Spec, msgs []msg) Batch {
	t.Helper()
	var bl Builder
	bl.Reset(spec)
	for _, m := range msgs {
		bl.AppendAt(int32(m.Offset), m.Timestamp, m.Key, m.Value, m.Headers...)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatalf("%+v: %v", spec, err)
	}
	return b
}

// at moves messages to a base offset.
func at(base int64, msgs []msg) []msg {
	out := slices.Clone(msgs)
	for i := range out {
		out[i].Offset += base
	}
	return out
}

// openRules are rules that refuse nothing.
func openRules() *Rules {
	return &Rules{Partition: "t-0", Now: 1_700_000_000_500, MaxBeforeMs: 1<<63 - 1, MaxAfterMs: 1<<63 - 1}
}

func isInvalid(err error) bool { _, ok := errors.AsType[*InvalidError](err); return ok }

func isCorrupt(err error) bool { _, ok := errors.AsType[*CorruptError](err); return ok }

// typed says whether err is one of those the package promises for bytes from
// outside, so that a caller can map it to a protocol code.
func typed(err error) bool {
	_, rejected := errors.AsType[*RejectedError](err)
	_, inflate := errors.AsType[*DecompressError](err)
	return isInvalid(err) || isCorrupt(err) || rejected || inflate || errors.Is(err, ErrShort) ||
		errors.Is(err, ErrOldFormat) || errors.Is(err, ErrUnsupportedCodec) || errors.Is(err, ErrTooLarge)
}
