package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
)

// snapResult is what the writer of a snapshot tells the loop.
type snapResult struct {
	err   error
	meta  snap.Meta
	purge uint64 // the log is not needed up to here any more
}

// planSnapshot chooses when the next snapshot begins: members of an ensemble
// should not all do it at once, so between half the count and the count.
func (l *loop) planSnapshot() {
	half := uint64(l.k.cfg.SnapCount / 2)
	l.snapAt = int(half + l.k.env.Rand.Uint64()%half)
	l.sinceSnap, l.snapBytes = 0, 0
}

// minSnapBytes is how much log calls for a snapshot however few transactions it
// holds: it is read whole at start, which then takes about a second. A larger
// state allows for as much log as it has bytes.
const minSnapBytes = 256 << 20

// maybeSnapshot begins one when enough was applied since the last.
func (l *loop) maybeSnapshot() {
	due := l.storage.wanted || l.sinceSnap >= l.snapAt || l.snapBytes >= max(minSnapBytes, l.k.state.tree.ApproximateSize())
	if l.snapping || !due || l.k.state.tree.Restoring() {
		return
	}
	l.snapping, l.storage.wanted = true, false
	l.asks.now, l.asks.next = l.asks.next, nil
	l.planSnapshot()
	k := l.k
	k.state.Lock()
	s := k.state.tree.BeginSnapshot()
	k.state.Unlock()
	term, _ := l.storage.Term(l.applied) // held: the storage keeps the term of what it released
	m := snap.Meta{DirID: k.dir.id, Index: l.applied, Term: term, Zxid: s.Zxid(), Members: l.storage.members, Ensemble: k.dir.ensemble}
	k.group.Go("keeper-snapshot", func(ctx context.Context) error {
		l.snapDone <- k.writeSnapshot(ctx, m, s)
		return nil
	})
}

// writeSnapshot writes the tree out while writes go on, then deletes what is
// not needed any more.
func (k *Keeper) writeSnapshot(ctx context.Context, m snap.Meta, s *tree.Snapshot) snapResult {
	begin := k.env.Clock.Now()
	size, err := snap.Write(k.env.FS, k.dir.snaps, m, func(dst []byte) ([]byte, bool) {
		if ctx.Err() != nil {
			return dst, false // whole then says so
		}
		k.state.RLock()
		defer k.state.RUnlock()
		return s.Next(dst)
	}, func() error { return context.Cause(ctx) })
	k.state.Lock()
	s.End()
	k.state.Unlock()
	if err != nil {
		k.measures.snapErrors.Add(1)
		return snapResult{err: err}
	}
	k.took(k.measures.snapshot, begin)
	k.disk.snaps.Store(size)
	k.disk.last.Store(&lastSnapshot{m.Zxid, k.env.Clock.Now()})
	oldest, err := snap.Purge(k.env.FS, k.dir.snaps, k.cfg.SnapRetain)
	k.log.Info("snapshot written", "zxid", fmt.Sprintf("0x%x", m.Zxid), "nodes", s.Nodes(), "bytes", size,
		"took", k.env.Clock.Now().Sub(begin).Round(time.Millisecond))
	return snapResult{err: err, meta: m, purge: oldest}
}

// snapshotDone lets the log behind the oldest snapshot go. A snapshot that
// failed costs nothing but a longer log; the next one is tried in time.
func (l *loop) snapshotDone(r snapResult) {
	l.snapping = false
	l.k.closeRetired()
	defer l.snapshotAsked(r)
	if r.err != nil {
		l.k.log.Error("snapshot failed; the log is kept", "error", r.err)
		return
	}
	if r.meta.Index > l.storage.snap.Index {
		l.storage.snap = r.meta
	}
	if r.purge > 0 {
		// A full queue means that the log is busy; the next snapshot purges.
		if err := l.writer.in.TryPut(logTask{purge: r.purge}); err != nil && !errors.Is(err, run.ErrFull) {
			l.k.log.Debug("log not purged", "reason", err)
		}
	}
}
