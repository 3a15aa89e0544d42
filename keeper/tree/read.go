package tree

import (
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// stat fills what clients see of a node.
func (t *Tree) stat(n num) zk.Stat {
	nd := t.s.node(n)
	e := t.s.extraOf(nd)
	st := zk.Stat{
		Czxid: nd.czxid, Mzxid: nd.mzxid, Ctime: nd.ctime, Mtime: nd.mtime,
		Version: nd.version, Aversion: e.aversion,
		// The stored number counts creates; every create but those of the
		// children still there was followed by a delete.
		Cversion:   e.cversion*2 - int32(e.children),
		DataLength: max(nd.dataLen, 0), NumChildren: int32(e.children), Pzxid: t.s.pzxid(nd),
	}
	if t.opts.kindOf(e.owner) == ownerSession {
		st.EphemeralOwner = e.owner
	}
	return st
}

// Node is a node found by a read. It is valid until the next Apply.
type Node struct {
	t *Tree
	n num
}

// Find returns the node at a path; ok is false when there is none.
func (t *Tree) Find(path string) (nd Node, ok bool) {
	n := t.find(path)
	return Node{t, n}, n != 0
}

// Stat returns what clients see of the node besides its data.
func (nd Node) Stat() zk.Stat { return nd.t.stat(nd.n) }

// ACL returns the node's list, which must not be changed.
func (nd Node) ACL() []zk.ACL { return nd.t.acls.list(nd.t.s.node(nd.n).acl) }

// Data returns the content, nil for null. It must not be changed or kept.
func (nd Node) Data() []byte { return nd.t.s.data(nd.t.s.node(nd.n)) }

// Children returns the names of the children in no order.
func (nd Node) Children() []string {
	e := nd.t.s.extraOf(nd.t.s.node(nd.n))
	names := make([]string, 0, e.children)
	for c := e.firstChild; c != 0; c = nd.t.s.node(c).next {
		names = append(names, string(nd.t.s.name(nd.t.s.node(c))))
	}
	return names
}

// Descendants returns how many nodes lie below the node.
func (nd Node) Descendants() int {
	s := nd.t.s
	total := 0
	for c := s.extraOf(s.node(nd.n)).firstChild; c != 0; {
		total++
		next := s.extraOf(s.node(c)).firstChild
		for next == 0 && c != nd.n { // no child: the next sibling, or an ancestor's
			if next = s.node(c).next; next == 0 {
				c = s.node(c).parent
			}
		}
		c = next
	}
	return total
}

// Ephemerals lists the paths of a session's nodes that start with prefix, which
// is a prefix of text, sorted.
func (t *Tree) Ephemerals(session int64, prefix string) []string {
	paths := t.ownedPaths(session)
	// Java trims control characters, and no spaces of Unicode.
	trimmed := strings.TrimFunc(prefix, func(r rune) bool { return r <= ' ' })
	if trimmed == "" || trimmed == "/" || prefix == zk.Null {
		return paths
	}
	return slices.DeleteFunc(paths, func(p string) bool { return !strings.HasPrefix(p, prefix) })
}

// Session returns what is agreed about a session.
func (t *Tree) Session(id int64) (Session, bool) {
	s, ok := t.sessions[id]
	return s, ok
}

// Sessions lists all sessions by number.
func (t *Tree) Sessions() []int64 {
	ids := make([]int64, 0, len(t.sessions))
	for id := range t.sessions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// SessionCount returns how many sessions there are.
func (t *Tree) SessionCount() int { return len(t.sessions) }

// Owners lists the sessions that own nodes, by number.
func (t *Tree) Owners() []int64 {
	var ids []int64
	for owner := range t.owners {
		if owner != ttlMark && t.opts.kindOf(owner) == ownerSession {
			ids = append(ids, owner)
		}
	}
	slices.Sort(ids)
	return ids
}
