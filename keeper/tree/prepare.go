package tree

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/zk"
)

// Request is a client's write, with who asks.
type Request struct {
	Session int64
	Cxid    int32
	// IDs are what the connection proved to be when the request arrived.
	IDs  []Identity
	Body zk.Request
}

// Prepare resolves a write against the tree and all that was prepared before.
// A refused one becomes a transaction too, which only takes the zxid. now is in
// ms since 1970.
func (p *Preparer) Prepare(zxid, now int64, r *Request) Txn {
	p.undo, p.aclRoom = p.undo[:0], maxAuthACL
	x := Txn{Zxid: zxid, Time: now, Session: r.Session, Cxid: r.Cxid, Op: r.Body.Op()}
	if m, ok := r.Body.(*zk.MultiRequest); ok {
		p.multi(&x, r, m)
		return x
	}
	if err := p.one(&x, r, r.Body); err != zk.OK {
		return x.refused(err)
	}
	return x
}

// refused turns a transaction into one that changes nothing.
func (x *Txn) refused(err zk.Err) Txn {
	return Txn{Zxid: x.Zxid, Time: x.Time, Session: x.Session, Cxid: x.Cxid, Op: zk.OpError, Err: err}
}

func (p *Preparer) multi(x *Txn, r *Request, m *zk.MultiRequest) {
	x.Sub = make([]Txn, len(m.Ops))
	for i, op := range m.Ops {
		sub := &x.Sub[i]
		*sub = Txn{Zxid: x.Zxid, Time: x.Time, Session: x.Session, Cxid: x.Cxid, Op: op.Op()}
		err := p.one(sub, r, op)
		switch {
		case err == zk.OK:
			continue
		case err == zk.ErrMarshalling || slices.ContainsFunc(m.Ops, nullPath): // the whole of it
			*x = x.refused(zk.ErrMarshalling)
		default:
			x.Err, x.Version = err, int32(i)
			clear(x.Sub)
		}
		p.rollback()
		return
	}
}

// nullPath reports whether ZooKeeper stumbles over an operation of a multi before
// it looks at the first.
func nullPath(op zk.Request) bool {
	switch b := op.(type) {
	case *zk.CreateRequest:
		return b.Path == zk.Null
	case *zk.DeleteRequest:
		return b.Path == zk.Null
	case *zk.SetDataRequest:
		return b.Path == zk.Null
	case *zk.CheckRequest:
		return b.Path == zk.Null
	}
	return false
}

// one resolves a single operation.
func (p *Preparer) one(x *Txn, r *Request, body zk.Request) zk.Err {
	switch b := body.(type) {
	case *zk.CreateRequest:
		return p.create(x, r, b)
	case *zk.DeleteRequest:
		return p.delete(x, r, b)
	case *zk.SetDataRequest:
		return p.setData(x, r, b)
	case *zk.SetACLRequest:
		return p.setACL(x, r, b)
	case *zk.CheckRequest:
		return p.check(x, r, b)
	case *zk.DeleteContainerRequest:
		return p.deleteContainer(x, r, b)
	case *zk.GetDataRequest, *zk.GetChildrenRequest: // in a multi of nothing else
		return zk.ErrMarshalling
	}
	must.Bug("operation %v is not a write", body.Op())
	return zk.ErrUnimplemented
}

// special paths cannot be deleted.
func special(path string) bool {
	return path == "/" || path == zookeeperPath || path == quotaPath || path == ConfigPath
}

// parentOf is ZooKeeper's weaker check, made before the parent is looked up.
func parentOf(path string) (string, zk.Err) {
	switch {
	case path == zk.Null:
		return "", zk.ErrMarshalling
	case !strings.Contains(path, "/") || strings.ContainsRune(path, 0):
		return "", zk.ErrBadArguments
	}
	parent, _ := splitPath(path)
	return parent, zk.OK
}

// removable is parentOf for a node that is to go.
func removable(path string) (parent string, err zk.Err) {
	if special(path) {
		return "", zk.ErrBadArguments
	}
	return parentOf(path)
}

func (p *Preparer) delete(x *Txn, r *Request, b *zk.DeleteRequest) zk.Err {
	if p.Closing(r.Session) {
		return zk.ErrSessionExpired
	}
	parentPath, err := removable(b.Path)
	if err != zk.OK {
		return err
	}
	parent := p.get(parentPath)
	if parent == nil {
		return zk.ErrNoNode
	}
	if !Allowed(parent.acl, zk.PermDelete, r.IDs) {
		return zk.ErrNoAuth
	}
	c := p.get(b.Path)
	switch {
	case c == nil:
		return zk.ErrNoNode
	case b.Version != -1 && b.Version != c.version:
		return zk.ErrBadVersion
	case c.children > 0:
		return zk.ErrNotEmpty
	}
	x.Path = b.Path
	p.remove(x.Zxid, parentPath, parent, b.Path)
	return zk.OK
}

// deleteContainer is for ZooKeeper's own use, but clients may ask for it. There no
// ACL stops them, here the one that stops a delete does.
func (p *Preparer) deleteContainer(x *Txn, r *Request, b *zk.DeleteContainerRequest) zk.Err {
	if p.t.opts.NoClientReaping {
		return zk.ErrBadArguments
	}
	parentPath, err := removable(b.Path)
	if err != zk.OK {
		return err
	}
	parent, c := p.get(parentPath), p.get(b.Path)
	switch {
	case c == nil:
		return zk.ErrNoNode
	case c.children > 0:
		return zk.ErrNotEmpty
	case p.t.opts.kindOf(c.owner) == ownerSession:
		return zk.ErrBadVersion
	case !Allowed(parent.acl, zk.PermDelete, r.IDs):
		return zk.ErrNoAuth
	}
	x.Path = b.Path
	p.remove(x.Zxid, parentPath, parent, b.Path)
	return zk.OK
}

// remove notes that a node goes and its parent loses a child.
func (p *Preparer) remove(zxid int64, parentPath string, parent *change, path string) {
	less := *parent
	less.children--
	p.put(zxid, parentPath, &less, 0)
	p.put(zxid, path, &change{gone: true}, 0)
}

func (p *Preparer) setData(x *Txn, r *Request, b *zk.SetDataRequest) zk.Err {
	if p.Closing(r.Session) {
		return zk.ErrSessionExpired
	}
	if zk.ValidatePath(b.Path) != nil {
		return zk.ErrBadArguments
	}
	c := p.get(b.Path)
	if c == nil {
		return zk.ErrNoNode
	}
	if !Allowed(c.acl, zk.PermWrite, r.IDs) {
		return zk.ErrNoAuth
	}
	if err := p.t.overQuota(b.Path, int64(len(b.Data)-c.dataLen), 0); err != zk.OK {
		return err
	}
	if b.Version != -1 && b.Version != c.version {
		return zk.ErrBadVersion
	}
	next := *c
	next.version++
	next.dataLen = len(b.Data)
	x.Path, x.Data, x.Version = b.Path, b.Data, next.version
	p.put(x.Zxid, b.Path, &next, 0)
	return zk.OK
}

func (p *Preparer) setACL(x *Txn, r *Request, b *zk.SetACLRequest) zk.Err {
	if p.Closing(r.Session) {
		return zk.ErrSessionExpired
	}
	if zk.ValidatePath(b.Path) != nil {
		return zk.ErrBadArguments
	}
	acl, err := p.t.opts.fixACL(b.ACL, r.IDs, &p.aclRoom)
	if err != zk.OK {
		return err
	}
	c := p.get(b.Path)
	if c == nil {
		return zk.ErrNoNode
	}
	if !Allowed(c.acl, zk.PermAdmin, r.IDs) {
		return zk.ErrNoAuth
	}
	if b.Version != -1 && b.Version != c.aversion {
		return zk.ErrBadVersion
	}
	next := *c
	next.aversion++
	next.acl = acl
	x.Path, x.ACL, x.Version = b.Path, acl, next.aversion
	p.put(x.Zxid, b.Path, &next, 0)
	return zk.OK
}

func (p *Preparer) check(x *Txn, r *Request, b *zk.CheckRequest) zk.Err {
	if p.Closing(r.Session) {
		return zk.ErrSessionExpired
	}
	if zk.ValidatePath(b.Path) != nil {
		return zk.ErrBadArguments
	}
	c := p.get(b.Path)
	switch {
	case c == nil:
		return zk.ErrNoNode
	case !Allowed(c.acl, zk.PermRead, r.IDs):
		return zk.ErrNoAuth
	case b.Version != -1 && b.Version != c.version:
		return zk.ErrBadVersion
	}
	x.Path = b.Path
	return zk.OK
}

// create follows the order in which ZooKeeper finds faults.
func (p *Preparer) create(x *Txn, r *Request, b *zk.CreateRequest) zk.Err {
	owner, err := p.ownerFor(r.Session, b)
	if err != zk.OK {
		return err
	}
	parentPath, err := parentOf(b.Path)
	if err != zk.OK {
		return err
	}
	acl, err := p.t.opts.fixACL(b.ACL, r.IDs, &p.aclRoom)
	if err != zk.OK {
		return err
	}
	parent := p.get(parentPath)
	if parent == nil {
		return zk.ErrNoNode
	}
	if !Allowed(parent.acl, zk.PermCreate, r.IDs) {
		return zk.ErrNoAuth
	}
	path := b.Path
	if b.Flags.Sequential() {
		path = fmt.Sprintf("%s%010d", path, parent.cversion)
	}
	switch {
	case zk.ValidatePath(path) != nil:
		return zk.ErrBadArguments
	case p.get(path) != nil:
		return zk.ErrNodeExists
	case p.t.opts.kindOf(parent.owner) == ownerSession:
		return zk.ErrNoChildrenForEphemerals
	}
	if err := p.t.overQuota(path, int64(len(b.Data)), 1); err != zk.OK {
		return err
	}
	more := *parent
	more.cversion++
	more.children++
	p.put(x.Zxid, parentPath, &more, 0)
	var session int64
	if p.t.opts.kindOf(owner) == ownerSession {
		session = owner
	}
	p.put(x.Zxid, path, &change{owner: owner, acl: acl, dataLen: len(b.Data)}, session)
	x.Path, x.Data, x.ACL, x.Version, x.Owner = path, b.Data, acl, more.cversion, owner
	return zk.OK
}

// ownerFor checks flags, time to live and session, and says who will own the
// node.
func (p *Preparer) ownerFor(session int64, b *zk.CreateRequest) (int64, zk.Err) {
	ttl := int64(-1)
	if b.Kind == zk.OpCreateTTL {
		ttl = b.TTL
	}
	switch {
	case !b.Flags.Valid():
		return 0, zk.ErrBadArguments
	case b.Flags.TTL() && !p.t.opts.ExtendedTypes:
		return 0, zk.ErrUnimplemented
	case b.Flags.TTL() && (ttl <= 0 || ttl > maxTTL), !b.Flags.TTL() && b.Kind == zk.OpCreateTTL:
		return 0, zk.ErrBadArguments
	case p.Closing(session):
		return 0, zk.ErrSessionExpired
	}
	switch {
	case b.Flags.TTL():
		return ttlMark | ttl, zk.OK
	case b.Kind == zk.OpCreateContainer: // whatever the flags
		return containerOwner, zk.OK
	case b.Flags.Ephemeral():
		return session, zk.OK
	}
	return 0, zk.OK // also with the flags of a container
}

// Epoch opens a leader's epoch; its zxid has a counter of 0.
func (p *Preparer) Epoch(zxid, now int64) Txn { return Txn{Zxid: zxid, Time: now, Op: OpEpoch} }

// CreateSession adds a session; member is not 0 for one that ends with the
// process of that member. timeout is in ms.
func (p *Preparer) CreateSession(zxid, now, session int64, timeout int32, member uint64) Txn {
	p.opening[session] = Session{Timeout: timeout, Member: member}
	return Txn{
		Zxid: zxid, Time: now, Session: session, Op: zk.OpCreateSession, Timeout: timeout, Owner: int64(member),
	}
}

// Mark is applied after all that was prepared before it; zxid is the last one.
func (p *Preparer) Mark(zxid, now, session int64, cxid int32) Txn {
	return Txn{Zxid: zxid, Time: now, Session: session, Cxid: cxid, Op: OpMark}
}

// Attach moves a session to another connection, unless it is over; zxid is the
// last one, timeout is in ms.
func (p *Preparer) Attach(zxid, now, session int64, timeout int32) Txn {
	x := Txn{Zxid: zxid, Time: now, Session: session, Op: OpAttach, Timeout: timeout}
	if p.Closing(session) {
		x.Err = zk.ErrSessionExpired
	}
	return x
}

// Config names the members of an ensemble, as /zookeeper/config shows them.
func (p *Preparer) Config(zxid, now int64, ensemble uint64, members string) Txn {
	return Txn{Zxid: zxid, Time: now, Op: OpConfig, Data: []byte(members), Owner: int64(ensemble)}
}

// CloseSession ends a session and deletes its nodes, in one transaction.
func (p *Preparer) CloseSession(zxid, now, session int64, cxid int32) Txn {
	p.undo, p.aclRoom = p.undo[:0], maxAuthACL
	x := Txn{Zxid: zxid, Time: now, Session: session, Cxid: cxid, Op: zk.OpCloseSession}
	x.Paths = p.ephemeralsOf(session)
	for _, path := range x.Paths {
		parentPath, _ := splitPath(path)
		p.remove(zxid, parentPath, p.get(parentPath), path)
	}
	p.closing[session] = zxid
	return x
}

// ErrNotReapable says that a node is not to be removed any more.
var ErrNotReapable = errors.New("node is in use, gone or not a container")

// DeleteContainer removes a container or a node whose time passed, unless it
// got children meanwhile.
func (p *Preparer) DeleteContainer(zxid, now int64, path string) (Txn, error) {
	p.undo = p.undo[:0]
	parentPath, _ := splitPath(path)
	parent, c := p.get(parentPath), p.get(path)
	if parent == nil || c == nil || c.children > 0 || p.t.opts.kindOf(c.owner) <= ownerSession {
		return Txn{}, fmt.Errorf("%s: %w", path, ErrNotReapable)
	}
	p.remove(zxid, parentPath, parent, path)
	return Txn{Zxid: zxid, Time: now, Op: zk.OpDeleteContainer, Path: path}, nil
}
