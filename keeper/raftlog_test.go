package keeper

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/keeper/snap"
)

func entries(from, to, term uint64) []*pb.Entry {
	var out []*pb.Entry
	for i := from; i <= to; i++ {
		out = append(out, &pb.Entry{Index: new(i), Term: new(term), Data: make([]byte, 10)})
	}
	return out
}

func TestRaftLogReleasesWhatIsApplied(t *testing.T) {
	l := &raftLog{offset: 5, term: 2}
	l.append(entries(6, 20, 3))
	l.append(entries(15, 18, 4)) // replaces what follows
	if l.lastIndex() != 18 {
		t.Fatalf("last index %d", l.lastIndex())
	}
	got, err := l.Entries(7, 12, 1<<20)
	if err != nil || len(got) != 5 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	l.release(15)
	for i, e := range got { // raft still counts their sizes
		if e == nil || e.GetIndex() != uint64(7+i) {
			t.Fatalf("entry %d was taken from its reader", 7+i)
		}
	}
	for i, want := range map[uint64]uint64{15: 4, 16: 4} {
		if term, err := l.Term(i); err != nil || term != want {
			t.Errorf("term of %d: %d, %v", i, term, err)
		}
	}
	if _, err := l.Term(14); !errors.Is(err, raft.ErrCompacted) {
		t.Errorf("term of a released entry: %v", err)
	}
	if _, err := l.Entries(15, 17, 100); !errors.Is(err, raft.ErrCompacted) {
		t.Errorf("released entries: %v", err)
	}
	if _, err := l.Entries(16, 20, 100); !errors.Is(err, raft.ErrUnavailable) {
		t.Errorf("entries to come: %v", err)
	}
	if got, err := l.Entries(16, 19, 15); err != nil || len(got) != 1 {
		t.Errorf("%d entries within 15 bytes, %v", len(got), err)
	}
	l.release(18)
	l.release(17)
	if first, err := l.FirstIndex(); err != nil || first != 19 || l.lastIndex() != 18 {
		t.Errorf("first %d, last %d", first, l.lastIndex())
	}
}

// size is what the entries of a test take.
const size = 10 + entryMemory

func TestRaftLogKeepsEntriesForThoseBehind(t *testing.T) {
	l := &raftLog{keep: 5 * size}
	l.append(entries(1, 20, 1))
	l.release(6)
	if l.offset != 1 || l.kept != 5*size { // entry 1 is never given out
		t.Fatalf("begins behind %d, keeps %d bytes", l.offset, l.kept)
	}
	l.release(10)
	if l.offset != 5 || l.kept != 5*size {
		t.Fatalf("begins behind %d, keeps %d bytes", l.offset, l.kept)
	}
	l.pinned = 7 // a snapshot of it is on its way
	l.release(20)
	if l.offset != 7 {
		t.Fatalf("begins behind %d, though a member will need 8", l.offset)
	}
	l.pinned = 0
	l.append(entries(21, 21, 1))
	l.release(21)
	if l.offset != 16 || l.kept != 5*size {
		t.Fatalf("begins behind %d, keeps %d bytes", l.offset, l.kept)
	}
}

func TestRaftLogGivesSnapshotsThatLeadOn(t *testing.T) {
	l := &raftLog{}
	l.append(entries(1, 20, 1))
	for _, c := range []struct {
		snap, applied uint64
		ok            bool
	}{{0, 5, false}, {5, 5, true}, {5, 6, false}, {8, 6, true}} {
		l.snap.Index, l.wanted = c.snap, false
		l.release(c.applied)
		s, err := l.Snapshot()
		if ok := err == nil; ok != c.ok || l.wanted == ok || ok && s.GetMetadata().GetIndex() != c.snap {
			t.Errorf("snapshot at %d, entries behind %d: %v, %v", c.snap, l.offset, s, err)
		}
	}
	l.restore(snap.Meta{Index: 30, Term: 4})
	if term, err := l.Term(30); err != nil || term != 4 || l.lastIndex() != 30 || l.kept != 0 {
		t.Errorf("behind a snapshot: term %d, %v, last %d", term, err, l.lastIndex())
	}
}
