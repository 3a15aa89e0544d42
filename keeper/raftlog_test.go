package keeper

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
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
