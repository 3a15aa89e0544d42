package wire

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
)

// density is how many bytes of memory a byte of input may cost: 22 by the
// layout of the generated structs, and a quarter more for the allocator,
// which rounds sizes up.
const density = 28

// slack covers what the runtime and the test itself allocate meanwhile.
const slack = 64 << 10

// allocated returns the bytes that f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestHostile feeds every message with inputs that are all lengths: each byte
// value that a claim may begin with, many times over.
func TestHostile(t *testing.T) {
	const size = 16 << 10
	var inputs [][]byte
	for _, b := range []string{"\x00", "\x01", "\x02", "\x7f", "\x80", "\xff", "\xff\xff\xff\xff\x07", "\x00\x00\x0f\x00", "\x00\x00\x00\x01", "\x80\x40", "\x02\x01\x00"} {
		inputs = append(inputs, bytes.Repeat([]byte(b), size/len(b)))
	}
	for _, s := range subjects() {
		for v := s.min; v <= s.max; v++ {
			for _, src := range inputs {
				m := s.ours()
				if n := allocated(func() { m.Decode(src, v) }); n > density*len(src)+slack {
					t.Errorf("%s v%d: %d bytes for input of %d, %x...", s.name, v, n, len(src), src[:8])
				}
			}
		}
	}
}

// TestLies takes good messages and makes each of their bytes in turn begin a
// huge length.
func TestLies(t *testing.T) {
	for i, s := range subjects() {
		for v := s.min; v <= s.max; v++ {
			m := s.ours()
			newFiller(uint64(i), uint64(v), 4).fill(m)
			good := encodeSettled(t, m, v)
			good = good[:min(len(good), 400)]
			budget := slack
			n := allocated(func() {
				for _, lie := range []string{"\x7f\xff\xff\xff", "\xff\xff\xff\xff\x0f", "\x00\x00\x00\x40"} {
					for at := range good {
						src := bytes.Clone(good)
						copy(src[at:], lie)
						budget += density*len(src) + 1024 // and the errors
						s.ours().Decode(src, v)
					}
				}
			})
			if n > budget {
				t.Errorf("%s v%d: %d bytes, budget %d", s.name, v, n, budget)
			}
		}
	}
}

// TestNestedLies has an array claim every byte that is left, and an array in
// its first element claim them all again: without reservations 32 bytes of
// memory for each.
func TestNestedLies(t *testing.T) {
	const size = 1 << 20
	var w Writer
	w.uvarint(size/3 - 10) // groups, of 3 bytes at least
	w.string("", true)
	w.uvarint(size/3 - 10) // topics, likewise
	src := append(w.Bytes(), make([]byte, size-len(w.Bytes()))...)
	var err error
	n := allocated(func() { err = NewOffsetFetchRequest().Decode(src, 8) })
	if !errors.Is(err, ErrShort) || n > 22*size+slack {
		t.Errorf("%v, %d bytes for input of %d", err, n, size)
	}
}

// TestCuts cuts a good message at each byte: nothing shorter is complete.
func TestCuts(t *testing.T) {
	for i, s := range subjects() {
		for v := s.min; v <= s.max; v++ {
			m := s.ours()
			newFiller(uint64(i), uint64(v), 5).fill(m)
			good := encodeSettled(t, m, v)
			for n := range min(len(good), 600) {
				if err := s.ours().Decode(good[:n:n], v); err == nil {
					t.Fatalf("%s v%d: complete with %d of %d bytes", s.name, v, n, len(good))
				}
			}
		}
	}
}

// FuzzDecode decodes anything as anything. What decodes must encode, and
// decode to the same again.
func FuzzDecode(f *testing.F) {
	all := subjects()
	for i, s := range all {
		if s.max == 0 {
			continue
		}
		m := s.ours()
		newFiller(uint64(i), 6).fill(m)
		f.Add(uint8(i), uint8(s.max), encodeSettled(f, m, s.max))
	}
	f.Fuzz(func(t *testing.T, which, version uint8, src []byte) {
		s := all[int(which)%len(all)]
		v := s.min + int16(version)%(s.max-s.min+1)
		m := s.ours()
		var err error
		if n := allocated(func() { err = m.Decode(src, v) }); n > density*len(src)+slack {
			t.Fatalf("%s v%d: %d bytes for input of %d", s.name, v, n, len(src))
		}
		if err != nil {
			return
		}
		once, err := Append(nil, m, v)
		if err != nil {
			t.Fatalf("%s v%d: decoded, but: %v", s.name, v, err)
		}
		again := s.ours()
		if err := again.Decode(once, v); err != nil {
			t.Fatalf("%s v%d: encoded, but: %v", s.name, v, err)
		}
		if twice, err := Append(nil, again, v); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s v%d: %v\nonce  %x\ntwice %x", s.name, v, err, once, twice)
		}
	})
}

// FuzzRequestHeader reads the front of any frame.
func FuzzRequestHeader(f *testing.F) {
	f.Add(AppendRequestHeader(nil, RequestHeader{KeyProduce, 9, 1, new("a")}))
	f.Add(AppendRequestHeader(nil, RequestHeader{KeyControlledShutdown, 0, 1, nil}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := DecodeRequestHeader(frame)
		if err != nil {
			return
		}
		again, rest, err := DecodeRequestHeader(append(AppendRequestHeader(nil, h), body...))
		if err != nil || !bytes.Equal(rest, body) || again.Key != h.Key || again.CorrelationID != h.CorrelationID {
			t.Fatalf("%+v became %+v, %v", h, again, err)
		}
	})
}
