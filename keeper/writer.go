package keeper

import (
	"context"
	"errors"

	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// logFile is what the writer needs of a wal.Log.
type logFile interface {
	Reset(after uint64, state *wal.State) error
	Append(entries []wal.Entry, state *wal.State) error
	Purge(upTo uint64) error
	Bytes() int64
	End() wal.End
	Close() error
}

func newLogWriter(k *Keeper, log logFile, end *endMark) *logWriter {
	// One look at what other members sent makes a few appends; purges come beside
	// them, one after each snapshot.
	const room = 2 * maxUnwritten
	return &logWriter{
		k: k, log: log, end: end, in: run.NewInbox[logTask](room), done: make(chan []*pb.Message, room),
	}
}

// run appends whatever waits, with one fsync for all of it. An error ends the
// keeper: nothing can be acknowledged any more.
func (w *logWriter) run(ctx context.Context) error {
	var tasks []logTask
	var entries []wal.Entry
	for {
		var err error
		if tasks, err = w.in.Drain(ctx, tasks[:0]); err != nil {
			if errors.Is(err, run.ErrClosed) || ctx.Err() != nil {
				return nil
			}
			return err
		}
		if entries, err = w.write(tasks, entries[:0]); err != nil {
			return err
		}
		clear(tasks)
		clear(entries)
	}
}

func (w *logWriter) write(tasks []logTask, entries []wal.Entry) ([]wal.Entry, error) {
	var state *wal.State
	var msgs []*pb.Message
	purge, behind := uint64(0), uint64(0)
	for _, t := range tasks {
		purge = max(purge, t.purge)
		if t.msg == nil {
			continue
		}
		msgs = append(msgs, t.msg)
		if t.msg.Snapshot != nil { // it replaces all before it
			behind, entries = t.msg.GetSnapshot().GetMetadata().GetIndex(), entries[:0]
		}
		for _, e := range t.msg.Entries {
			entries = append(entries, wal.Entry{Term: e.GetTerm(), Index: e.GetIndex(), Type: int32(e.GetType()), Data: e.Data})
		}
		if t.durable && t.msg.Term != nil {
			state = &wal.State{Term: t.msg.GetTerm(), Vote: t.msg.GetVote()}
		}
	}
	if behind != 0 {
		if err := w.log.Reset(behind, state); err != nil {
			return entries, err
		}
		state = nil
	}
	begin := w.k.env.Clock.Now()
	if err := w.log.Append(entries, state); err != nil {
		return entries, err
	}
	if len(entries) > 0 {
		w.k.took(w.k.measures.fsync, begin)
		w.k.measures.batch.Observe(int64(len(msgs)))
	}
	if len(msgs) > 0 {
		w.end.note(w.log.End())
		w.done <- msgs
	}
	if purge == 0 {
		return entries, nil
	}
	err := w.log.Purge(purge)
	w.k.disk.logs.Store(w.log.Bytes())
	return entries, err
}
