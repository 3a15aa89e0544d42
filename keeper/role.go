package keeper

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"github.com/gregor-mq/gregor/keeper/ensemble"
)

// role is what a member is in its ensemble at one moment. The loop publishes it
// whole; whoever reads it changes nothing.
type role struct {
	roleKey
	at     int64           // elapsed ms, when the rest was looked at
	lost   int64           // elapsed ms, since when no leader is known
	config ensemble.Config // the members
	// A leader's.
	since    int64 // elapsed ms, when it began to lead
	learners []learner
	syncs    int // calls of sync that wait
}

// roleKey is what is published as soon as it changes.
type roleKey struct {
	leader  uint64 // the member's number, 0 while none is known
	term    uint64
	leading bool // this member leads, and has opened its epoch
}

// learner is a member that follows this one.
type learner struct {
	number   uint64
	observer bool
	active   bool // it was heard lately
	synced   bool // it is sent entries as they come
	match    uint64
}

// publishRole tells other goroutines what this member is.
func (l *loop) publishRole() {
	q := l.k.quorum
	if q == nil {
		return
	}
	st := l.rn.BasicStatus()
	key := roleKey{term: st.GetTerm(), leading: l.prep != nil}
	if st.Lead != raft.None {
		key.leader = memberOf(st.Lead)
	}
	old, now := l.k.role.Load(), l.k.elapsed()
	if old != nil && old.roleKey == key && now-old.at < q.beat.Milliseconds() {
		return
	}
	r := &role{roleKey: key, at: now, lost: now, config: l.config(), since: now}
	if old != nil && old.leader == 0 {
		r.lost = old.lost
	}
	l.k.measures.elected(old, r)
	if key.leading {
		if old != nil && old.leading {
			r.since = old.since
		}
		l.lookAtLearners(r)
	}
	l.k.role.Store(r)
}

func (l *loop) lookAtLearners(r *role) {
	l.rn.WithProgress(func(id uint64, typ raft.ProgressType, pr tracker.Progress) {
		if id == l.k.dir.raft {
			return
		}
		r.learners = append(r.learners, learner{
			number: memberOf(id), observer: typ == raft.ProgressTypeLearner, active: pr.RecentActive,
			synced: pr.RecentActive && pr.State == tracker.StateReplicate, match: pr.Match,
		})
	})
	for _, c := range l.waiting.calls {
		if c.kind == callSync {
			r.syncs++
		}
	}
}

// count tells how many learners there are of a kind.
func (r *role) count(is func(*learner) bool) int64 {
	var n int64
	for i := range r.learners {
		if is(&r.learners[i]) {
			n++
		}
	}
	return n
}

// self is this member's own line, as it is now or as it was configured.
func (k *Keeper) self() ensemble.Server {
	if r := k.role.Load(); r != nil {
		if s, ok := r.config.Find(k.cfg.Member); ok {
			return s
		}
	}
	s, _ := k.cfg.self()
	return s
}

// mode is ZooKeeper's word for what this member is.
func (k *Keeper) mode() string {
	switch r := k.role.Load(); {
	case k.quorum == nil:
		return "standalone"
	case r != nil && r.leading:
		return "leader"
	case k.self().Observer:
		return "observer"
	}
	return "follower"
}
