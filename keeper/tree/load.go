package tree

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Loader builds a tree from what a Snapshot gave out.
type Loader struct {
	t    *Tree
	acls map[uint64]aclID
	// places says where the nodes of the snapshot went: they move together, so
	// that slots that were free cost nothing any more.
	places []place
	root   bool
	err    error
}

// place pairs a node's number in the snapshot with its number here.
type place struct {
	old uint64
	new num
}

var errSnapshot = errors.New("malformed snapshot")

// NewLoader returns a loader for a tree with the given options.
func NewLoader(opts Options) *Loader {
	l := &Loader{t: newTree(opts), acls: map[uint64]aclID{}}
	l.t.s.nodes.grow() // the root's slot
	return l
}

// Load takes one chunk, as Next returned it.
func (l *Loader) Load(chunk []byte) error {
	r := reader{src: chunk}
	for len(r.src) > 0 && l.err == nil {
		at := len(chunk) - len(r.src)
		tag := r.src[0]
		r.src = r.src[1:]
		l.record(tag, &r)
		if r.bad && l.err == nil {
			l.err = fmt.Errorf("record %q at byte %d is cut: %w", tag, at, errSnapshot)
		}
	}
	return l.err
}

func (l *Loader) fail(format string, args ...any) {
	l.err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errSnapshot)
}

func (l *Loader) record(tag byte, r *reader) {
	switch tag {
	case recordState:
		l.t.lastZxid = r.varint()
	case recordSession:
		id := int64(r.uvarint())
		l.t.sessions[id] = Session{Timeout: r.int32(), Member: r.uvarint()}
	case recordACL:
		old, list := r.uvarint(), r.acl()
		if _, twice := l.acls[old]; twice || r.bad {
			r.bad = true
			return
		}
		l.acls[old] = l.t.acls.hold(list)
	case recordNode:
		l.node(r)
	default:
		l.fail("record of unknown kind %q", tag)
	}
}

func (l *Loader) node(r *reader) {
	old, parent, acl := r.uvarint(), r.uvarint(), r.uvarint()
	var nd node
	var e extra
	nd.czxid = r.varint()
	nd.mzxid = nd.czxid + r.varint()
	e.pzxid = nd.czxid + r.varint()
	nd.ctime = r.varint()
	nd.mtime = nd.ctime + r.varint()
	nd.version, e.cversion, e.aversion = r.int32(), r.int32(), r.int32()
	e.owner = r.varint()
	name, data := r.string(), r.bytes()
	id, ok := l.acls[acl]
	switch {
	case r.bad:
		return
	case !ok:
		l.fail("node %d has unknown ACL %d", old, acl)
		return
	case parent > 1<<32-1 || old > 1<<32-1 || (parent == 0) != (name == "") || strings.Contains(name, "/"):
		l.fail("node %d with name %q cannot be below node %d", old, name, parent)
		return
	}
	n := rootNum
	if parent != 0 {
		n = num(l.t.s.nodes.grow())
	} else if l.root {
		l.fail("node %d is a second root", old)
		return
	} else {
		l.root = true
	}
	l.places = append(l.places, place{old, n})
	l.t.acls.entries[id].refs++
	l.place(n, nd, e, num(parent), id, name, data)
}

// place puts a node into its slot; its parent is still the snapshot's number.
func (l *Loader) place(n num, from node, fromExtra extra, parent num, acl aclID, name string, data []byte) {
	s := l.t.s
	nd := s.node(n)
	*nd = from
	nd.parent, nd.acl = parent, acl
	s.fill(nd, name, data)
	s.count++
	s.dataBytes += int64(len(data))
	if fromExtra != (extra{pzxid: nd.czxid}) || n == rootNum {
		e := s.needExtra(nd)
		e.pzxid, e.cversion, e.aversion, e.owner = fromExtra.pzxid, fromExtra.cversion, fromExtra.aversion, fromExtra.owner
	}
}

// Finish links the nodes and returns the tree, or says what is missing.
func (l *Loader) Finish() (*Tree, error) {
	if l.err == nil {
		l.link()
	}
	if l.err == nil {
		l.measure()
	}
	if l.err != nil {
		l.t.Close()
		return nil, l.err
	}
	for _, id := range l.acls { // the loader itself held each once
		l.t.acls.drop(id)
	}
	return l.t, nil
}

func (l *Loader) link() {
	if !l.root {
		l.fail("there is no root")
		return
	}
	slices.SortFunc(l.places, func(a, b place) int { return cmp.Compare(a.old, b.old) })
	s := l.t.s
	s.index.expect(len(l.places))
	var parent place // of the last node, which many others share
	for i, p := range l.places {
		if i > 0 && p.old == l.places[i-1].old {
			l.fail("node %d is there twice", p.old)
			return
		}
		if p.new == rootNum {
			continue
		}
		nd := s.node(p.new)
		if parent.old != uint64(nd.parent) || parent.new == 0 {
			at, ok := slices.BinarySearchFunc(l.places, uint64(nd.parent), func(a place, old uint64) int {
				return cmp.Compare(a.old, old)
			})
			if !ok {
				l.fail("node %d is below node %d, which is not there", p.old, nd.parent)
				return
			}
			parent = l.places[at]
		}
		nd.parent = parent.new
		if s.index.find(s, nd.parent, string(s.name(nd))) != 0 {
			l.fail("two nodes are called %q below the same node", s.name(nd))
			return
		}
		s.index.add(s, p.new)
		s.link(p.new)
	}
}

// measure walks the tree: everything must hang below the root; owners, quotas
// and sizes follow from it.
func (l *Loader) measure() {
	type at struct {
		n   num
		len int
	}
	t := l.t
	reached := 0
	t.pathBytes = 1
	for work := []at{{rootNum, 0}}; len(work) > 0; {
		top := work[len(work)-1]
		work = work[:len(work)-1]
		reached++
		for c := t.s.extraOf(t.s.node(top.n)).firstChild; c != 0; c = t.s.node(c).next {
			size := top.len + 1 + int(t.s.node(c).nameLen)
			t.pathBytes += int64(size)
			work = append(work, at{c, size})
		}
	}
	if reached != t.s.count {
		l.fail("%d of %d nodes do not hang below the root", t.s.count-reached, t.s.count)
		return
	}
	for _, p := range l.places {
		if e := t.s.extraOf(t.s.node(p.new)); e.owner != 0 {
			t.own(p.new, e.owner)
		}
	}
	if n := t.find(quotaPath); n != 0 {
		l.findQuotas(n)
	}
}

func (l *Loader) findQuotas(n num) {
	t := l.t
	for work := []num{n}; len(work) > 0; {
		top := work[len(work)-1]
		work = work[:len(work)-1]
		for c := t.s.extraOf(t.s.node(top)).firstChild; c != 0; c = t.s.node(c).next {
			work = append(work, c)
			if string(t.s.name(t.s.node(c))) == limitsName {
				t.limit(t.path(top))
			}
		}
	}
}
