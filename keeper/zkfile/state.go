package zkfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// State is a tree of ZooKeeper while its files are read.
type State struct {
	// Zxid is the last transaction that is in it.
	Zxid int64
	// Sessions are the timeouts of open sessions, in ms.
	Sessions map[int64]int32
	nodes    map[string]*node
	owned    map[int64]map[string]struct{} // paths by owner, for all owners but 0
	sum      uint64                        // the digest of the tree
}

// node is an image whose children are known. Its ACL is nil while a snapshot is
// all that is known of it: one that is fuzzy lists ACLs before it comes to nodes.
type node struct {
	tree.Image
	children map[string]struct{}
}

// New returns the state that a ZooKeeper begins with.
func New() *State {
	s := empty()
	s.add(&node{Image: tree.Image{Path: "/", Data: []byte{}, ACL: zk.OpenACL()}})
	s.add(&node{Image: tree.Image{Path: "/zookeeper", Data: []byte{}, ACL: zk.OpenACL()}})
	s.add(&node{Image: tree.Image{Path: "/zookeeper/quota", Data: []byte{}, ACL: zk.OpenACL()}})
	return s
}

func empty() *State {
	return &State{Sessions: map[int64]int32{}, nodes: map[string]*node{}, owned: map[int64]map[string]struct{}{}}
}

// parentOf returns the path above a path: "/" for "/a".
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// add puts a node in that is not there; its parent is, unless it is the root.
func (s *State) add(n *node) {
	s.nodes[n.Path] = n
	s.sum += digestOf(&n.Image)
	if n.Path != "/" {
		p := s.nodes[parentOf(n.Path)]
		if p.children == nil {
			p.children = map[string]struct{}{}
		}
		p.children[n.Path] = struct{}{}
	}
	if n.Owner != 0 {
		if s.owned[n.Owner] == nil {
			s.owned[n.Owner] = map[string]struct{}{}
		}
		s.owned[n.Owner][n.Path] = struct{}{}
	}
}

// remove takes a node out, with what is below it.
func (s *State) remove(n *node) {
	for work := []*node{n}; len(work) > 0; {
		top := work[len(work)-1]
		work = work[:len(work)-1]
		for path := range top.children {
			work = append(work, s.nodes[path])
		}
		delete(s.nodes, top.Path)
		s.sum -= digestOf(&top.Image)
		if delete(s.owned[top.Owner], top.Path); len(s.owned[top.Owner]) == 0 {
			delete(s.owned, top.Owner)
		}
	}
	delete(s.nodes[parentOf(n.Path)].children, n.Path)
}

// change changes a node that stays.
func (s *State) change(n *node, how func(n *node)) {
	s.sum -= digestOf(&n.Image)
	how(n)
	s.sum += digestOf(&n.Image)
}

// Apply carries a transaction out that may be in the state already, in whole or
// in part, with some that follow it. A node that is younger than the transaction
// shows that: whatever the transaction did to its forerunner is over.
func (s *State) Apply(x *tree.Txn) {
	switch x.Op {
	case zk.OpMulti:
		for i := range x.Sub {
			s.one(x, &x.Sub[i])
		}
	case zk.OpCreateSession:
		s.Sessions[x.Session] = x.Timeout
	case zk.OpCloseSession:
		delete(s.Sessions, x.Session)
		s.closeSession(x)
	default:
		s.one(x, x)
	}
	s.Zxid = max(s.Zxid, x.Zxid)
}

func (s *State) one(x, op *tree.Txn) {
	switch op.Op {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		s.create(x, op)
	case zk.OpDelete, zk.OpDeleteContainer:
		s.delete(x.Zxid, op.Path)
	case zk.OpSetData:
		if n := s.elder(x.Zxid, op.Path); n != nil {
			s.change(n, func(n *node) {
				n.Data = slices.Clone(op.Data) // what is read shall not keep whole files in memory
				n.Version, n.Mzxid, n.Mtime = op.Version, x.Zxid, x.Time
			})
		}
	case zk.OpSetACL:
		if n := s.elder(x.Zxid, op.Path); n != nil {
			s.change(n, func(n *node) { n.ACL, n.Aversion = op.ACL, op.Version })
		}
	}
}

// elder returns a node that was there when a transaction came.
func (s *State) elder(zxid int64, path string) *node {
	n := s.nodes[path]
	if n == nil || n.Czxid > zxid {
		return nil
	}
	return n
}

func (s *State) create(x, op *tree.Txn) {
	parent := s.elder(x.Zxid, parentOf(op.Path))
	if parent == nil || op.Path == "/" {
		return
	}
	creates := op.Version
	if creates == unknownCreates {
		creates = parent.Creates + 1
	}
	if creates > parent.Creates {
		s.change(parent, func(n *node) { n.Creates, n.Pzxid = creates, x.Zxid })
	}
	if n := s.nodes[op.Path]; n != nil {
		if n.Czxid <= x.Zxid {
			n.ACL = op.ACL
		}
		return
	}
	s.add(&node{Image: tree.Image{
		Path: op.Path, Data: slices.Clone(op.Data), ACL: op.ACL, Owner: op.Owner,
		Czxid: x.Zxid, Mzxid: x.Zxid, Pzxid: x.Zxid, Ctime: x.Time, Mtime: x.Time,
	}})
}

func (s *State) delete(zxid int64, path string) {
	parent := s.elder(zxid, parentOf(path))
	if parent == nil || path == "/" {
		return
	}
	s.change(parent, func(n *node) { n.Pzxid = max(n.Pzxid, zxid) })
	if n := s.elder(zxid, path); n != nil {
		s.remove(n) // below it are only nodes that are younger, and come again
	}
}

// closeSession deletes what a session owns: by the list in the transaction,
// which those before 3.6 do not have, and by what there is.
func (s *State) closeSession(x *tree.Txn) {
	for _, path := range x.Paths {
		s.delete(x.Zxid, path)
	}
	for _, path := range slices.Sorted(maps.Keys(s.owned[x.Session])) {
		s.delete(x.Zxid, path)
	}
}

// The marks of owners that are no sessions.
const (
	containerOwner = -1 << 63
	ttlMark        = -1 << 56
	reservedBits   = 0xffff << 40
	maxTTL         = 1<<40 - 1 // ms
)

// isTTL reports whether an owner is a time to live, where those are enabled. No
// member has the number that would be in its place in a session's id.
func isTTL(owner int64) bool { return owner&ttlMark == ttlMark && owner&reservedBits == 0 }

// EndDead deletes the nodes of sessions that are gone, as ZooKeeper does it when
// it starts, and returns how many.
func (s *State) EndDead() int {
	before := len(s.nodes)
	for _, owner := range slices.Sorted(maps.Keys(s.owned)) {
		if _, open := s.Sessions[owner]; open || owner == containerOwner || isTTL(owner) {
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(s.owned[owner])) {
			s.delete(s.Zxid, path)
		}
	}
	return before - len(s.nodes)
}

// Nodes returns how many nodes there are, the root among them.
func (s *State) Nodes() int { return len(s.nodes) }

// Owned returns how many nodes end with a session, and how many have a time to
// live.
func (s *State) Owned() (ephemerals, ttls int) {
	for owner, paths := range s.owned {
		_, open := s.Sessions[owner]
		switch {
		case open:
			ephemerals += len(paths)
		case isTTL(owner):
			ttls += len(paths)
		}
	}
	return ephemerals, ttls
}

// Images gives all nodes out, parents before children, by path. An Image is
// valid until visit returns, which may end the walk by an error.
func (s *State) Images(visit func(*tree.Image) error) error {
	for work := []string{"/"}; len(work) > 0; {
		n := s.nodes[work[len(work)-1]]
		work = work[:len(work)-1]
		if err := visit(&n.Image); err != nil {
			return err
		}
		below := slices.Sorted(maps.Keys(n.children))
		slices.Reverse(below)
		work = append(work, below...)
	}
	return nil
}

// Sum returns the digest of the tree.
func (s *State) Sum() uint64 { return s.sum }

// fault says why the tree cannot be that after the last transaction: a node shows
// a later one, or has an ACL that only a later one tells. It is "" for none.
func (s *State) fault() string {
	for _, n := range s.nodes {
		switch latest := max(n.Czxid, n.Mzxid, n.Pzxid); {
		case latest > s.Zxid:
			return fmt.Sprintf("node %s of transaction 0x%x", n.Path, latest)
		case n.ACL == nil:
			return fmt.Sprintf("node %s without its ACL", n.Path)
		}
	}
	return ""
}
