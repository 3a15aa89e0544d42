package tree

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// Image is all that is kept of one node: what passes between a tree and files
// that are not this program's.
type Image struct {
	// Path is "/" for the root.
	Path string
	// Data is the content, nil for null. It is not copied.
	Data []byte
	ACL  []zk.ACL
	// Czxid, Mzxid, Pzxid, Ctime, Mtime, Version and Aversion are as in zk.Stat.
	Czxid, Mzxid, Pzxid int64
	Ctime, Mtime        int64
	Version, Aversion   int32
	// Creates is how many children were ever created, which ZooKeeper's files
	// call cversion; clients see 2·Creates − children.
	Creates int32
	// Owner is a session, the mark of a container or of a time to live, or 0.
	Owner int64
}

// Images gives all nodes out, parents before children and siblings by name. An
// Image is valid until visit returns, which may end the walk by an error.
func (t *Tree) Images(visit func(*Image) error) error {
	for work := []num{rootNum}; len(work) > 0; {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		im := t.image(n)
		if err := visit(&im); err != nil {
			return err
		}
		start := len(work)
		for c := t.s.extraOf(t.s.node(n)).firstChild; c != 0; c = t.s.node(c).next {
			work = append(work, c)
		}
		slices.SortFunc(work[start:], func(a, b num) int { // the last is visited first
			return strings.Compare(string(t.s.name(t.s.node(b))), string(t.s.name(t.s.node(a))))
		})
	}
	return nil
}

func (t *Tree) image(n num) Image {
	nd := t.s.node(n)
	e := t.s.extraOf(nd)
	return Image{
		Path: t.path(n), Data: t.s.data(nd), ACL: t.acls.list(nd.acl),
		Czxid: nd.czxid, Mzxid: nd.mzxid, Pzxid: t.s.pzxid(nd), Ctime: nd.ctime, Mtime: nd.mtime,
		Version: nd.version, Aversion: e.aversion, Creates: e.cversion, Owner: e.owner,
	}
}

// Builder makes a tree of images.
type Builder struct{ t *Tree }

// errImage is wrapped by what Add says of an image that fits nowhere.
var errImage = errors.New("node does not fit into the tree")

// NewBuilder returns a builder of a tree with the given options.
func NewBuilder(opts Options) *Builder { return &Builder{newTree(opts)} }

// Session adds a session.
func (b *Builder) Session(id int64, s Session) { b.t.sessions[id] = s }

// Add copies a node in. The root comes first, and parents before children.
func (b *Builder) Add(im *Image) error {
	t := b.t
	parent, name := num(0), ""
	if im.Path != "/" {
		above, last := splitPath(im.Path)
		parent, name = t.find(above), last
		if t.s.count == 0 || parent == 0 || name == "" || im.Path[0] != '/' {
			return fmt.Errorf("%q has no parent: %w", im.Path, errImage)
		}
	}
	if t.s.count > 0 && (parent == 0 || t.s.index.find(t.s, parent, name) != 0) {
		return fmt.Errorf("%q is there twice: %w", im.Path, errImage)
	}
	n, nd := t.s.insert(parent, name, im.Data, t.acls.hold(im.ACL))
	nd.czxid, nd.mzxid, nd.ctime, nd.mtime, nd.version = im.Czxid, im.Mzxid, im.Ctime, im.Mtime, im.Version
	if n == rootNum || im.Pzxid != im.Czxid || im.Creates != 0 || im.Aversion != 0 {
		e := t.s.needExtra(nd)
		e.pzxid, e.cversion, e.aversion = im.Pzxid, im.Creates, im.Aversion
	}
	if im.Owner != 0 {
		t.own(n, im.Owner)
	}
	t.pathBytes += int64(len(im.Path))
	if above, last := splitPath(im.Path); last == limitsName {
		t.limit(above)
	}
	return nil
}

// Finish returns the tree as it is after a transaction. Nodes that every tree
// has are added where they are missing, and what quotas count is counted anew,
// both as ZooKeeper does it when it starts.
func (b *Builder) Finish(zxid int64) (*Tree, error) {
	t := b.t
	if t.s.count == 0 {
		t.Close()
		return nil, fmt.Errorf("there is no root: %w", errImage)
	}
	t.lastZxid = zxid
	t.addPresets()
	for path := range t.quotas {
		t.countQuota(path)
	}
	return t, nil
}

// Close drops a tree that is not to be finished.
func (b *Builder) Close() { b.t.Close() }
