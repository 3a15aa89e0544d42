package keeper

import (
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// A restore goes the way of all writes, so that every member comes to the same
// state: its parts are put aside as they are applied, and the last transaction puts
// them in the place of what there was. Between that one's proposal and its
// application nothing else is prepared, since it would be prepared against a state
// that is gone. All sessions end: what clients remember is of another time.

var errRestoreLost = errors.New("another member began to lead meanwhile; nothing was changed, try again")

// takeRestore makes a transaction of a part, or of the end.
func (l *loop) takeRestore(now int64, from origin, c *call) {
	if c.kind == callRestorePart {
		l.add(l.prep.RestorePart(l.zxid, now, c.data.number, c.data.part, c.data.whole), from)
		return
	}
	l.zxid = max(l.zxid, c.data.above) // no zxid comes twice
	l.add(l.prep.Restore(l.nextZxid(), now, c.data.number), from)
	l.restoring = true
}

// wireKind is what a call is to another leader. A restore that lost its own is a
// call to which the answer says so; one whose session went elsewhere only counts.
func (c *call) wireKind() callKind {
	if c.data != nil || c.moot {
		return callSync
	}
	return c.kind
}

// lost tells the command that nobody knows what became of a part.
func (c *call) lost() {
	if c.data != nil {
		c.data.restored <- restored{err: errRestoreLost}
	}
}

// answerRestore tells the command what became of a part.
func (l *loop) answerRestore(c *call, x *tree.Txn, err zk.Err) {
	r := restored{zxid: x.Zxid}
	switch {
	case x.Op != tree.OpRestorePart && x.Op != tree.OpRestore, err == zk.ErrBadVersion:
		r.err = errRestoreLost
	case err != zk.OK:
		r.err = fmt.Errorf("the state cannot be put together: %w", err)
	}
	c.data.restored <- r
}

// stateRestored follows a tree that became another: no session is left.
func (l *loop) stateRestored(zxid int64, err zk.Err) {
	l.restoring = false
	if err != zk.OK {
		return
	}
	k := l.k
	k.log.Warn("the state was restored from a snapshot; all sessions ended", "zxid", fmt.Sprintf("0x%x", zxid))
	k.sessions.forgetAll()
	l.wheel, l.due = map[int64][]*session{}, nil
	for _, c := range k.conns.all() {
		c.close()
	}
	l.storage.wanted = true // a restart need not go through the old state
}

// forgetAll forgets all sessions.
func (t *sessionTable) forgetAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.m {
		s.gone = true
	}
	clear(t.m)
}
