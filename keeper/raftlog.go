package keeper

import (
	"fmt"
	"log/slog"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// raftLog is what raft sees of the durable log: the entries that are not
// applied yet. Only the loop uses it.
type raftLog struct {
	state   wal.State
	members snap.Members
	offset  uint64 // index of the last entry that was let go, with its term
	term    uint64
	entries []*pb.Entry
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
	return snap.Members{
		Voters: c.GetVoters(), Learners: c.GetLearners(), Outgoing: c.GetVotersOutgoing(), LearnersNext: c.GetLearnersNext(),
		AutoLeave: c.GetAutoLeave(),
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

// Snapshot implements raft.Storage. Nobody asks: without other members there is
// nobody to send one to.
func (l *raftLog) Snapshot() (*pb.Snapshot, error) {
	return nil, raft.ErrSnapshotTemporarilyUnavailable
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

// release lets entries go that are applied.
func (l *raftLog) release(upTo uint64) {
	if upTo <= l.offset {
		return
	}
	n := upTo - l.offset
	l.term = l.entries[n-1].GetTerm()
	l.offset = upTo
	clear(l.entries[:n])
	if l.entries = l.entries[n:]; len(l.entries) == 0 {
		l.entries = nil
	}
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
