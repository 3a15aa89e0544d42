package producer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func someState() *State {
	s := NewState()
	s.Apply(Batch{ProducerID: 7, Epoch: 2, FirstSeq: 10, LastSeq: 14, FirstOffset: 100, LastOffset: 104, Timestamp: 5000, Transactional: true})
	s.Apply(Batch{ProducerID: 3, Epoch: 0, FirstSeq: None, LastSeq: None, FirstOffset: 105, LastOffset: 105, Control: true,
		Marker: &Marker{CoordinatorEpoch: 4, Timestamp: 6000}})
	return s
}

// TestSnapshotBytes spells a snapshot out, field by field.
func TestSnapshotBytes(t *testing.T) {
	want := "0001" + "ac5968c1" + "00000002" +
		// a producer of which only a marker is known
		"0000000000000003" + "0000" + "ffffffff" + "ffffffffffffffff" + "00000000" + "0000000000001770" + "00000004" + "ffffffffffffffff" +
		// a producer with an open transaction
		"0000000000000007" + "0002" + "0000000e" + "0000000000000068" + "00000004" + "0000000000001388" + "ffffffff" + "0000000000000064"
	if got := hex.EncodeToString(someState().AppendSnapshot(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := hex.EncodeToString(NewState().AppendSnapshot(nil)); len(got) != 2*SnapshotHeader {
		t.Errorf("empty snapshot %s", got)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	s, again := someState(), NewState()
	if err := again.LoadSnapshot(s.AppendSnapshot(nil), 0, 1000); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(again.Active()) != fmt.Sprint(s.Active()) {
		t.Errorf("got %v, want %v", again.Active(), s.Active())
	}
	if o, ok := again.FirstUnstable(); !ok || o != 100 {
		t.Errorf("unstable from %d %v", o, ok)
	}
	expired := NewState()
	if err := expired.LoadSnapshot(s.AppendSnapshot(nil), 6000, 0); err != nil || expired.Len() != 1 {
		t.Errorf("%d producers after expiry, want the one with a transaction (%v)", expired.Len(), err)
	}
}

func TestSnapshotDamaged(t *testing.T) {
	src := someState().AppendSnapshot(nil)
	refused := func(how string, src []byte) {
		t.Helper()
		s := NewState()
		if err := s.LoadSnapshot(src, 0, 1000); !errors.Is(err, ErrSnapshot) || s.Len() != 0 {
			t.Errorf("%s: %v, %d producers", how, err, s.Len())
		}
	}
	for i := range src {
		refused(fmt.Sprintf("cut at %d", i), src[:i])
		flipped := slices.Clone(src)
		flipped[i] ^= 0x10
		refused(fmt.Sprintf("flip at %d", i), flipped)
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(someState().AppendSnapshot(nil))
	f.Add(NewState().AppendSnapshot(nil))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, src []byte) {
		s := NewState()
		if s.LoadSnapshot(src, 0, 1<<60) != nil {
			return
		}
		again := NewState()
		if err := again.LoadSnapshot(s.AppendSnapshot(nil), 0, 1<<60); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(again.Active()) != fmt.Sprint(s.Active()) {
			t.Fatalf("%v became %v", s.Active(), again.Active())
		}
	})
}
