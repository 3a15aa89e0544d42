package tree

import (
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/zk"
)

// Preparer turns requests into transactions on the leader. It sees the tree
// together with all it prepared that is not applied yet.
type Preparer struct {
	t       *Tree
	changes map[string]*change // by path, the root's is ""
	// queue holds the changes in the order they were made, to be forgotten
	// once applied.
	queue []madeChange
	// owned lists, per session, paths of ephemeral nodes made and not applied.
	owned map[int64][]string
	// opening holds sessions whose beginning is prepared and not applied. Their
	// clients may write already: two members of three commit, and one of them serves,
	// what the leader itself has not on its disk.
	opening map[int64]Session
	// closing holds sessions whose end is prepared, with the zxid of it.
	closing map[int64]int64
	// undo is where a multi notes how to take its changes back.
	undo []undo
	// aclRoom is what "auth" in ACLs of the present request may still become, in
	// bytes.
	aclRoom int
}

// change is a node as it will be. Values never change once others see them.
type change struct {
	zxid     int64
	gone     bool
	version  int32
	cversion int32
	aversion int32
	children int32
	owner    int64
	acl      []zk.ACL
	dataLen  int // for quotas
}

type madeChange struct {
	zxid  int64
	path  string
	owner int64 // not 0 for an ephemeral node that appeared
}

type undo struct {
	path string
	prev *change
}

// NewPreparer returns a preparer for a leader whose tree is up to date.
func NewPreparer(t *Tree) *Preparer {
	return &Preparer{t: t, changes: map[string]*change{}, owned: map[int64][]string{}, opening: map[int64]Session{}, closing: map[int64]int64{}}
}

// Applied forgets what the tree itself shows once x is applied.
func (p *Preparer) Applied(x *Txn) {
	switch x.Op {
	case zk.OpCreateSession:
		delete(p.opening, x.Session)
	case zk.OpCloseSession:
		delete(p.closing, x.Session)
	}
	n := 0
	for ; n < len(p.queue) && p.queue[n].zxid <= x.Zxid; n++ {
		m := &p.queue[n]
		if c := p.changes[m.path]; c != nil && c.zxid == m.zxid { // one multi may change a node twice
			delete(p.changes, m.path)
		}
		if m.owner != 0 {
			p.dropOwned(m.owner)
		}
		*m = madeChange{}
	}
	p.queue = p.queue[n:]
	if len(p.queue) == 0 {
		p.queue = nil // lets the array go, whose head was cut off
	}
}

func (p *Preparer) dropOwned(owner int64) {
	if rest := p.owned[owner][1:]; len(rest) > 0 {
		p.owned[owner] = rest
	} else {
		delete(p.owned, owner)
	}
}

// Closing reports whether a session is gone or about to be.
func (p *Preparer) Closing(session int64) bool {
	_, open := p.t.sessions[session]
	_, opening := p.opening[session]
	_, closing := p.closing[session]
	return !open && !opening || closing
}

// LivesIn lists the sessions that live in the process of a member and are not about
// to end, those that are about to begin among them.
func (p *Preparer) LivesIn(member uint64) []int64 {
	var ids []int64
	for _, sessions := range []map[int64]Session{p.t.sessions, p.opening} {
		for id, s := range sessions {
			if s.Member == member && !p.Closing(id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func changeKey(path string) string {
	if path == "/" {
		return ""
	}
	return path
}

// get returns a node as it will be, nil when it will not exist.
func (p *Preparer) get(path string) *change {
	if c, ok := p.changes[changeKey(path)]; ok {
		if c.gone {
			return nil
		}
		return c
	}
	n := p.t.find(path)
	if n == 0 {
		return nil
	}
	nd := p.t.s.node(n)
	e := p.t.s.extraOf(nd)
	return &change{
		version: nd.version, cversion: e.cversion, aversion: e.aversion, children: int32(e.children),
		owner: e.owner, acl: p.t.acls.list(nd.acl), dataLen: int(max(nd.dataLen, 0)),
	}
}

// put notes what a node will be; c is not changed afterwards.
func (p *Preparer) put(zxid int64, path string, c *change, newOwner int64) {
	path = changeKey(path)
	c.zxid = zxid
	p.undo = append(p.undo, undo{path, p.changes[path]})
	p.changes[path] = c
	p.queue = append(p.queue, madeChange{zxid, path, newOwner})
	if newOwner != 0 {
		p.owned[newOwner] = append(p.owned[newOwner], path)
	}
}

// rollback takes back all since the undo list was emptied.
func (p *Preparer) rollback() {
	for _, u := range slices.Backward(p.undo) {
		if u.prev != nil {
			p.changes[u.path] = u.prev
		} else {
			delete(p.changes, u.path)
		}
		last := p.queue[len(p.queue)-1]
		p.queue = p.queue[:len(p.queue)-1]
		if last.owner == 0 {
			continue
		}
		if list := p.owned[last.owner]; len(list) > 1 {
			p.owned[last.owner] = list[:len(list)-1]
		} else {
			delete(p.owned, last.owner)
		}
	}
	p.undo = p.undo[:0]
}

// ephemeralsOf lists the nodes a session will own, sorted.
func (p *Preparer) ephemeralsOf(session int64) []string {
	set := map[string]struct{}{}
	for _, path := range p.t.ownedPaths(session) {
		if c, ok := p.changes[path]; !ok || !c.gone && c.owner == session {
			set[path] = struct{}{}
		}
	}
	for _, path := range p.owned[session] {
		if c := p.changes[path]; !c.gone && c.owner == session {
			set[path] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
