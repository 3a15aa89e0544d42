package record

import (
	"encoding/hex"
	"errors"
	"testing"
)

func TestAddSequenceWraps(t *testing.T) {
	f := func(seq, n, want int32) {
		t.Helper()
		if got := AddSequence(seq, n); got != want {
			t.Errorf("AddSequence(%d, %d) = %d, want %d", seq, n, got, want)
		}
	}
	f(0, 5, 5)
	f(1<<31-1, 1, 0)
	f(1<<31-3, 5, 2)
}

func TestNextRefuses(t *testing.T) {
	f := func(prefix string, want error) {
		t.Helper()
		src, err := hex.DecodeString(prefix)
		if err != nil {
			t.Fatal(err)
		}
		b, rest, err := Next(src)
		if b != nil || len(rest) != len(src) {
			t.Errorf("%s: gave %d bytes, rest %d", prefix, len(b), len(rest))
		}
		if want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", prefix, err, want)
		}
		if _, ok := errors.AsType[*CorruptError](err); want == nil && !ok {
			t.Errorf("%s: %v, want a *CorruptError", prefix, err)
		}
	}
	f("", ErrShort)
	f("0000000000000000000000ff00000000", ErrShort)
	f("0000000000000000000000ff0000000002", ErrShort)
	f("0000000000000000000000ff0000000001", ErrOldFormat)
	f("0000000000000000000000ff0000000003", nil)
	f("0000000000000000000000ff00000000ff", nil)
	f("0000000000000000000000300000000002", nil) // one byte below a header
	f("0000000000000000ffffffff0000000002", nil)
}
