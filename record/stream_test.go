package record

import (
	"errors"
	"slices"
	"testing"
)

// Through a window of a few bytes every record is longer than the window, so
// that the streaming reader is held against the one that sees a record whole.
func TestTinyWindowReadsAsWhole(t *testing.T) {
	good := []byte(build(t, Spec{}, sample(10, 60)).RecordBytes())
	same := func(section []byte) {
		t.Helper()
		want, wantErr := flatShapes(section, 10)
		got, gotErr := streamedShapes(t, section, 10)
		if !slices.Equal(got, want) || (gotErr == nil) != (wantErr == nil) || gotErr != nil && !isInvalid(gotErr) {
			t.Fatalf("streamed %v, %v\nwhole    %v, %v", got, gotErr, want, wantErr)
		}
	}
	same(good)
	for n := range len(good) {
		same(good[:n])
	}
	for i := range good {
		for _, mask := range []byte{1, 2, 0x40, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[i] ^= mask
			same(bad)
		}
	}
}

func flatShapes(section []byte, count int) (out []shape, err error) {
	for range count {
		body, rest, ok := frame(section)
		if !ok {
			return out, errFraming
		}
		s, ok := measure(body)
		if !ok {
			return out, errFraming
		}
		out, section = append(out, s), rest
	}
	if len(section) > 0 {
		return out, errRemaining
	}
	return out, nil
}

func streamedShapes(t *testing.T, section []byte, count int) (out []shape, err error) {
	b := frameRecords(t, LZ4, int32(count), section)
	s, err := openStream(LZ4, b.RecordBytes(), 2)
	if err != nil {
		t.Fatal(err)
	}
	s.buf = make([]byte, 16) // dropped with the stream
	defer s.codec.close()
	for range count {
		sh, err := s.measure()
		if err != nil {
			return out, err
		}
		out = append(out, sh)
	}
	return out, s.mustEnd()
}

func TestWalkMayStop(t *testing.T) {
	for _, c := range codecs {
		b := build(t, Spec{Codec: c}, sample(2000, 100))
		for range 50 { // decoders come back to their pools unfinished
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if r.Offset == 3 {
					break
				}
			}
		}
		same(t, collect(t, b.Records()), sample(2000, 100))
	}
}

func TestInnerEntries(t *testing.T) {
	good := slices.Concat(plain(1, 0, 5, "a"), plain(1, 1, 6, "b"))
	f := func(what string, inner []byte, want func(error) bool) {
		t.Helper()
		e := wrap(t, 1, Gzip, 1, CreateTime, 6, inner)
		var failed error
		for _, err := range e.Records() {
			failed = err
		}
		if !want(failed) {
			t.Errorf("%s: %v", what, failed)
		}
	}
	f("good", good, func(err error) bool { return err == nil })
	f("cut prefix", good[:len(good)-30], isInvalid)
	f("cut value", good[:len(good)-1], isInvalid)
	f("v2 batch", build(t, Spec{}, sample(2, 10)), isInvalid)
	bad := slices.Clone(good)
	bad[offLength] = 0x80
	f("negative length", bad, isCorrupt)
	bad[offLength], bad[offLength+1] = 0x7f, 0xff
	f("length beyond any record", bad, isInvalid)
}

func TestErrorsSpeak(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	f(corrupt("magic %d", 9), "corrupt batch: magic 9")
	f(invalid("count %d", -1), "invalid record: count -1")
	inner := errors.New("bad block")
	err := &DecompressError{Codec: LZ4, Err: inner}
	f(err, "lz4: bad block")
	if !errors.Is(err, inner) {
		t.Error("hides its cause")
	}
}
