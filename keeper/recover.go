package keeper

import (
	"errors"
	"fmt"
	"log/slog"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/internal/offheap"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// recover loads the newest snapshot that checks and opens the log behind it.
func (k *Keeper) recover() (*loop, *logWriter, error) {
	begin := k.env.Clock.Now()
	t, meta, err := k.loadSnapshot()
	if err != nil {
		return nil, nil, err
	}
	k.took(k.measures.snapLoad, begin)
	k.noteSnapshot(meta)
	log, found, err := k.openLog(meta)
	if err != nil {
		t.Close()
		return nil, nil, err
	}
	end, err := openEnd(k.env.FS, k.cfg.DataDir, log.End(), k.log)
	if err != nil {
		t.Close()
		return nil, nil, errors.Join(err, log.Close())
	}
	if found.Cut > 0 {
		k.log.Warn("the log ended within a write that was never acknowledged; it was cut off",
			"file", found.CutFile, "bytes", found.Cut)
	}
	k.state.Lock()
	k.state.tree = t
	k.state.Unlock()
	l, err := k.newLoop(meta, found)
	if err != nil {
		return nil, nil, errors.Join(err, log.Close(), end.close(k.env.FS, log.End()))
	}
	l.writer = newLogWriter(k, log, end)
	k.disk.logs.Store(log.Bytes())
	k.took(k.measures.dbInit, begin)
	return l, l.writer, nil
}

// openLog opens the log behind a snapshot, or begins that of a new directory.
func (k *Keeper) openLog(meta snap.Meta) (log *wal.Log, found wal.Contents, err error) {
	opts := wal.Options{DirID: k.dir.id, Behind: meta.Installed}
	if opts.Durable, err = readEnd(k.env.FS, k.cfg.DataDir); err != nil {
		return nil, found, err
	}
	if !k.dir.fresh() || meta.Index > 0 && !meta.Installed {
		log, found, err = wal.Open(k.env.FS, k.dir.logs, opts, meta.Index)
		return log, found, explain(err)
	}
	if log, err = k.dir.begin(k.env, k.cfg, opts); err != nil || meta.Index == 0 {
		return log, found, err
	}
	found.State = wal.State{Term: meta.Term}
	return log, found, log.Reset(meta.Index, &found.State)
}

// explain adds what can be done about a damaged or missing log.
func explain(err error) error {
	if e, ok := errors.AsType[*wal.CorruptError](err); ok {
		copied := ""
		if e.Cut {
			copied = "; if this is one that was copied while the keeper ran, remove " + endName
		}
		return fmt.Errorf("%w; acknowledged writes may be behind it, so nothing was changed: "+
			"restore the directory from a backup, or from another member of the ensemble%s", err, copied)
	}
	if errors.Is(err, wal.ErrMissing) {
		return fmt.Errorf("%w; put it back, or check dataLogDir", err)
	}
	return err
}

// loadSnapshot makes the tree from the newest snapshot; a damaged one is passed
// over for an older one, from which the log leads to the same state.
func (k *Keeper) loadSnapshot() (*tree.Tree, snap.Meta, error) {
	if err := snap.Sweep(k.env.FS, k.dir.snaps); err != nil {
		return nil, snap.Meta{}, err
	}
	found, err := snap.List(k.env.FS, k.dir.snaps)
	if err != nil {
		return nil, snap.Meta{}, err
	}
	var damaged []error
	for _, index := range found {
		l := tree.NewLoader(k.treeOptions())
		m, err := snap.Read(k.env.FS, k.dir.snaps, index, k.dir.id, l.Load)
		t, linkErr := l.Finish()
		if err == nil {
			err = linkErr
		}
		if err == nil {
			return t, m, nil
		}
		if linkErr == nil {
			t.Close()
		}
		k.log.Error("snapshot cannot be used, trying an older one", "error", err)
		damaged = append(damaged, err)
	}
	if len(damaged) > 0 {
		return nil, snap.Meta{}, fmt.Errorf("no snapshot can be used: %w; restore %s from a backup",
			errors.Join(damaged...), k.dir.snaps)
	}
	m := snap.Meta{Ensemble: k.dir.ensemble}
	if k.dir.ensemble == k.dir.id { // it began alone; others begin with a snapshot
		m.Members.Voters = []uint64{k.cfg.Member}
	}
	return tree.New(k.treeOptions()), m, nil
}

func (k *Keeper) treeOptions() tree.Options {
	return k.quirks.tree(tree.Options{
		ExtendedTypes: k.cfg.ExtendedTypes, EnforceQuota: k.cfg.EnforceQuota,
		Schemes: k.cfg.Schemes, NoDigest: k.cfg.Security.NoDigest, Seed: k.env.Rand.Uint64(), Memory: offheap.Memory{},
	})
}

// newLoop builds raft over what was found on disk.
func (k *Keeper) newLoop(meta snap.Meta, found wal.Contents) (*loop, error) {
	storage := &raftLog{state: found.State, members: meta.Members, offset: meta.Index, term: meta.Term, snap: meta}
	for i := range found.Entries {
		e := &found.Entries[i]
		storage.entries = append(storage.entries, &pb.Entry{
			Term: new(e.Term), Index: new(e.Index), Type: pb.EntryType(e.Type).Enum(), Data: e.Data,
		})
	}
	rn, err := raft.NewRawNode(&raft.Config{
		ID: k.dir.raft, ElectionTick: electionTicks, HeartbeatTick: 1, Storage: storage, Applied: meta.Index,
		AsyncStorageWrites: true, MaxSizePerMsg: maxBatchBytes, MaxCommittedSizePerReady: 8 * maxBatchBytes,
		MaxInflightMsgs: 64, CheckQuorum: true, PreVote: true, StepDownOnRemoval: true,
		Logger: raftLogger{k.log.With(slog.String("part", "raft"))},
	})
	if err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	l := &loop{
		k: k, rn: rn, storage: storage, applied: meta.Index,
		snapDone: make(chan snapResult, 1), wheel: map[int64][]*session{}, named: map[int64]int64{},
		// Numbers of another process's calls do not fit.
		waiting: waiting{next: k.env.Rand.Uint64() >> 2},
	}
	l.waiting.push(&call{kind: callBorn})
	return l, nil
}
