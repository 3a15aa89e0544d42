package session

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
)

// fake is a ZooKeeper server of one goroutine per connection: sessions, nodes
// without ACLs, and one-shot watches, enough to judge a client by. Hooks make
// it misbehave.
type fake struct {
	t     *testing.T
	group *run.Group

	mu       sync.Mutex
	nodes    map[string]*fakeNode
	sessions map[int64][]byte
	lastID   int64
	zxid     int64
	conns    []*fakeConn
	dials    []time.Time
	// refuse makes dialling fail.
	refuse bool
	// readOnly is what connect responses say.
	readOnly bool
	// hook sees each request first; true keeps the server from answering it.
	hook func(c *fakeConn, h zk.RequestHeader, r zk.Request) bool
	// seen lists what clients sent, as "operation path".
	seen []string
}

type fakeNode struct {
	data  []byte
	stat  zk.Stat
	acl   []zk.ACL
	owner int64
}

type fakeConn struct {
	f    *fake
	conn net.Conn
	id   int64
	out  sync.Mutex
	data map[string]bool
	kids map[string]bool
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, group: run.NewGroup(context.Background()), nodes: map[string]*fakeNode{"/": {}}, sessions: map[int64][]byte{}, lastID: 0x100}
	t.Cleanup(func() {
		f.kill()
		f.group.Wait()
	})
	return f
}

// dial is a Config.Dialer.
func (f *fake) dial(context.Context) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, env.Real().Clock.Now())
	if f.refuse {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	f.acceptLocked(theirs)
	return ours, nil
}

func (f *fake) acceptLocked(conn net.Conn) {
	c := &fakeConn{f: f, conn: conn, data: map[string]bool{}, kids: map[string]bool{}}
	f.conns = append(f.conns, c)
	f.group.Light(func() {
		c.serve()
		conn.Close()
	})
}

// kill cuts all connections.
func (f *fake) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.conn.Close()
	}
	f.conns = nil
}

func (f *fake) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// took returns what clients sent since the last call.
func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.seen
	f.seen = nil
	return v
}

func (c *fakeConn) serve() {
	if !c.connect() {
		return
	}
	for {
		frame, err := zk.ReadFrame(c.conn, nil, zk.MaxReply)
		if err != nil {
			return
		}
		h, r, err := zk.DecodeRequest(frame)
		if err != nil {
			c.f.t.Errorf("client sent rubbish: %v", err)
			return
		}
		c.f.mu.Lock()
		c.f.seen = append(c.f.seen, strings.TrimSpace(h.Op.String()+" "+pathOf(r)))
		hook := c.f.hook
		c.f.mu.Unlock()
		if hook != nil && hook(c, h, r) {
			continue
		}
		if !c.answer(h, r) {
			return
		}
	}
}

func (c *fakeConn) connect() bool {
	frame, err := zk.ReadFrame(c.conn, nil, 1000)
	var req zk.ConnectRequest
	if err != nil || zk.Unmarshal(frame, &req) != nil {
		return false
	}
	f := c.f
	f.mu.Lock()
	resp := zk.ConnectResponse{Password: make([]byte, zk.PasswordSize), ReadOnly: f.readOnly}
	switch known, ok := f.sessions[req.SessionID]; {
	case req.SessionID == 0:
		f.lastID++
		resp.SessionID, resp.Password, resp.Timeout = f.lastID, bytes.Repeat([]byte{byte(f.lastID)}, zk.PasswordSize), req.Timeout
		f.sessions[f.lastID] = resp.Password
	case ok && bytes.Equal(known, req.Password):
		resp.SessionID, resp.Password, resp.Timeout = req.SessionID, known, req.Timeout
	}
	c.id = resp.SessionID
	f.mu.Unlock()
	c.write(zk.AppendFrame(nil, &resp))
	return resp.Timeout > 0
}

func (c *fakeConn) write(frame []byte) {
	c.out.Lock()
	defer c.out.Unlock()
	c.conn.Write(frame)
}

// answer does a request as ZooKeeper would and reports whether to go on.
func (c *fakeConn) answer(h zk.RequestHeader, r zk.Request) bool {
	f := c.f
	f.mu.Lock()
	body, code := c.do(r)
	head := zk.ReplyHeader{Xid: h.Xid, Zxid: f.zxid, Err: code}
	if code != zk.OK {
		body = nil
	}
	f.mu.Unlock()
	c.write(zk.AppendReply(nil, head, body))
	return h.Op != zk.OpCloseSession
}

func (c *fakeConn) do(req zk.Request) (zk.Record, zk.Err) {
	f := c.f
	n := f.nodes[pathOf(req)]
	switch r := req.(type) {
	case *zk.CreateRequest:
		return c.create(r)
	case *zk.DeleteRequest:
		if n == nil {
			return nil, zk.ErrNoNode
		}
		delete(f.nodes, r.Path)
		f.zxid++
		f.fire(r.Path, zk.EventDeleted)
		f.fire(parentOf(r.Path), zk.EventChildrenChanged)
	case *zk.SetDataRequest:
		switch {
		case n == nil:
			return nil, zk.ErrNoNode
		case r.Version >= 0 && r.Version != n.stat.Version:
			return nil, zk.ErrBadVersion
		}
		f.zxid++
		n.data, n.stat.Mzxid = bytes.Clone(r.Data), f.zxid
		n.stat.Version++
		f.fire(r.Path, zk.EventDataChanged)
		return &zk.StatResponse{Stat: n.stat}, zk.OK
	case *zk.MultiRequest:
		return c.multi(r)
	case *zk.CloseRequest, zk.CloseRequest:
		delete(f.sessions, c.id)
		maps.DeleteFunc(f.nodes, func(_ string, n *fakeNode) bool { return n.owner == c.id })
	case *zk.AuthRequest:
		if string(r.Auth) == "bad" {
			return nil, zk.ErrAuthFailed
		}
	default:
		return c.look(req, n)
	}
	return nil, zk.OK
}

// look does reads.
func (c *fakeConn) look(req zk.Request, n *fakeNode) (zk.Record, zk.Err) {
	switch r := req.(type) {
	case *zk.ExistsRequest:
		if r.Watch {
			c.data[r.Path] = true
		}
		if n == nil {
			return nil, zk.ErrNoNode
		}
		return &zk.StatResponse{Stat: n.stat}, zk.OK
	case *zk.GetDataRequest:
		if n == nil {
			return nil, zk.ErrNoNode
		}
		if r.Watch {
			c.data[r.Path] = true
		}
		return &zk.GetDataResponse{Data: n.data, Stat: n.stat}, zk.OK
	case *zk.GetChildren2Request:
		if n == nil {
			return nil, zk.ErrNoNode
		}
		if r.Watch {
			c.kids[r.Path] = true
		}
		var names []string
		for p := range c.f.nodes {
			if p != "/" && parentOf(p) == r.Path {
				names = append(names, p[strings.LastIndexByte(p, '/')+1:])
			}
		}
		slices.Sort(names)
		return &zk.GetChildren2Response{Children: names, Stat: n.stat}, zk.OK
	case *zk.SyncRequest:
		return &zk.SyncResponse{Path: r.Path}, zk.OK
	case *zk.SetACLRequest:
		n.acl = r.ACL
		return &zk.StatResponse{Stat: n.stat}, zk.OK
	case *zk.GetACLRequest:
		return &zk.GetACLResponse{ACL: n.acl, Stat: n.stat}, zk.OK
	case *zk.AddWatchRequest:
		return &zk.ErrorResponse{}, zk.OK
	}
	return nil, zk.OK
}

func (c *fakeConn) create(r *zk.CreateRequest) (zk.Record, zk.Err) {
	f := c.f
	switch {
	case f.nodes[r.Path] != nil:
		return nil, zk.ErrNodeExists
	case f.nodes[parentOf(r.Path)] == nil:
		return nil, zk.ErrNoNode
	}
	f.zxid++
	n := &fakeNode{data: bytes.Clone(r.Data), acl: r.ACL, stat: zk.Stat{Czxid: f.zxid, Mzxid: f.zxid}}
	if r.Flags.Ephemeral() {
		n.owner, n.stat.EphemeralOwner = c.id, c.id
	}
	f.nodes[r.Path] = n
	f.fire(r.Path, zk.EventCreated)
	f.fire(parentOf(r.Path), zk.EventChildrenChanged)
	return &zk.Create2Response{Path: r.Path, Stat: n.stat}, zk.OK
}

// multi rolls back nothing: the tests only let its first operation fail.
func (c *fakeConn) multi(r *zk.MultiRequest) (zk.Record, zk.Err) {
	var m zk.MultiResponse
	for i, op := range r.Ops {
		body, code := c.do(op)
		if code != zk.OK {
			m.Fail(len(r.Ops), i, code)
			break
		}
		res := zk.OpResult{Op: op.Op()}
		switch b := body.(type) {
		case *zk.Create2Response:
			res.Path, res.Stat = b.Path, b.Stat
		case *zk.StatResponse:
			res.Stat = b.Stat
		}
		m.Results = append(m.Results, res)
	}
	return &m, zk.OK
}

// fire sends an event to the connections that watch, before the reply.
func (f *fake) fire(path string, t zk.EventType) {
	for _, c := range f.conns {
		table := c.data
		if t == zk.EventChildrenChanged {
			table = c.kids
		}
		if table[path] {
			delete(table, path)
			c.write(zk.AppendEvent(nil, f.zxid, zk.Event{Type: t, State: zk.StateSyncConnected, Path: path}))
		}
	}
}

func parentOf(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 1)] }

func pathOf(r zk.Request) string {
	switch r := r.(type) {
	case *zk.CreateRequest:
		return r.Path
	case *zk.DeleteRequest:
		return r.Path
	case *zk.SetDataRequest:
		return r.Path
	case *zk.SetACLRequest:
		return r.Path
	case *zk.GetACLRequest:
		return r.Path
	case *zk.ExistsRequest:
		return r.Path
	case *zk.GetDataRequest:
		return r.Path
	case *zk.GetChildren2Request:
		return r.Path
	case *zk.SyncRequest:
		return r.Path
	case *zk.AuthRequest:
		return r.Scheme + " " + string(r.Auth)
	case *zk.SetWatchesRequest:
		return strings.Join(slices.Concat(r.Data, r.Exist, r.Child), " ")
	}
	return ""
}
