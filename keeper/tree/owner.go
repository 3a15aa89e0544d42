package tree

import "slices"

// The special owners of nodes that no session owns; clients see 0 instead.
const (
	containerOwner = -1 << 63
	// ttlMark in the highest byte says that the lowest 40 bits are a time to
	// live in ms. As an owner of its own it lists all such nodes.
	ttlMark = -1 << 56
	maxTTL  = 1<<40 - 1
)

// ownerKind says what an owner means.
type ownerKind int

const (
	ownerNone ownerKind = iota
	ownerSession
	ownerContainer
	ownerTTL
)

// kindOf depends on the options: without extended types, 0xff... is a session.
func (o *Options) kindOf(owner int64) ownerKind {
	switch {
	case owner == 0:
		return ownerNone
	case owner == containerOwner:
		return ownerContainer
	case o.ExtendedTypes && owner&ttlMark == ttlMark:
		return ownerTTL
	}
	return ownerSession
}

// owned is the head of the list of one owner's nodes.
type owned struct {
	first num
	count int
}

// listOf returns the key under which an owner's nodes are listed.
func (t *Tree) listOf(owner int64) int64 {
	if t.opts.kindOf(owner) == ownerTTL {
		return ttlMark
	}
	return owner
}

// own puts a new node into its owner's list.
func (t *Tree) own(n num, owner int64) {
	e := t.s.needExtra(t.s.node(n))
	e.owner = owner
	if t.opts.kindOf(owner) == ownerSession {
		t.ephemerals++
	}
	l := t.owners[t.listOf(owner)]
	if l == nil {
		l = &owned{}
		t.owners[t.listOf(owner)] = l
	}
	e.ownedNext = l.first
	if l.first != 0 {
		t.s.extraOf(t.s.node(l.first)).ownedPrev = n
	}
	l.first = n
	l.count++
}

// disown takes a node that goes out of its owner's list.
func (t *Tree) disown(n num) {
	e := t.s.extraOf(t.s.node(n))
	if e.owner == 0 {
		return
	}
	if t.opts.kindOf(e.owner) == ownerSession {
		t.ephemerals--
	}
	key := t.listOf(e.owner)
	l := t.owners[key]
	if e.ownedPrev != 0 {
		t.s.extraOf(t.s.node(e.ownedPrev)).ownedNext = e.ownedNext
	} else {
		l.first = e.ownedNext
	}
	if e.ownedNext != 0 {
		t.s.extraOf(t.s.node(e.ownedNext)).ownedPrev = e.ownedPrev
	}
	if l.count--; l.count == 0 {
		delete(t.owners, key)
	}
}

// ownedPaths lists an owner's nodes, sorted.
func (t *Tree) ownedPaths(owner int64) []string {
	l := t.owners[owner]
	if l == nil {
		return nil
	}
	paths := make([]string, 0, l.count)
	for n := l.first; n != 0; n = t.s.extraOf(t.s.node(n)).ownedNext {
		paths = append(paths, t.path(n))
	}
	slices.Sort(paths)
	return paths
}

// Reapable lists containers that had children and have none, and nodes whose
// time to live passed at now (ms since 1970), at most limit of them.
func (t *Tree) Reapable(now int64, limit int) []string {
	var paths []string
	for _, list := range []int64{containerOwner, ttlMark} {
		l := t.owners[list]
		if l == nil {
			continue
		}
		for n := l.first; n != 0 && len(paths) < limit; n = t.s.extraOf(t.s.node(n)).ownedNext {
			if t.reapable(n, now) {
				paths = append(paths, t.path(n))
			}
		}
	}
	slices.Sort(paths)
	return paths
}

func (t *Tree) reapable(n num, now int64) bool {
	nd := t.s.node(n)
	e := t.s.extraOf(nd)
	switch {
	case e.children > 0:
		return false
	case t.opts.kindOf(e.owner) == ownerContainer:
		return e.cversion > 0 // a new one is spared until it was used
	}
	return now-nd.mtime > e.owner&maxTTL
}
