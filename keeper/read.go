package keeper

import (
	"strings"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// read answers one request from the tree. Tree and connection are locked.
func (c *conn) read(t *tree.Tree, body zk.Request) (zk.Record, zk.Err) {
	switch b := body.(type) {
	case *zk.GetDataRequest:
		return c.getData(t, b)
	case *zk.ExistsRequest:
		return c.exists(t, b)
	case *zk.GetChildrenRequest:
		nd, err := c.children(t, b.Path, b.Watch)
		if err != zk.OK {
			return nil, err
		}
		return &zk.GetChildrenResponse{Children: nd.Children()}, zk.OK
	case *zk.GetChildren2Request:
		nd, err := c.children(t, b.Path, b.Watch)
		if err != zk.OK {
			return nil, err
		}
		return &zk.GetChildren2Response{Children: nd.Children(), Stat: nd.Stat()}, zk.OK
	case *zk.GetACLRequest:
		return c.getACL(t, b)
	case zk.PingRequest:
		return nil, zk.OK
	case *zk.MultiRequest:
		return c.multiRead(t, b)
	}
	return c.readRare(t, body)
}

// readRare is read for what ordinary clients seldom send.
func (c *conn) readRare(t *tree.Tree, body zk.Request) (zk.Record, zk.Err) {
	w := c.k.watches
	switch b := body.(type) {
	case *zk.SetWatchesRequest:
		return nil, c.setWatches(t, b)
	case *zk.SetWatches2Request:
		return nil, c.setWatches2(t, b)
	case *zk.AddWatchRequest:
		return c.addWatch(b)
	case *zk.CheckWatchesRequest:
		if err := c.k.quirks.knows(b.Type); err != zk.OK || w.Has(c.id, b.Path, b.Type) {
			return nil, err
		}
		return nil, zk.ErrNoWatcher
	case *zk.RemoveWatchesRequest:
		if err := c.k.quirks.knows(b.Type); err != zk.OK || w.Remove(c.id, b.Path, b.Type) {
			return nil, err
		}
		return nil, zk.ErrNoWatcher
	case *zk.GetEphemeralsRequest:
		return &zk.GetEphemeralsResponse{Paths: t.Ephemerals(c.session.Load().id, b.Path)}, zk.OK
	case *zk.GetAllChildrenNumberRequest:
		nd, err := c.find(t, b.Path)
		if err != zk.OK {
			return nil, err
		}
		total := nd.Descendants()
		if b.Path == "" { // ZooKeeper counts paths that go on with a slash: "/" does
			total++
		}
		return &zk.GetAllChildrenNumberResponse{Total: int32(total)}, zk.OK
	case zk.WhoAmIRequest:
		r := &zk.WhoAmIResponse{}
		for _, id := range c.identities() {
			r.Clients = append(r.Clients, zk.ClientInfo{Scheme: id.Scheme, User: userOf(id)})
		}
		return r, zk.OK
	}
	must.Bug("no answer to %v", body.Op())
	return nil, zk.ErrUnimplemented
}

// find returns a node that the connection may read.
func (c *conn) find(t *tree.Tree, path string) (tree.Node, zk.Err) {
	nd, ok := t.Find(path)
	switch {
	case path == zk.Null:
		return nd, zk.ErrMarshalling
	case !ok:
		return nd, zk.ErrNoNode
	case !tree.Allowed(nd.ACL(), zk.PermRead, c.identities()):
		return nd, zk.ErrNoAuth
	}
	return nd, zk.OK
}

func (c *conn) getData(t *tree.Tree, b *zk.GetDataRequest) (zk.Record, zk.Err) {
	nd, err := c.find(t, b.Path)
	if err != zk.OK {
		return nil, err
	}
	if b.Watch {
		c.k.watches.AddData(c.id, b.Path)
	}
	return &zk.GetDataResponse{Data: nd.Data(), Stat: nd.Stat()}, zk.OK
}

// exists arms the watch for a missing node too.
func (c *conn) exists(t *tree.Tree, b *zk.ExistsRequest) (zk.Record, zk.Err) {
	if strings.ContainsRune(b.Path, 0) {
		return nil, zk.ErrBadArguments
	}
	nd, err := c.find(t, b.Path)
	if b.Watch && (err == zk.OK || err == zk.ErrNoNode) {
		c.k.watches.AddData(c.id, b.Path)
	}
	if err != zk.OK {
		return nil, err
	}
	return &zk.StatResponse{Stat: nd.Stat()}, zk.OK
}

func (c *conn) children(t *tree.Tree, path string, watch bool) (tree.Node, zk.Err) {
	nd, err := c.find(t, path)
	if err == zk.OK && watch {
		c.k.watches.AddChild(c.id, path)
	}
	return nd, err
}

// getACL shows the list to who may read or administer it, hashes only to the
// latter.
func (c *conn) getACL(t *tree.Tree, b *zk.GetACLRequest) (zk.Record, zk.Err) {
	nd, ok := t.Find(b.Path)
	if b.Path == zk.Null {
		return nil, zk.ErrMarshalling
	}
	if !ok {
		return nil, zk.ErrNoNode
	}
	acl, ids := nd.ACL(), c.identities()
	switch {
	case !tree.Allowed(acl, zk.PermRead|zk.PermAdmin, ids):
		return nil, zk.ErrNoAuth
	case !tree.Allowed(acl, zk.PermAdmin, ids):
		acl = maskDigests(acl)
	}
	return &zk.GetACLResponse{ACL: acl, Stat: nd.Stat()}, zk.OK
}

// multiRead answers each operation for itself. A request of 1 MiB may ask for
// the same large node tens of thousands of times: an answer above what may wait
// for a client is refused.
func (c *conn) multiRead(t *tree.Tree, b *zk.MultiRequest) (zk.Record, zk.Err) {
	r := &zk.MultiResponse{}
	size := 0
	for _, op := range b.Ops {
		if op.Op() != zk.OpGetData && op.Op() != zk.OpGetChildren {
			return r, zk.ErrMarshalling
		}
		body, err := c.read(t, op)
		if err == zk.ErrMarshalling {
			return r, err // with what was read so far
		}
		res := zk.OpResult{Op: op.Op()}
		switch got := body.(type) {
		case *zk.GetDataResponse:
			res.Data, res.Stat = got.Data, got.Stat
		case *zk.GetChildrenResponse:
			res.Children = got.Children
		default:
			res.Op, res.Err = zk.OpError, err
		}
		for _, name := range res.Children {
			size += zk.LengthSize + len(name)
		}
		if size += len(res.Data); size > maxUnsent {
			return nil, zk.ErrMarshalling
		}
		r.Results = append(r.Results, res)
	}
	return r, zk.OK
}

func (c *conn) addWatch(b *zk.AddWatchRequest) (zk.Record, zk.Err) {
	switch b.Mode {
	case zk.WatchPersistent:
		c.k.watches.AddPersistent(c.id, b.Path)
	case zk.WatchRecursive:
		c.k.watches.AddRecursive(c.id, b.Path)
	default:
		return nil, zk.ErrMarshalling
	}
	return &zk.ErrorResponse{}, zk.OK
}

// setWatches arms a reconnected client's watches, or fires them when what they
// wait for happened meanwhile. These events carry no zxid. Over a null ZooKeeper
// stumbles where it comes to it.
func (c *conn) setWatches(t *tree.Tree, b *zk.SetWatchesRequest) zk.Err {
	const noZxid = -1
	tell := func(typ zk.EventType, path string) {
		c.eventLocked(noZxid, zk.Event{Type: typ, State: zk.StateSyncConnected, Path: path})
	}
	w := c.k.watches
	if err := eachPath(t, b.Data, func(path string, nd tree.Node, ok bool) {
		switch {
		case !ok:
			tell(zk.EventDeleted, path)
		case nd.Stat().Mzxid > b.RelativeZxid:
			tell(zk.EventDataChanged, path)
		default:
			w.AddData(c.id, path)
		}
	}); err != zk.OK {
		return err
	}
	if err := eachPath(t, b.Exist, func(path string, _ tree.Node, ok bool) {
		if ok {
			tell(zk.EventCreated, path)
		} else {
			w.AddData(c.id, path)
		}
	}); err != zk.OK {
		return err
	}
	return eachPath(t, b.Child, func(path string, nd tree.Node, ok bool) {
		switch {
		case !ok:
			tell(zk.EventDeleted, path)
		case nd.Stat().Pzxid > b.RelativeZxid:
			tell(zk.EventChildrenChanged, path)
		default:
			w.AddChild(c.id, path)
		}
	})
}

// eachPath looks up the nodes at paths, up to a null.
func eachPath(t *tree.Tree, paths []string, see func(path string, nd tree.Node, ok bool)) zk.Err {
	if paths == nil {
		return zk.ErrMarshalling
	}
	for _, path := range paths {
		if path == zk.Null {
			return zk.ErrMarshalling
		}
		nd, ok := t.Find(path)
		see(path, nd, ok)
	}
	return zk.OK
}

func (c *conn) setWatches2(t *tree.Tree, b *zk.SetWatches2Request) zk.Err {
	if err := c.setWatches(t, &b.SetWatchesRequest); err != zk.OK {
		return err
	}
	for _, p := range b.Persistent {
		c.k.watches.AddPersistent(c.id, p)
	}
	if b.Persistent == nil || b.Recursive == nil {
		return zk.ErrMarshalling
	}
	for _, p := range b.Recursive {
		c.k.watches.AddRecursive(c.id, p)
	}
	return zk.OK
}
