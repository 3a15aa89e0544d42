package tree

import (
	"github.com/gregor-mq/gregor/zk"
)

// Apply carries a transaction out. res is overwritten, its slices' room used
// again. A transaction that does not fit the tree changes what it can and says
// ErrNoNode: that happens only with logs that somebody else wrote.
func (t *Tree) Apply(x *Txn, res *Result) {
	*res = Result{Events: res.Events[:0], Ops: res.Ops[:0]}
	switch x.Op {
	case zk.OpMulti:
		t.applyMulti(x, res)
	case zk.OpCreateSession:
		t.sessions[x.Session] = Session{Timeout: x.Timeout, Member: uint64(x.Owner)}
	case zk.OpCloseSession:
		for _, path := range x.Paths {
			t.delete(x.Zxid, path, res)
		}
		delete(t.sessions, x.Session)
	case zk.OpError:
		res.Err = x.Err
	case OpAttach:
		t.attach(x, res)
	case OpConfig:
		t.configure(x, res)
	case OpEpoch:
		t.dropRestoring() // its leader is gone
	case OpRestorePart:
		t.restorePart(x, res)
	case OpRestore:
		t.restore(x, res)
	case OpMark:
	default:
		t.applyOne(x, x, res)
	}
	t.lastZxid = max(t.lastZxid, x.Zxid)
}

// attach takes a session's new timeout over.
func (t *Tree) attach(x *Txn, res *Result) {
	res.Err = x.Err
	if s, ok := t.sessions[x.Session]; ok && x.Err == zk.OK {
		s.Timeout = x.Timeout
		t.sessions[x.Session] = s
	}
}

// configure writes /zookeeper/config. Its version never changes.
func (t *Tree) configure(x *Txn, res *Result) {
	set := *x
	set.Path, set.Version = ConfigPath, -1
	t.setData(x, &set, res)
}

// applyOne carries out op, which is x itself or a part of it.
func (t *Tree) applyOne(x, op *Txn, res *Result) {
	switch op.Op {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		t.create(x, op, res)
	case zk.OpDelete, zk.OpDeleteContainer:
		t.delete(x.Zxid, op.Path, res)
	case zk.OpSetData:
		t.setData(x, op, res)
	case zk.OpSetACL:
		t.setACL(op, res)
	case zk.OpCheck:
	}
}

func (t *Tree) applyMulti(x *Txn, res *Result) {
	if x.Err != zk.OK {
		var m zk.MultiResponse
		m.Fail(len(x.Sub), int(x.Version), x.Err)
		res.Ops = append(res.Ops, m.Results...)
		return
	}
	for i := range x.Sub {
		res.Err, res.Path, res.Stat = zk.OK, "", zk.Stat{}
		t.applyOne(x, &x.Sub[i], res)
		r := zk.OpResult{Op: x.Sub[i].Op, Err: res.Err, Path: res.Path, Stat: res.Stat}
		if r.Err != zk.OK {
			r.Op = zk.OpError
		}
		res.Ops = append(res.Ops, r)
	}
	res.Err, res.Path, res.Stat = zk.OK, "", zk.Stat{}
}

func (t *Tree) create(x, op *Txn, res *Result) {
	parentPath, name := splitPath(op.Path)
	parent := t.find(parentPath)
	if parent == 0 || name == "" || op.Path[0] != '/' {
		res.Err = zk.ErrNoNode
		return
	}
	if t.s.index.find(t.s, parent, name) != 0 {
		res.Err = zk.ErrNodeExists
		return
	}
	t.s.touch(parent)
	pe := t.s.needExtra(t.s.node(parent))
	pe.cversion, pe.pzxid = op.Version, x.Zxid
	n, nd := t.s.insert(parent, name, op.Data, t.acls.hold(op.ACL))
	nd.czxid, nd.mzxid, nd.ctime, nd.mtime = x.Zxid, x.Zxid, x.Time, x.Time
	if op.Owner != 0 {
		t.own(n, op.Owner)
	}
	t.pathBytes += int64(len(op.Path))
	t.quotaCreated(op.Path, int64(len(op.Data)))
	res.Path, res.Stat = op.Path, t.stat(n)
	res.Events = append(res.Events,
		Event{zk.EventCreated, op.Path, t.acls.list(nd.acl)},
		Event{zk.EventChildrenChanged, rootName(parentPath), t.acls.list(t.s.node(parent).acl)})
}

func (t *Tree) delete(zxid int64, path string, res *Result) {
	n := t.find(path)
	if n == 0 || n == rootNum || t.s.extraOf(t.s.node(n)).children > 0 {
		res.Err = zk.ErrNoNode
		return
	}
	nd := t.s.node(n)
	parentPath, _ := splitPath(path)
	t.s.touch(nd.parent)
	t.s.touch(n)
	pe := t.s.needExtra(t.s.node(nd.parent))
	pe.pzxid = max(pe.pzxid, zxid)
	acl, dataLen, parent := nd.acl, int64(max(nd.dataLen, 0)), nd.parent
	res.Events = append(res.Events,
		Event{zk.EventDeleted, path, t.acls.list(acl)},
		Event{zk.EventChildrenChanged, rootName(parentPath), t.acls.list(t.s.node(parent).acl)})
	t.disown(n)
	t.s.remove(n)
	t.acls.drop(acl)
	t.pathBytes -= int64(len(path))
	t.quotaDeleted(path, dataLen)
}

func (t *Tree) setData(x, op *Txn, res *Result) {
	n := t.find(op.Path)
	if n == 0 {
		res.Err = zk.ErrNoNode
		return
	}
	t.s.touch(n)
	nd := t.s.node(n)
	diff := int64(len(op.Data)) - int64(max(nd.dataLen, 0))
	t.s.setData(nd, op.Data)
	nd.version, nd.mtime, nd.mzxid = op.Version, x.Time, x.Zxid
	t.quotaChanged(op.Path, diff)
	res.Stat = t.stat(n)
	res.Events = append(res.Events, Event{zk.EventDataChanged, op.Path, t.acls.list(nd.acl)})
}

func (t *Tree) setACL(op *Txn, res *Result) {
	n := t.find(op.Path)
	if n == 0 {
		res.Err = zk.ErrNoNode
		return
	}
	t.s.touch(n)
	nd := t.s.node(n)
	old := nd.acl
	nd.acl = t.acls.hold(op.ACL)
	t.acls.drop(old)
	t.s.needExtra(nd).aversion = op.Version
	res.Stat = t.stat(n)
}

// rootName is how watchers call the parent of "/a".
func rootName(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
