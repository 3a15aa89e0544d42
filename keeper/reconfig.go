package keeper

import (
	"slices"

	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// askedBeats is for how many signs of life a server counts as there that asked to be
// taken in.
const askedBeats = 20

// reconfig changes the list of members (opcode 16). Faults are looked for in
// ZooKeeper's order. Who has a vote follows, as soon as it can: see reconcile.
func (l *loop) reconfig(now int64, from origin, c *call, r *zk.ReconfigRequest) {
	next, err := l.plan(c, r)
	if err != zk.OK {
		l.refuse(now, from, c, err)
		return
	}
	next.Version = l.nextZxid()
	x := l.prep.Config(next.Version, now, l.k.dir.ensemble, next.String())
	x.Session, x.Cxid = c.req.Session, c.xid
	l.k.log.Info("members are changed", "members", next.String())
	l.add(x, from)
}

// plan is who the members are to be, or why not.
func (l *loop) plan(c *call, r *zk.ReconfigRequest) (next ensemble.Config, refusal zk.Err) {
	k := l.k
	switch {
	case !k.cfg.ReconfigEnabled:
		return next, zk.ErrReconfigDisabled
	case l.prep.Closing(c.req.Session):
		return next, zk.ErrSessionExpired
	case k.quorum == nil:
		return next, zk.ErrUnimplemented
	}
	now := l.config()
	switch {
	case l.members.changing || !l.settled(now) || l.configPending():
		return next, zk.ErrReconfigInProgress
	case r.ConfigID != -1 && r.ConfigID != now.Version:
		return next, zk.ErrBadVersion
	}
	next, err := now.Change(r.Joining, r.Leaving, r.NewMembers)
	if err != nil {
		k.log.Info("members not changed", "reason", err)
		return next, zk.ErrBadArguments
	}
	nd, ok := k.state.tree.Find(tree.ConfigPath)
	switch {
	case !l.haveQuorum(next):
		return next, zk.ErrNewConfigNoQuorum
	case !ok || !tree.Allowed(nd.ACL(), zk.PermWrite, c.req.IDs):
		return next, zk.ErrNoAuth
	}
	return next, zk.OK
}

// configPending reports whether a list of members is proposed and not applied.
func (l *loop) configPending() bool {
	isConfig := func(x tree.Txn) bool { return x.Op == tree.OpConfig }
	if l.cur != nil && slices.ContainsFunc(l.cur.txns, isConfig) {
		return true
	}
	return slices.ContainsFunc(l.pending, func(b *batch) bool { return slices.ContainsFunc(b.txns, isConfig) })
}

// settled reports whether those have votes that the list gives one.
func (l *loop) settled(c ensemble.Config) bool {
	var have []uint64
	for _, id := range l.storage.members.Voters {
		have = append(have, memberOf(id))
	}
	slices.Sort(have)
	return slices.Equal(have, c.Voters())
}

// haveQuorum reports whether a majority of a list is there: members that answer, and
// servers that ask to be taken in.
func (l *loop) haveQuorum(c ensemble.Config) bool {
	voters, there := c.Voters(), 0
	oldest := l.k.elapsed() - askedBeats*l.k.quorum.beat.Milliseconds()
	for _, n := range voters {
		echoed, member := l.echoed[n]
		asked, asks := l.members.asked[n]
		if n == l.k.cfg.Member || member && echoed >= oldest || asks && asked >= oldest {
			there++
		}
	}
	return there > len(voters)/2
}
