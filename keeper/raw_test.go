package keeper_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

// raw is a client that sees every packet.
type raw struct {
	t    testing.TB
	nc   net.Conn
	xid  int32
	resp zk.ConnectResponse
}

// patience bounds every wait; only a broken keeper needs it.
const patience = 20 * time.Second

func dial(t testing.TB, k *keeper.Keeper) *raw {
	t.Helper()
	nc, err := net.DialTimeout("tcp", k.Addrs()[0].String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	return wrap(t, nc)
}

func wrap(t testing.TB, nc net.Conn) *raw {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &raw{t: t, nc: nc}
}

func (r *raw) send(b []byte) {
	r.t.Helper()
	if _, err := r.nc.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) frame() []byte {
	r.t.Helper()
	b, err := zk.ReadFrame(r.nc, nil, 64<<20)
	if err != nil {
		r.t.Fatalf("reading a frame: %v", err)
	}
	return b
}

// hello connects; session 0 is a new one.
func (r *raw) hello(req zk.ConnectRequest) *raw {
	r.t.Helper()
	if req.Timeout == 0 {
		req.Timeout = 10_000
	}
	if req.Password == nil {
		req.Password = make([]byte, zk.PasswordSize)
	}
	r.send(zk.AppendFrame(nil, &req))
	if err := zk.Unmarshal(r.frame(), &r.resp); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// client is a raw client with a new session.
func client(t testing.TB, k *keeper.Keeper) *raw { return dial(t, k).hello(zk.ConnectRequest{}) }

// again is a raw client on the session of another.
func (r *raw) again(k *keeper.Keeper) *raw {
	return dial(r.t, k).hello(zk.ConnectRequest{SessionID: r.resp.SessionID, Password: r.resp.Password})
}

func (r *raw) post(req zk.Request) int32 {
	r.t.Helper()
	r.xid++
	xid := r.xid
	switch req.(type) {
	case zk.PingRequest:
		xid = zk.XidPing
	case *zk.AuthRequest:
		xid = zk.XidAuth
	case *zk.SetWatchesRequest, *zk.SetWatches2Request:
		xid = zk.XidSetWatches
	}
	r.send(zk.AppendRequest(nil, xid, req))
	return xid
}

// reply reads the next packet, which must answer xid.
func (r *raw) reply(xid int32, body zk.Record) zk.ReplyHeader {
	r.t.Helper()
	f := r.frame()
	d := zk.NewDecoder(f)
	var h zk.ReplyHeader
	h.Decode(d)
	if h.Xid != xid {
		r.t.Fatalf("packet answers %d, want %d: %s", h.Xid, xid, hex.EncodeToString(f))
	}
	if h.Err == zk.OK && body != nil {
		body.Decode(d)
	}
	if d.Err() != nil || d.Len() > 0 {
		r.t.Fatalf("reply to %d: %v, %d bytes left", xid, d.Err(), d.Len())
	}
	return h
}

// do sends a request and decodes its reply.
func (r *raw) do(req zk.Request) (zk.ReplyHeader, zk.Record) {
	r.t.Helper()
	body := zk.NewResponse(req.Op())
	return r.reply(r.post(req), body), body
}

// must expects success.
func (r *raw) must(req zk.Request) zk.Record {
	r.t.Helper()
	h, body := r.do(req)
	if h.Err != zk.OK {
		r.t.Fatalf("%v: %v", req.Op(), h.Err)
	}
	return body
}

// fails expects an error.
func (r *raw) fails(req zk.Request, want zk.Err) {
	r.t.Helper()
	if h, _ := r.do(req); h.Err != want {
		r.t.Fatalf("%v: %v, want %v", req.Op(), h.Err, want)
	}
}

// event expects a notification.
func (r *raw) event(typ zk.EventType, path string) zk.ReplyHeader {
	r.t.Helper()
	var ev zk.Event
	h := r.reply(zk.XidNotification, &ev)
	if ev.Type != typ || ev.Path != path || ev.State != zk.StateSyncConnected {
		r.t.Fatalf("event %+v, want %v %s", ev, typ, path)
	}
	return h
}

// closed expects the end of the stream.
func (r *raw) closed() {
	r.t.Helper()
	b, err := zk.ReadFrame(r.nc, nil, 1<<20)
	if len(b) > 0 || err == nil {
		r.t.Fatalf("got a packet: %x", b)
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		r.t.Fatal("the connection stays open")
	}
}

func create(path string, mode zk.CreateMode) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Flags: mode, ACL: zk.OpenACL()}
}

// pipeClient is a raw client over the in-memory connection.
func pipeClient(t testing.TB, k *keeper.Keeper) *raw {
	t.Helper()
	nc, err := k.Pipe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return wrap(t, nc).hello(zk.ConnectRequest{})
}

// word asks a four-letter word.
func word(t testing.TB, k *keeper.Keeper, w string) string {
	t.Helper()
	r := dial(t, k)
	r.send([]byte(w))
	b, err := io.ReadAll(r.nc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(fmt.Sprint("never: ", what))
		}
	}
}
