package keeper

import (
	"fmt"
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// toldLog writes down what it is told to do.
type toldLog struct{ told []string }

func (l *toldLog) Reset(after uint64, state *wal.State) error {
	l.told = append(l.told, fmt.Sprintf("reset behind %d, state %v", after, state))
	return nil
}

func (l *toldLog) Append(entries []wal.Entry, state *wal.State) error {
	text := "append"
	for _, e := range entries {
		text += fmt.Sprintf(" %d", e.Index)
	}
	l.told = append(l.told, fmt.Sprintf("%s, state %v", text, state))
	return nil
}

func (l *toldLog) Purge(upTo uint64) error {
	l.told = append(l.told, fmt.Sprintf("purge to %d", upTo))
	return nil
}

func (l *toldLog) Bytes() int64 { return 0 }
func (l *toldLog) End() wal.End { return wal.End{} }
func (l *toldLog) Close() error { return nil }

// TestWriterBeginsAnewBehindASnapshot: entries before a snapshot in the queue are
// not written, those behind it are, and the state is the last one.
func TestWriterBeginsAnewBehindASnapshot(t *testing.T) {
	l := &toldLog{}
	w := &logWriter{k: &Keeper{env: env.Real(), measures: newMeasures()}, log: l, end: &endMark{}, in: run.NewInbox[logTask](10), done: make(chan []*pb.Message, 10)}
	snapshot := &pb.Message{
		Term: new(uint64(4)), Vote: new(uint64(2)),
		Snapshot: &pb.Snapshot{Metadata: &pb.SnapshotMetadata{Index: new(uint64(30))}},
	}
	tasks := []logTask{
		{msg: &pb.Message{Entries: entries(10, 12, 3), Term: new(uint64(3)), Vote: new(uint64(1))}, durable: true},
		{msg: snapshot, durable: true},
		{purge: 9},
		{msg: &pb.Message{Entries: entries(31, 32, 4)}},
	}
	if _, err := w.write(tasks, nil); err != nil {
		t.Fatal(err)
	}
	state := fmt.Sprint(&wal.State{Term: 4, Vote: 2})
	want := []string{"reset behind 30, state " + state, "append 31 32, state <nil>", "purge to 9"}
	if !slices.Equal(l.told, want) {
		t.Errorf("told %q, want %q", l.told, want)
	}
	if msgs := <-w.done; len(msgs) != 3 {
		t.Errorf("%d messages are done, want all", len(msgs))
	}
}
