package keeper

import (
	"context"
	"errors"
	"sync"
)

// errNotServing says that this member has no majority.
var errNotServing = errors.New("this member hears no leader and serves nobody")

// open lets clients in, once.
func (k *Keeper) open() {
	if !k.isOpen() {
		close(k.ready)
	}
}

// isOpen reports whether clients were ever let in.
func (k *Keeper) isOpen() bool {
	select {
	case <-k.ready:
		return true
	default:
		return false
	}
}

// serves reports whether clients are served now.
func (k *Keeper) serves() bool { return k.elapsed() <= k.until.Load() && k.isOpen() }

// serveUntil extends the time for which clients are served, in elapsed ms.
func (k *Keeper) serveUntil(ms int64) {
	if ms > k.until.Load() {
		k.until.Store(ms)
	}
}

// leaseMillis is for how long a member may serve that does not hear the leader.
func (k *Keeper) leaseMillis() int64 {
	if k.quorum == nil {
		return 0
	}
	return k.quorum.lease().Milliseconds()
}

// touchList gathers the sessions whose clients were heard, for the leader.
type touchList struct {
	mu   sync.Mutex
	list []*session
}

// note adds a session.
func (t *touchList) note(s *session) {
	if s.named.Load() || s.named.Swap(true) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, s)
}

// take empties the list.
func (t *touchList) take() []*session {
	t.mu.Lock()
	list := t.list
	t.list = nil
	t.mu.Unlock()
	for _, s := range list {
		s.named.Store(false)
	}
	return list
}

// runMember is the life of a member: it finds out what it is, recovers, and takes
// part.
func (k *Keeper) runMember(ctx context.Context) error {
	if k.dir.raft == 0 {
		if err := k.quorum.birth(ctx); err != nil {
			return ignoreEnd(ctx, err)
		}
	}
	l, w, err := k.recoverOrRejoin()
	if err != nil {
		return err
	}
	k.writer = w
	k.group.Go("keeper-log", w.run)
	return l.run(ctx)
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// reign begins a leadership at an index.
func (l *loop) reign(index uint64) {
	l.started, l.ledSince, l.restoring = index, l.k.elapsed(), false
	l.heard, l.echoed, l.intakes = map[uint64]int64{}, map[uint64]int64{}, map[uint64]intake{}
	if l.k.quorum != nil {
		l.k.log.Info("leads", "term", l.rn.BasicStatus().GetTerm())
	}
}
