package keeper

import (
	"context"
	"fmt"
	"io"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
)

// install is a snapshot that another member sent, as it lies on disk and as a tree.
type install struct {
	msg  *pb.Message // raft's
	meta snap.Meta
	tree *tree.Tree
	done chan error // what becomes of it, once
}

// adopt stores a snapshot that comes, and makes its tree.
func (k *Keeper) adopt(ctx context.Context, header []byte, size int64, r io.Reader) (*install, error) {
	in := &install{msg: &pb.Message{}, done: make(chan error, 1)}
	if err := proto.Unmarshal(header, in.msg); err != nil || in.msg.GetSnapshot().GetMetadata() == nil {
		return nil, fmt.Errorf("message before a snapshot: %w", cmpErr(err, errForward))
	}
	loader := tree.NewLoader(k.treeOptions())
	var err error
	in.meta, err = snap.Adopt(ctx, k.env.FS, k.dir.snaps, k.dir.id, size, r, loader.Load)
	t, linkErr := loader.Finish()
	if err = cmpErr(err, linkErr); err != nil {
		if linkErr == nil {
			t.Close()
		}
		return nil, err
	}
	in.tree = t
	return in, nil
}

// installNow hands a snapshot to raft, which wants it or does not.
func (l *loop) installNow(in *install) error {
	if l.installing != nil {
		in.tree.Close()
		in.done <- fmt.Errorf("another snapshot is being taken over")
		return nil
	}
	l.installing = in
	if err := l.rn.Step(in.msg); err != nil {
		l.dropInstall(err)
		return nil
	}
	if err := l.drive(); err != nil {
		return err
	}
	if l.installing != nil && !l.resetting {
		l.dropInstall(nil) // raft has it all already
	}
	return nil
}

func (l *loop) dropInstall(err error) {
	l.installing.tree.Close()
	l.installing.done <- err
	l.installing = nil
}

// installed takes a snapshot's state over, once the log begins behind it. Clients
// come again: what they wait for may have happened.
func (l *loop) installed() {
	k, in := l.k, l.installing
	l.installing, l.resetting = nil, false
	k.state.Lock()
	old := k.state.tree
	k.state.tree = in.tree
	k.state.Unlock()
	if l.snapping {
		k.retired = append(k.retired, old) // a snapshot of it is being written
	} else {
		old.Close()
	}
	l.storage.restore(in.meta)
	l.applied = in.meta.Index
	l.planSnapshot()
	l.adoptEnsemble(in.meta.Ensemble)
	l.follow()
	l.forget()
	k.log.Info("state taken over from another member", "zxid", fmt.Sprintf("0x%x", in.meta.Zxid), "index", in.meta.Index)
	in.done <- nil
}

// closeRetired lets trees go of which a snapshot was being written when another
// member's state replaced them.
func (k *Keeper) closeRetired() {
	for _, t := range k.retired {
		t.Close()
	}
	k.retired = nil
}

// forget sends all clients away, with what they asked for: whether it was done is
// not known here.
func (l *loop) forget() {
	born := false
	for _, c := range l.waiting.calls {
		c.release()
		c.lost()
		born = born || c.kind == callBorn
	}
	l.waiting.calls = nil
	for _, c := range l.k.conns.all() {
		c.close()
	}
	if born {
		l.waiting.push(&call{kind: callBorn})
	}
}

// sendSnapshot sends the newest snapshot to a member that is far behind.
func (l *loop) sendSnapshot(m *pb.Message) {
	k := l.k
	to, index := m.GetTo(), m.GetSnapshot().GetMetadata().GetIndex()
	l.storage.pinned = index
	k.group.Go("keeper-sender", func(ctx context.Context) error {
		err := k.transfer(ctx, m, index)
		if err != nil && ctx.Err() == nil {
			k.log.Warn("snapshot not sent", "member", memberOf(to), "error", err)
		}
		// The inbox is closed once the loop ends.
		_ = k.quorum.events.Put(ctx, event{kind: eventSent, raft: to, err: err})
		return nil
	})
}

func (k *Keeper) transfer(ctx context.Context, m *pb.Message, index uint64) error {
	header, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("message before a snapshot: %w", err)
	}
	f, size, err := snap.Open(k.env.FS, k.dir.snaps, index)
	if err != nil {
		return err
	}
	defer f.Close()
	k.measures.snapsSent.Add(1)
	k.log.Info("sends a snapshot", "member", memberOf(m.GetTo()), "index", index, "bytes", size)
	return k.quorum.peers.SendFile(ctx, memberOf(m.GetTo()), header, size, io.NewSectionReader(f, 0, size))
}

// snapshotSent tells raft what became of a snapshot.
func (l *loop) snapshotSent(to uint64, err error) {
	status := raft.SnapshotFinish
	if err != nil {
		status = raft.SnapshotFailure
	}
	l.rn.ReportSnapshot(to, status)
	l.storage.pinned = 0
}

// found begins an ensemble's state on disk: the same on every founder.
func (q *quorum) found(c ensemble.Config) error {
	k := q.k
	k.dir.raft = k.cfg.Member
	t := tree.New(k.treeOptions())
	defer t.Close()
	s := t.BeginSnapshot()
	defer s.End()
	// The log begins behind entry 1, which nobody is ever sent.
	m := snap.Meta{DirID: k.dir.id, Index: firstEntry, Term: 1, Installed: true}
	m.Members.Voters = c.Voters() // observers ask to be taken in
	if _, err := snap.Write(k.env.FS, k.dir.snaps, m, s.Next, func() error { return nil }); err != nil {
		return err
	}
	return k.dir.writeMeta(k.env.FS, k.cfg)
}
