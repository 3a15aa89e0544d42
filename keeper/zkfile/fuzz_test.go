package zkfile

import (
	"errors"
	"testing"

	"github.com/gregor-mq/gregor/keeper/tree"
)

// fits checks that the keeper can take over whatever was read.
func fits(t *testing.T, s *State) {
	t.Helper()
	b := tree.NewBuilder(tree.Options{ExtendedTypes: true})
	if err := s.Images(b.Add); err != nil {
		t.Fatalf("it was read, and cannot be used: %v", err)
	}
	built, err := b.Finish(s.Zxid)
	if err != nil {
		t.Fatal(err)
	}
	built.Close()
}

func FuzzReadSnapshot(f *testing.F) {
	s, _ := told(story())
	plain := tailLast(tailDigest(snapBytes(s), 15, 99), 16)
	f.Add(byte(0), plain)
	f.Add(byte(1), gzipped(plain))
	f.Add(byte(2), snapped(plain))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		d := disk(t)
		name := "snapshot.e" + []string{"", packedGzip, packedSnappy}[kind%3]
		got, err := ReadSnapshot(d, put(t, d, name, b))
		if _, damaged := errors.AsType[*CorruptError](err); damaged {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		fits(t, got.State)
		got.EndDead()
		fits(t, got.State)
	})
}

func FuzzReadLog(f *testing.F) {
	_, log := told(story())
	f.Add(logBytes(log...))
	f.Add(append(logBytes(log[:2]...), 0, 0, 0, 0, 9, 9, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := disk(t)
		s := New()
		_, err := readLog(d, put(t, d, "log.1", b), func(x *tree.Txn, _ *Digest) string {
			s.Apply(x)
			s.Apply(x) // in a fuzzy snapshot it may be already
			return ""
		})
		if _, damaged := errors.AsType[*CorruptError](err); err != nil && !damaged {
			t.Fatal(err)
		}
		fits(t, s)
	})
}

// FuzzDecodeTxn goes past checksums, which keep FuzzReadLog from most of it.
func FuzzDecodeTxn(f *testing.F) {
	txns := story()
	for i := range txns {
		f.Add(encode(&txns[i]))
		f.Add(withDigest(encode(&txns[i]), 5))
	}
	base, _ := told(txns[:10])
	f.Fuzz(func(t *testing.T, b []byte) {
		x, _, reason := decodeTxn(b)
		if reason != "" {
			return
		}
		s := clone(base)
		s.Apply(&x)
		s.Apply(&x)
		fits(t, s)
	})
}
