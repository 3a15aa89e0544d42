package keeper

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// raftLog is what raft sees of the durable log: the entries that are not applied
// yet, and in an ensemble some that are. Only the loop uses it.
type raftLog struct {
	state   wal.State
	members snap.Members
	offset  uint64 // index of the last entry that was let go, with its term
	term    uint64
	entries []*pb.Entry

	// keep bounds the bytes of entries that stay although they are applied, for
	// members that are behind; kept is how many there are. Beyond that a member is
	// sent a snapshot.
	keep, kept int64
	applied    uint64
	// pinned is the index of a snapshot on its way to a member, which will need
	// what follows; 0 for none.
	pinned uint64
	// snap is the newest snapshot on disk, wanted a call for a newer one.
	snap   snap.Meta
	wanted bool
}

// InitialState implements raft.Storage.
func (l *raftLog) InitialState() (*pb.HardState, *pb.ConfState, error) {
	hs := &pb.HardState{Term: new(l.state.Term), Vote: new(l.state.Vote), Commit: new(l.offset)}
	return hs, confState(l.members), nil
}

// confState is raft's form of members, membersOf the way back.
func confState(m snap.Members) *pb.ConfState {
	return &pb.ConfState{
		Voters: m.Voters, Learners: m.Learners, VotersOutgoing: m.Outgoing, LearnersNext: m.LearnersNext,
		AutoLeave: new(m.AutoLeave),
	}
}

func membersOf(c *pb.ConfState) snap.Members {
	list := func(ids []uint64) []uint64 { return append([]uint64(nil), ids...) } // nil for none
	return snap.Members{
		Voters: list(c.GetVoters()), Learners: list(c.GetLearners()),
		Outgoing: list(c.GetVotersOutgoing()), LearnersNext: list(c.GetLearnersNext()), AutoLeave: c.GetAutoLeave(),
	}
}

// Entries implements raft.Storage.
func (l *raftLog) Entries(lo, hi, maxSize uint64) ([]*pb.Entry, error) {
	if lo <= l.offset {
		return nil, raft.ErrCompacted
	}
	if hi > l.lastIndex()+1 {
		return nil, raft.ErrUnavailable
	}
	out := l.entries[lo-l.offset-1 : hi-l.offset-1]
	size := uint64(0)
	for i, e := range out {
		if size += uint64(len(e.Data)); i > 0 && size > maxSize {
			out = out[:i]
			break
		}
	}
	return slices.Clone(out), nil // raft keeps it until the entries are applied, when release clears ours
}

// Term implements raft.Storage.
func (l *raftLog) Term(i uint64) (uint64, error) {
	switch {
	case i == l.offset:
		return l.term, nil
	case i < l.offset:
		return 0, raft.ErrCompacted
	case i > l.lastIndex():
		return 0, raft.ErrUnavailable
	}
	return l.entries[i-l.offset-1].GetTerm(), nil
}

func (l *raftLog) lastIndex() uint64 { return l.offset + uint64(len(l.entries)) }

// LastIndex implements raft.Storage.
func (l *raftLog) LastIndex() (uint64, error) { return l.lastIndex(), nil }

// FirstIndex implements raft.Storage.
func (l *raftLog) FirstIndex() (uint64, error) { return l.offset + 1, nil }

// Snapshot implements raft.Storage. One from which the entries do not lead on is of
// no use, nor is one of other members, among whom the receiver does not find
// itself: the loop then makes another.
func (l *raftLog) Snapshot() (*pb.Snapshot, error) {
	if l.snap.Index < l.offset || l.snap.Index == 0 || !reflect.DeepEqual(l.snap.Members, l.members) {
		l.wanted = true
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return &pb.Snapshot{Metadata: &pb.SnapshotMetadata{
		ConfState: confState(l.snap.Members), Index: new(l.snap.Index), Term: new(l.snap.Term),
	}}, nil
}

// append takes in entries that are durable now.
func (l *raftLog) append(entries []*pb.Entry) {
	if len(entries) == 0 {
		return
	}
	at := entries[0].GetIndex()
	must.Hold(at > l.offset && at <= l.lastIndex()+1, "durable entries follow those before them")
	l.entries = append(l.entries[:at-l.offset-1], entries...)
}

// firstEntry is never given out: who needs it has nothing, not even the members at
// that time, and is sent a snapshot.
const firstEntry = 1

// release notes what is applied, and lets entries go that nobody is expected to need.
func (l *raftLog) release(upTo uint64) {
	for l.applied = max(l.applied, l.offset); l.applied < upTo; l.applied++ {
		l.kept += int64(len(l.entries[l.applied-l.offset].Data)) + entryMemory
	}
	n := uint64(0)
	for ; l.offset+n < l.applied && (l.kept > l.keep || l.offset+n < firstEntry); n++ {
		if l.pinned != 0 && l.offset+n >= l.pinned {
			break
		}
		l.kept -= int64(len(l.entries[n].Data)) + entryMemory
	}
	if n == 0 {
		return
	}
	l.term = l.entries[n-1].GetTerm()
	l.offset += n
	clear(l.entries[:n])
	if l.entries = l.entries[n:]; len(l.entries) == 0 {
		l.entries = nil
	}
}

// entryMemory is about what an entry takes besides its data, in bytes.
const entryMemory = 100

// restore begins anew behind a snapshot.
func (l *raftLog) restore(m snap.Meta) {
	l.offset, l.term, l.applied, l.members, l.snap = m.Index, m.Term, m.Index, m.Members, m
	l.entries, l.kept = nil, 0
}

// raftLogger passes what raft says on at level debug: its users hear of elections
// and failures from the keeper itself.
type raftLogger struct{ log *slog.Logger }

func (r raftLogger) Debug(v ...any)              { r.log.Debug(fmt.Sprint(v...)) }
func (r raftLogger) Debugf(f string, v ...any)   { r.log.Debug(fmt.Sprintf(f, v...)) }
func (r raftLogger) Info(v ...any)               { r.log.Debug(fmt.Sprint(v...)) }
func (r raftLogger) Infof(f string, v ...any)    { r.log.Debug(fmt.Sprintf(f, v...)) }
func (r raftLogger) Warning(v ...any)            { r.log.Debug(fmt.Sprint(v...)) }
func (r raftLogger) Warningf(f string, v ...any) { r.log.Debug(fmt.Sprintf(f, v...)) }
func (r raftLogger) Error(v ...any)              { r.log.Warn(fmt.Sprint(v...)) }
func (r raftLogger) Errorf(f string, v ...any)   { r.log.Warn(fmt.Sprintf(f, v...)) }
func (r raftLogger) Fatal(v ...any)              { must.Bug("raft: %s", fmt.Sprint(v...)) }
func (r raftLogger) Fatalf(f string, v ...any)   { must.Bug("raft: "+f, v...) }
func (r raftLogger) Panic(v ...any)              { must.Bug("raft: %s", fmt.Sprint(v...)) }
func (r raftLogger) Panicf(f string, v ...any)   { must.Bug("raft: "+f, v...) }
