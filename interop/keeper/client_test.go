//go:build interop

package keeper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// patience bounds every wait for a server.
const patience = 60 * time.Second

// client is one session of ZooKeeper's protocol, bare, so that it can be taken up
// again at another server.
type client struct {
	t       testing.TB
	nc      net.Conn
	xid     int32
	session zk.ConnectResponse
}

// connect begins a session, or attaches to that of old, which may be nil.
func connect(t testing.TB, addr string, timeout time.Duration, old *client) *client {
	t.Helper()
	c, err := tryConnect(t, addr, timeout, old)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryConnect(t testing.TB, addr string, timeout time.Duration, old *client) (*client, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(4 * patience)); err != nil {
		return nil, err
	}
	c := &client{t: t, nc: nc}
	req := zk.ConnectRequest{Timeout: int32(timeout.Milliseconds()), Password: make([]byte, zk.PasswordSize)}
	if old != nil {
		req.SessionID, req.Password = old.session.SessionID, old.session.Password
	}
	if _, err := nc.Write(zk.AppendFrame(nil, &req)); err != nil {
		return nil, err
	}
	b, err := zk.ReadFrame(nc, nil, 1<<20)
	if err == nil {
		err = zk.Unmarshal(b, &c.session)
	}
	if err == nil && c.session.Timeout <= 0 {
		err = errors.New("the session does not exist any more")
	}
	return c, err
}

// try sends a request and reads what answers it.
func (c *client) try(req zk.Request, resp zk.Record) error {
	xid := zk.XidAuth
	if req.Op() != zk.OpAuth {
		c.xid++
		xid = c.xid
	}
	if _, err := c.nc.Write(zk.AppendRequest(nil, xid, req)); err != nil {
		return err
	}
	b, err := zk.ReadFrame(c.nc, nil, 64<<20)
	if err != nil {
		return err
	}
	d := zk.NewDecoder(b)
	var h zk.ReplyHeader
	h.Decode(d)
	switch {
	case h.Xid != xid:
		return fmt.Errorf("a reply to %d, want %d", h.Xid, xid)
	case h.Err != zk.OK:
		return h.Err
	case resp != nil:
		resp.Decode(d)
	}
	return d.Err()
}

// do is try for what must succeed.
func (c *client) do(req zk.Request, resp zk.Record) {
	c.t.Helper()
	if err := c.try(req, resp); err != nil {
		c.t.Fatalf("%v %+v: %v", req.Op(), req, err)
	}
}

// create makes a node and returns its path.
func (c *client) create(path, data string, mode zk.CreateMode, acl ...zk.ACL) string {
	c.t.Helper()
	req := &zk.CreateRequest{Path: path, Data: []byte(data), ACL: acl, Flags: mode}
	if len(acl) == 0 {
		req.ACL = zk.OpenACL()
	}
	var resp zk.CreateResponse
	c.do(req, &resp)
	return resp.Path
}

// special makes a container, or with a time to live a node of that kind.
func (c *client) special(path string, ttl time.Duration) {
	c.t.Helper()
	req := &zk.CreateRequest{Kind: zk.OpCreateContainer, Path: path, Data: []byte("special"), ACL: zk.OpenACL(), Flags: zk.Container}
	if ttl > 0 {
		req.Kind, req.Flags, req.TTL = zk.OpCreateTTL, zk.PersistentTTL, ttl.Milliseconds()
	}
	c.do(req, &zk.Create2Response{})
}

func (c *client) set(path, data string) {
	c.t.Helper()
	c.do(&zk.SetDataRequest{Path: path, Data: []byte(data), Version: -1}, &zk.StatResponse{})
}

func (c *client) delete(path string) {
	c.t.Helper()
	c.do(&zk.DeleteRequest{Path: path, Version: -1}, nil)
}

func (c *client) auth(id string) {
	c.t.Helper()
	c.do(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte(id)}, nil)
}

// exists returns nil when there is no such node.
func (c *client) exists(path string) *zk.Stat {
	c.t.Helper()
	var resp zk.StatResponse
	err := c.try(&zk.ExistsRequest{Path: path}, &resp)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		c.t.Fatalf("exists %s: %v", path, err)
	}
	return &resp.Stat
}
