package coordinator

import (
	"encoding/binary"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// entry builds a batch of offset records for group g: topic t, partition n.
func entry(t testing.TB, spec record.Spec, offsets map[int32]int64) []byte {
	t.Helper()
	var bl record.Builder
	spec.Level = record.DefaultLevel
	bl.Reset(spec)
	for p := range int32(100) {
		n, ok := offsets[p]
		if !ok {
			continue
		}
		var value []byte
		if n >= 0 {
			value = versioned(t, 3, &wire.OffsetCommitValue{Offset: n, LeaderEpoch: -1})
		}
		bl.Append(1, versioned(t, 1, &wire.OffsetCommitKey{Group: "g", Topic: "t", Partition: p}), value)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}

func versioned(t testing.TB, version int16, body wire.Body) []byte {
	t.Helper()
	out, err := wire.Append(binary.BigEndian.AppendUint16(nil, uint16(version)), body, version)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newLoading() *loading {
	return &loading{machine: group.New(group.DefaultConfig()), log: slog.New(slog.DiscardHandler)}
}

// offsets returns what a machine has loaded for group g.
func (ld *loading) offsets() map[int32]int64 {
	now := time.UnixMilli(1)
	ld.machine.Step(now, group.Loaded{})
	out := map[int32]int64{}
	for _, topic := range ld.machine.Step(now, group.Fetch{Ticket: 1, Group: "g"}).Replies[0].Body.(group.FetchReply).Topics {
		for _, p := range topic.Partitions {
			out[p.Partition] = p.Offset
		}
	}
	return out
}

func TestLoadReadsWhatBrokersWrite(t *testing.T) {
	marker := func(base, producer int64, commit record.ControlType) []byte {
		b := record.AppendEndTxnMarker(nil, producer, 1, record.EndTxnMarker{Type: commit}, 1)
		record.Batch(b).SetBaseOffset(base)
		return b
	}
	txn := func(base, producer int64) record.Spec {
		return record.Spec{BaseOffset: base, HasProducer: true, ProducerID: producer, ProducerEpoch: 1, Transactional: true}
	}
	f := func(what string, want map[int32]int64, entries ...[]byte) {
		t.Helper()
		ld := newLoading()
		next, err := ld.entries(slices.Concat(entries...), 0)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		last := record.Batch(entries[len(entries)-1])
		if last.Magic() == 2 && next != last.LastOffset()+1 {
			t.Errorf("%s: ends at %d", what, next)
		}
		got := ld.offsets()
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		for p, n := range want {
			if got[p] != n {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
	}
	f("plain", map[int32]int64{0: 5, 1: 6}, entry(t, record.Spec{}, map[int32]int64{0: 5, 1: 6}))
	f("gzip", map[int32]int64{0: 5, 1: 6}, entry(t, record.Spec{Codec: record.Gzip}, map[int32]int64{0: 5, 1: 6}))
	f("tombstone", map[int32]int64{1: 6},
		entry(t, record.Spec{}, map[int32]int64{0: 5, 1: 6}), entry(t, record.Spec{BaseOffset: 9}, map[int32]int64{0: -1}))
	f("open transaction", map[int32]int64{0: 5},
		entry(t, record.Spec{}, map[int32]int64{0: 5}), entry(t, txn(1, 7), map[int32]int64{0: 6, 1: 7}))
	f("committed", map[int32]int64{0: 6, 1: 7},
		entry(t, record.Spec{}, map[int32]int64{0: 5}), entry(t, txn(1, 7), map[int32]int64{0: 6, 1: 7}), marker(3, 7, record.ControlCommit))
	f("aborted", map[int32]int64{0: 5},
		entry(t, record.Spec{}, map[int32]int64{0: 5}), entry(t, txn(1, 7), map[int32]int64{0: 6}), marker(2, 7, record.ControlAbort))
	f("somebody else's marker", map[int32]int64{},
		entry(t, txn(0, 7), map[int32]int64{0: 6}), marker(1, 8, record.ControlCommit))
	f("plain commit behind the transaction's", map[int32]int64{0: 9},
		entry(t, txn(0, 7), map[int32]int64{0: 6}), entry(t, record.Spec{BaseOffset: 1}, map[int32]int64{0: 9}), marker(2, 7, record.ControlCommit))
	f("tombstone inside the transaction", map[int32]int64{1: 7},
		entry(t, txn(0, 7), map[int32]int64{0: 6, 1: 7}), entry(t, txn(2, 7), map[int32]int64{0: -1}), marker(3, 7, record.ControlCommit))
	f("plain tombstone beside the transaction", map[int32]int64{0: 6},
		entry(t, txn(0, 7), map[int32]int64{0: 6}), entry(t, record.Spec{BaseOffset: 1}, map[int32]int64{0: -1}), marker(2, 7, record.ControlCommit))
	f("emptied by compaction", map[int32]int64{},
		record.Batch(entry(t, txn(0, 7), map[int32]int64{0: 6})).AppendEmpty(nil))

	old, err := record.Downconvert(nil, entry(t, record.Spec{BaseOffset: 40}, map[int32]int64{0: 5, 1: 6}), 1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	f("messages of format 1", map[int32]int64{0: 5, 1: 8}, old, entry(t, record.Spec{BaseOffset: 42}, map[int32]int64{1: 8}))
}

// strangeBatch holds a record of a kind that nobody knows.
func strangeBatch(t *testing.T) []byte {
	t.Helper()
	var bl record.Builder
	bl.Reset(record.Spec{})
	bl.Append(1, []byte{0, 9, 1}, []byte("new"))
	strange, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(strange)
}

func TestLoadSkipsAndStops(t *testing.T) {
	good := entry(t, record.Spec{BaseOffset: 1}, map[int32]int64{0: 5})

	// A record that is none of ours, and a batch whose records do not parse.
	ld := newLoading()
	if _, err := ld.entries(slices.Concat(strangeBatch(t), good), 0); err != nil || ld.skipped != 1 || ld.offsets()[0] != 5 {
		t.Errorf("skipped %d, %v, %v", ld.skipped, err, ld.offsets())
	}
	broken := entry(t, record.Spec{}, map[int32]int64{0: 5})
	broken[record.HeaderSize] = 0xff
	ld = newLoading()
	if _, err := ld.entries(slices.Concat(broken, good), 0); err != nil || ld.skipped != 1 || ld.offsets()[0] != 5 {
		t.Errorf("skipped %d, %v, %v", ld.skipped, err, ld.offsets())
	}

	// Frames that do not fit stop the load: nobody can say what follows.
	for n := 1; n < len(good); n++ {
		if _, err := newLoading().entries(slices.Concat(good, good[:n]), 0); err == nil {
			t.Fatalf("%d of %d bytes of a batch were taken", n, len(good))
		}
	}
	if _, err := newLoading().entries(good, 5); err == nil {
		t.Error("a log that runs backwards was taken")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(entry(f, record.Spec{}, map[int32]int64{0: 5, 1: -1}), uint16(30), byte(1))
	f.Add(record.AppendEndTxnMarker(nil, 7, 1, record.EndTxnMarker{Type: record.ControlCommit}, 1), uint16(22), byte(0))
	f.Fuzz(func(t *testing.T, src []byte, at uint16, flip byte) {
		src = slices.Clone(src)
		if len(src) > 0 {
			src[int(at)%len(src)] ^= flip
		}
		ld := newLoading()
		next, err := ld.entries(src, 0)
		if err == nil && len(src) > 0 && next < 0 {
			t.Errorf("%d bytes end at offset %d", len(src), next)
		}
		ld.offsets()
	})
}
