package tree

import (
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// Options are what a tree's rules depend on; Seed and Memory apart, they must
// agree on all members.
type Options struct {
	// ExtendedTypes lets nodes have a time to live (extendedTypesEnabled).
	ExtendedTypes bool
	// EnforceQuota makes hard limits refuse writes (enforceQuota).
	EnforceQuota bool
	// Schemes are the authentication schemes besides digest and ip, such as
	// sasl, whose ids an ACL may name.
	Schemes []string
	// NoDigest forbids ids of scheme digest
	// (DigestAuthenticationProvider.enabled=false).
	NoDigest bool
	// IPv4Only leaves IPv6 addresses out of ACLs of scheme ip, as 3.8 does.
	IPv4Only bool
	// NoClientReaping refuses deleteContainer requests of clients, as 3.8 does.
	NoClientReaping bool
	// Seed spreads the index; any number, it shows nowhere.
	Seed uint64
	// Memory holds the nodes; nil for the collected heap.
	Memory Memory
}

// The nodes every tree starts with.
const (
	zookeeperPath = "/zookeeper"
	quotaPath     = "/zookeeper/quota"
	// ConfigPath is where the members of an ensemble are named.
	ConfigPath = "/zookeeper/config"
)

// Tree is the state. See the package comment for who may call what when.
type Tree struct {
	opts     Options
	s        *store
	acls     *aclTable
	owners   map[int64]*owned // by session, and by the marks of special nodes
	sessions map[int64]Session
	quotas   map[string]struct{} // paths with a limit
	lastZxid int64
	// pathBytes is the summed length of all paths, for ApproximateSize.
	pathBytes int64
	// ephemerals counts nodes owned by sessions.
	ephemerals int
	snap       *Snapshot
	coming     *restoring // nil for nothing
}

// Session is what members agree on about a session.
type Session struct {
	// Timeout is the negotiated timeout in milliseconds.
	Timeout int32
	// Member is not 0 when the session lives in the process of that member and
	// ends with it.
	Member uint64
}

// presets are the nodes below the root that every tree starts with.
var presets = []struct {
	path     string
	acl      func() []zk.ACL
	aversion int32
}{
	{zookeeperPath, zk.OpenACL, 0},
	{quotaPath, zk.OpenACL, 0},
	{ConfigPath, zk.ReadACL, -1},
}

// New returns a tree with the nodes that ZooKeeper presets.
func New(opts Options) *Tree {
	t := newTree(opts)
	_, root := t.s.insert(0, "", []byte{}, t.acls.hold(zk.OpenACL()))
	t.s.needExtra(root)
	t.pathBytes = int64(len("/"))
	t.addPresets()
	return t
}

// addPresets adds those that are missing.
func (t *Tree) addPresets() {
	for _, p := range presets {
		if t.find(p.path) != 0 {
			continue
		}
		nd := t.preset(p.path, p.acl())
		if p.aversion != 0 {
			t.s.needExtra(nd).aversion = p.aversion
		}
		t.pathBytes += int64(len(p.path))
	}
}

func newTree(opts Options) *Tree {
	if opts.Memory == nil {
		opts.Memory = heap{}
	}
	return &Tree{
		opts: opts, s: newStore(opts.Memory, opts.Seed), acls: newACLTable(),
		owners: map[int64]*owned{}, sessions: map[int64]Session{}, quotas: map[string]struct{}{},
	}
}

// preset adds a node without history: all its stats are 0, its parent's too.
func (t *Tree) preset(path string, acl []zk.ACL) *node {
	parent, name := splitPath(path)
	_, nd := t.s.insert(t.find(parent), name, []byte{}, t.acls.hold(acl))
	return nd
}

// Close gives the memory back; the tree is unusable then.
func (t *Tree) Close() {
	t.dropRestoring()
	t.s.close()
}

// splitPath cuts a path at its last slash: "/a/b" is "/a" and "b", "/a" is ""
// and "a". A path without slash has no parent.
func splitPath(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// find returns the node at a path, or 0. As in ZooKeeper both "" and "/" are
// the root.
func (t *Tree) find(path string) num {
	if path == "" || path == "/" {
		return rootNum
	}
	if path[0] != '/' {
		return 0
	}
	n := rootNum
	for rest := path[1:]; ; {
		name, tail, more := strings.Cut(rest, "/")
		if n = t.s.index.find(t.s, n, name); n == 0 || !more {
			return n
		}
		rest = tail
	}
}

// path returns where a node is.
func (t *Tree) path(n num) string {
	if n == rootNum {
		return "/"
	}
	size := 0
	for m := n; m != rootNum; m = t.s.node(m).parent {
		size += 1 + int(t.s.node(m).nameLen)
	}
	b := make([]byte, size)
	for m := n; m != rootNum; m = t.s.node(m).parent {
		name := t.s.name(t.s.node(m))
		size -= len(name)
		copy(b[size:], name)
		size--
		b[size] = '/'
	}
	return string(b)
}

// LastZxid returns the zxid of the last transaction applied.
func (t *Tree) LastZxid() int64 { return t.lastZxid }

// NodeCount returns ZooKeeper's figure, which counts the root twice.
func (t *Tree) NodeCount() int { return t.s.count + 1 }

// EphemeralCount returns how many nodes end with a session.
func (t *Tree) EphemeralCount() int { return t.ephemerals }

// ApproximateSize returns the summed length in bytes of all paths and data.
func (t *Tree) ApproximateSize() int64 { return t.pathBytes + t.s.dataBytes }
