package record

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestBatchCutAtEveryByte(t *testing.T) {
	for _, c := range codecs {
		b := build(t, Spec{Codec: c}, sample(6, 40))
		for n := range len(b) {
			if got, rest, err := Next(b[:n]); !errors.Is(err, ErrShort) || got != nil || len(rest) != n {
				t.Fatalf("%s cut at %d: %v", c, n, err)
			}
			// The bytes that are left, in a header that fits them and a right checksum.
			if n < HeaderSize {
				continue
			}
			cut := edit(b[:n:n], func(b Batch) {
				putHeader(b, uint16(b.Attributes()), b.LastOffsetDelta(), 0, 0, -1, -1, -1, b.Count())
			})
			if err := cut.Verify(); err != nil {
				t.Fatal(err)
			}
			if _, err := cut.ValidateRecords(openRules()); err == nil || !typed(err) {
				t.Fatalf("%s cut at %d of %d: %v", c, n, len(b), err)
			}
		}
	}
}

func TestBatchWithEveryByteFlipped(t *testing.T) {
	for _, c := range codecs {
		good := build(t, Spec{Codec: c}, sample(6, 40))
		for i := range good {
			for _, mask := range []byte{1, 0x80, 0xff} {
				b := slices.Clone(good)
				b[i] ^= mask
				err := b.Verify()
				outside := i < offLength || i >= offLeaderEpoch && i < offMagic
				if outside != (err == nil) || err != nil && !typed(err) {
					t.Fatalf("%s, byte %d ^ %#x: %v", c, i, mask, err)
				}
				// Behind a checksum that is right again, anything but a panic.
				if i >= offCRC {
					b.SetCRC()
					exercise(t, b)
				}
			}
		}
	}
}

// exercise does all one can with a batch from outside; errors must be typed.
func exercise(t testing.TB, b Batch) {
	t.Helper()
	check := func(what string, err error) {
		if err != nil && !typed(err) {
			t.Fatalf("%s: untyped %v", what, err)
		}
	}
	sum, err := b.ValidateRecords(openRules())
	check("validate", err)
	n := int32(0)
	var walkErr error
	for r, err := range b.Records() {
		if walkErr = err; err == nil {
			n++
			_ = own(r) // looks at every header
		}
	}
	check("walk", walkErr)
	if err == nil && (walkErr != nil || n != sum.Count) {
		t.Fatalf("valid batch of %d records walks to %d, %v", sum.Count, n, walkErr)
	}
	_, err = b.EndTxnMarker()
	check("marker", err)
	var bl Builder
	for _, target := range []Target{{Codec: None, MaxBytes: 1 << 20}, {Codec: Snappy, MaxBytes: 1 << 20}} {
		out, err := Recompress(&bl, b, target, nil)
		if errors.Is(err, errEmpty) {
			continue
		}
		check("recompress", err)
		if err == nil {
			if err := out.Verify(); err != nil && int64(b.LastOffsetDelta()) >= int64(b.Count())-1 {
				t.Fatalf("recompressed: %v", err)
			}
		}
	}
	for magic := range int8(2) {
		_, err := Downconvert(nil, b, magic, 0, 1<<20)
		check("downconvert", err)
	}
}

func TestEntryCutAndFlipped(t *testing.T) {
	for magic := range int8(2) {
		for _, c := range codecs[:4] {
			good, err := Downconvert(nil, build(t, Spec{Codec: c}, sample(4, 30)), magic, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for n := range len(good) {
				if err := exerciseSet(t, good[:n]); err == nil && !wholeEntries(good[:n]) {
					t.Fatalf("magic %d %s cut at %d passes", magic, c, n)
				}
			}
			for i := range good {
				set := slices.Clone(good)
				set[i] ^= 0x81
				e, _, err := NextEntry(set)
				if err == nil && i >= offLength && i < len(e) && e.Verify() == nil {
					t.Fatalf("magic %d %s: byte %d flipped unseen", magic, c, i)
				}
				if err == nil && len(e) == len(set) {
					finishEntry(e) // the damage behind a right checksum
				}
				_ = exerciseSet(t, set)
			}
		}
	}
}

func wholeEntries(set []byte) bool {
	for _, err := range Entries(set) {
		if err != nil {
			return false
		}
	}
	return len(set) > 0
}

// exerciseSet does all one can with an old set from outside.
func exerciseSet(t testing.TB, set []byte) error {
	t.Helper()
	var bl Builder
	b, sum, err := Upconvert(&bl, set, Target{Keep: true, MaxBytes: 1 << 20}, openRules())
	if err != nil && !typed(err) {
		t.Fatalf("upconvert: untyped %v", err)
	}
	if err == nil {
		got, err := b.ValidateRecords(openRules())
		if got.RecordBytes = sum.RecordBytes; err != nil || got != sum {
			t.Fatalf("upconverted: %+v, said %+v, %v", got, sum, err)
		}
	}
	for e, err := range Entries(set) {
		if err != nil && !typed(err) {
			t.Fatalf("entries: untyped %v", err)
		}
		if err != nil {
			break
		}
		for _, err := range e.Records() {
			if err != nil && !typed(err) {
				t.Fatalf("messages: untyped %v", err)
			}
		}
	}
	if _, err := Downconvert(nil, set, 0, 0, 1<<20); err != nil && !typed(err) {
		t.Fatalf("downconvert: untyped %v", err)
	}
	return err
}

func TestVerifyRefuses(t *testing.T) {
	good := build(t, Spec{}, sample(3, 10))
	f := func(what string, b Batch, want func(error) bool) {
		t.Helper()
		if err := b.Verify(); !want(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	counts := func(delta, count int32) Batch {
		return edit(good, func(b Batch) { putHeader(b, 0, delta, 0, 0, -1, -1, -1, count) })
	}
	f("nil", nil, is(ErrShort))
	f("cut", good[:len(good)-1], is(ErrShort))
	f("byte behind", append(slices.Clone(good), 0), isCorrupt)
	f("more records than offsets", counts(1, 3), isInvalid)
	f("negative count", counts(1, -1), isInvalid)
	f("negative delta", counts(-1, 0), isInvalid)
	ok := func(err error) bool { return err == nil }
	f("gaps", counts(100, 3), ok)
	f("emptied", counts(100, 0), ok)
	f("emptied by us", good.AppendEmpty(nil), ok)
	old := slices.Clone(good)
	old[offMagic] = 1
	f("magic 1", old, is(ErrOldFormat))
}

func TestAllStopsAtTheFirstError(t *testing.T) {
	one := build(t, Spec{}, sample(2, 10))
	src := slices.Concat(one, one, one[:20])
	var log []string
	for b, err := range All(src) {
		log = append(log, fmt.Sprintf("%d %v", len(b), err))
	}
	want := []string{fmt.Sprintf("%d <nil>", len(one)), fmt.Sprintf("%d <nil>", len(one)), "0 " + ErrShort.Error()}
	if !slices.Equal(log, want) {
		t.Errorf("%q, want %q", log, want)
	}
	for range All(src) {
		break // must be allowed
	}
}
