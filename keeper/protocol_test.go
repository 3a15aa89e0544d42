package keeper_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

func TestConnectNegotiates(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.TickTime, cfg.MaxSessionTimeout = 2*time.Second, 0
	k := start(t, cfg, env.Real())
	for asked, want := range map[int32]int32{1000: 4000, 100_000: 40_000, 18_000: 18_000} {
		r := dial(t, k).hello(zk.ConnectRequest{Timeout: asked})
		if r.resp.Timeout != want || r.resp.SessionID>>56 != 1 || len(r.resp.Password) != 16 || r.resp.ReadOnly {
			t.Errorf("asked %d: %+v", asked, r.resp)
		}
	}
	r := dial(t, k)
	r.send(zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 9000, Password: make([]byte, 16), Old: true}))
	if f := r.frame(); len(f) != 36 {
		t.Errorf("an old client gets %d bytes", len(f))
	}
	r = dial(t, k)
	r.send(zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 9000, LastZxidSeen: 1 << 50, Password: make([]byte, 16)}))
	r.closed()
	eventually(t, "the refused connection is forgotten", func() bool {
		return !strings.Contains(word(t, k, "cons"), r.nc.LocalAddr().String())
	})
}

func TestReattach(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	a := client(t, k)
	a.must(create("/e", zk.Ephemeral))
	b := a.again(k)
	if b.resp.SessionID != a.resp.SessionID || !bytes.Equal(b.resp.Password, a.resp.Password) {
		t.Fatalf("%+v after %+v", b.resp, a.resp)
	}
	a.closed()
	b.must(&zk.ExistsRequest{Path: "/e"})
	bad := bytes.Clone(a.resp.Password)
	bad[3]++
	for _, req := range []zk.ConnectRequest{
		{SessionID: a.resp.SessionID, Password: bad}, {SessionID: 99, Password: a.resp.Password},
	} {
		c := dial(t, k).hello(req)
		if c.resp.Timeout != 0 || c.resp.SessionID != 0 || !bytes.Equal(c.resp.Password, make([]byte, 16)) {
			t.Fatalf("%+v", c.resp)
		}
		c.closed()
	}
	b.must(zk.PingRequest{})
	if h, _ := b.do(zk.CloseRequest{}); h.Err != zk.OK {
		t.Fatal(h.Err)
	}
	b.closed()
	c := client(t, k)
	c.fails(&zk.ExistsRequest{Path: "/e"}, zk.ErrNoNode)
	if again := b.again(k); again.resp.SessionID != 0 {
		t.Fatal("a closed session was attached to")
	}
}

func TestSessionsExpire(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.TickTime = 20 * time.Millisecond
	k := start(t, cfg, env.Real())
	a := dial(t, k).hello(zk.ConnectRequest{Timeout: 1}) // becomes two ticks
	a.must(create("/e", zk.Ephemeral))
	b := client(t, k)
	b.must(&zk.ExistsRequest{Path: "/e", Watch: true})
	b.event(zk.EventDeleted, "/e")
	a.closed()
}

func TestReadsSeeTheWritesBeforeThem(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	r := client(t, k)
	r.must(create("/n", zk.Persistent))
	var xids []int32
	for i := range 50 {
		xids = append(xids, r.post(&zk.SetDataRequest{Path: "/n", Data: fmt.Append(nil, i), Version: -1}),
			r.post(&zk.GetDataRequest{Path: "/n"}), r.post(&zk.SyncRequest{Path: "/n"}))
	}
	for i := range 50 {
		set := r.reply(xids[3*i], &zk.StatResponse{})
		var got zk.GetDataResponse
		h := r.reply(xids[3*i+1], &got)
		if string(got.Data) != fmt.Sprint(i) || got.Stat.Version != int32(i+1) || h.Zxid < set.Zxid {
			t.Fatalf("read %d: %q, %+v, zxid %x after %x", i, got.Data, got.Stat, h.Zxid, set.Zxid)
		}
		var sync zk.SyncResponse
		if h := r.reply(xids[3*i+2], &sync); h.Err != zk.OK || sync.Path != "/n" {
			t.Fatalf("sync: %v %q", h.Err, sync.Path)
		}
	}
}

func TestEventsComeBeforeReplies(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	r, w := client(t, k), client(t, k)
	r.fails(&zk.ExistsRequest{Path: "/n", Watch: true}, zk.ErrNoNode)
	r.fails(&zk.GetDataRequest{Path: "/n", Watch: true}, zk.ErrNoNode)
	// Its own create: the event precedes the reply, and carries its zxid.
	xid := r.post(create("/n", zk.Persistent))
	ev := r.event(zk.EventCreated, "/n")
	if h := r.reply(xid, &zk.CreateResponse{}); h.Zxid != ev.Zxid {
		t.Fatalf("event of 0x%x before reply of 0x%x", ev.Zxid, h.Zxid)
	}
	r.must(&zk.GetDataRequest{Path: "/n", Watch: true})
	r.must(&zk.GetChildrenRequest{Path: "/n", Watch: true})
	r.must(&zk.GetChildren2Request{Path: "/", Watch: true})
	w.must(create("/n/c", zk.Persistent))
	r.event(zk.EventChildrenChanged, "/n")
	r.must(&zk.GetChildrenRequest{Path: "/n", Watch: true})
	w.must(&zk.DeleteRequest{Path: "/n/c", Version: -1})
	r.event(zk.EventChildrenChanged, "/n")
	r.must(&zk.GetChildrenRequest{Path: "/n", Watch: true})
	w.must(&zk.DeleteRequest{Path: "/n", Version: -1})
	r.event(zk.EventDeleted, "/n") // once for both watches
	r.event(zk.EventChildrenChanged, "/")
	r.must(zk.PingRequest{})
}

func TestPersistentWatches(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	r, w := client(t, k), client(t, k)
	r.must(&zk.AddWatchRequest{Path: "/p", Mode: zk.WatchPersistent})
	r.must(&zk.AddWatchRequest{Path: "/q", Mode: zk.WatchRecursive})
	r.fails(&zk.AddWatchRequest{Path: "/q", Mode: 7}, zk.ErrMarshalling)
	for _, p := range []string{"/p", "/p/c", "/q", "/q/c"} {
		w.must(create(p, zk.Persistent))
	}
	r.event(zk.EventCreated, "/p")
	r.event(zk.EventChildrenChanged, "/p")
	r.event(zk.EventCreated, "/q")
	r.event(zk.EventCreated, "/q/c")
	r.must(&zk.CheckWatchesRequest{Path: "/p", Type: zk.WatcherAny})
	r.fails(&zk.CheckWatchesRequest{Path: "/p", Type: zk.WatcherData}, zk.ErrNoWatcher)
	r.fails(&zk.CheckWatchesRequest{Path: "/p", Type: 9}, zk.ErrMarshalling)
	r.must(&zk.RemoveWatchesRequest{Path: "/p", Type: zk.WatcherPersistent})
	r.fails(&zk.RemoveWatchesRequest{Path: "/p", Type: zk.WatcherAny}, zk.ErrNoWatcher)
	w.must(&zk.SetDataRequest{Path: "/p", Version: -1})
	w.must(&zk.SetDataRequest{Path: "/q/c", Version: -1})
	r.event(zk.EventDataChanged, "/q/c")
}

func TestWatchesReturnAfterReconnect(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	w := client(t, k)
	for _, p := range []string{"/same", "/changed", "/gone", "/kids", "/kids2"} {
		w.must(create(p, zk.Persistent))
	}
	h, _ := w.do(&zk.ExistsRequest{Path: "/same"})
	seen := h.Zxid
	w.must(&zk.SetDataRequest{Path: "/changed", Version: -1})
	w.must(&zk.DeleteRequest{Path: "/gone", Version: -1})
	w.must(create("/kids/c", zk.Persistent))
	w.must(create("/new", zk.Persistent))
	r := client(t, k)
	xid := r.post(&zk.SetWatches2Request{
		SetWatchesRequest: zk.SetWatchesRequest{
			RelativeZxid: seen, Data: []string{"/same", "/changed", "/gone"},
			Exist: []string{"/new", "/later"}, Child: []string{"/kids", "/kids2", "/gone"},
		},
		Persistent: []string{"/pers"}, Recursive: []string{"/rec"},
	})
	r.event(zk.EventDataChanged, "/changed")
	r.event(zk.EventDeleted, "/gone")
	r.event(zk.EventCreated, "/new")
	r.event(zk.EventChildrenChanged, "/kids")
	if h := r.event(zk.EventDeleted, "/gone"); h.Zxid != -1 {
		t.Errorf("zxid of a late event: %d", h.Zxid)
	}
	r.reply(xid, nil)
	w.must(&zk.SetDataRequest{Path: "/same", Version: -1})
	w.must(create("/later", zk.Persistent))
	w.must(create("/kids2/c", zk.Persistent))
	w.must(create("/pers", zk.Persistent))
	w.must(create("/rec", zk.Persistent))
	w.must(create("/rec/deep", zk.Persistent))
	r.event(zk.EventDataChanged, "/same")
	r.event(zk.EventCreated, "/later")
	r.event(zk.EventChildrenChanged, "/kids2")
	r.event(zk.EventCreated, "/pers")
	r.event(zk.EventCreated, "/rec")
	r.event(zk.EventCreated, "/rec/deep")
}

func TestAuthentication(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.SuperDigest = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=" // super:admin
	k := start(t, cfg, env.Real())
	a, b := client(t, k), client(t, k)
	a.must(&zk.AuthRequest{Scheme: "digest", Auth: []byte("u:secret")})
	a.must(&zk.CreateRequest{Path: "/mine", ACL: zk.CreatorAllACL()})
	b.fails(&zk.GetDataRequest{Path: "/mine"}, zk.ErrNoAuth)
	b.fails(&zk.ExistsRequest{Path: "/mine", Watch: true}, zk.ErrNoAuth)
	b.fails(&zk.GetACLRequest{Path: "/mine"}, zk.ErrNoAuth)
	b.fails(&zk.CreateRequest{Path: "/x", ACL: zk.CreatorAllACL()}, zk.ErrInvalidACL)
	got := a.must(&zk.GetACLRequest{Path: "/mine"}).(*zk.GetACLResponse)
	if want := (zk.ACL{Perms: 31, Scheme: "digest", ID: "u:Qh8gP9yhWw2xcM2j0CnNyqsHwS0="}); len(got.ACL) != 1 || got.ACL[0].ID[:2] != "u:" || got.ACL[0].Perms != want.Perms {
		t.Fatalf("%+v", got.ACL)
	}
	a.must(&zk.SetACLRequest{Path: "/mine", Version: -1, ACL: append(zk.ReadACL(), got.ACL...)})
	seen := b.must(&zk.GetACLRequest{Path: "/mine"}).(*zk.GetACLResponse)
	if seen.ACL[1].ID != "u:x" {
		t.Fatalf("a stranger sees %+v", seen.ACL)
	}
	// Events reach only who may read.
	a.must(&zk.SetACLRequest{Path: "/mine", Version: -1, ACL: got.ACL})
	b.must(&zk.AddWatchRequest{Path: "/mine", Mode: zk.WatchPersistent})
	a.must(&zk.SetDataRequest{Path: "/mine", Version: -1})
	b.must(zk.PingRequest{})
	who := a.must(zk.WhoAmIRequest{}).(*zk.WhoAmIResponse)
	if want := []zk.ClientInfo{{Scheme: "ip", User: "127.0.0.1"}, {Scheme: "digest", User: "u"}}; !slices.Equal(who.Clients, want) {
		t.Fatalf("%+v", who.Clients)
	}
	b.must(&zk.AuthRequest{Scheme: "digest", Auth: []byte("super:admin")})
	b.must(&zk.GetDataRequest{Path: "/mine"})
	c := client(t, k)
	xid := c.post(&zk.AuthRequest{Scheme: "sasl", Auth: []byte("x")})
	if h := c.reply(xid, nil); h.Err != zk.ErrAuthFailed || h.Zxid != 0 {
		t.Fatalf("%+v", h)
	}
	c.closed()
}

func TestRareRequests(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	r := client(t, k)
	r.must(create("/a", zk.Persistent))
	r.must(create("/a/e", zk.Ephemeral))
	r.must(create("/b", zk.Ephemeral))
	if got := r.must(&zk.GetEphemeralsRequest{Path: "/a"}).(*zk.GetEphemeralsResponse); !slices.Equal(got.Paths, []string{"/a/e"}) {
		t.Errorf("ephemerals: %q", got.Paths)
	}
	if got := r.must(&zk.GetAllChildrenNumberRequest{Path: "/"}).(*zk.GetAllChildrenNumberResponse); got.Total != 6 {
		t.Errorf("%d nodes below /", got.Total)
	}
	r.fails(&zk.GetAllChildrenNumberRequest{Path: "/none"}, zk.ErrNoNode)
	r.fails(&zk.ReconfigRequest{ConfigID: -1}, zk.ErrReconfigDisabled)
	r.fails(&zk.ExistsRequest{Path: "/a\x00"}, zk.ErrBadArguments)
	multi := r.must(&zk.MultiRequest{Kind: zk.OpMultiRead, Ops: []zk.Request{
		&zk.GetDataRequest{Path: "/a"}, &zk.GetDataRequest{Path: "/none"}, &zk.GetChildrenRequest{Path: "/a"},
	}}).(*zk.MultiResponse)
	if len(multi.Results) != 3 || multi.Results[1].Err != zk.ErrNoNode || !slices.Equal(multi.Results[2].Children, []string{"e"}) {
		t.Errorf("%+v", multi.Results)
	}
	large := create("/large", 0)
	large.Data = make([]byte, 900<<10)
	r.must(large)
	again := &zk.MultiRequest{Kind: zk.OpMultiRead}
	for range 100 {
		again.Ops = append(again.Ops, &zk.GetDataRequest{Path: "/large"})
	}
	r.fails(again, zk.ErrMarshalling)
	failed := r.must(&zk.MultiRequest{Ops: []zk.Request{
		create("/c", 0), &zk.CheckRequest{Path: "/none", Version: 1}, &zk.DeleteRequest{Path: "/a", Version: -1},
	}}).(*zk.MultiResponse)
	if at, err := failed.Fault(); at != 1 || !errors.Is(err, zk.ErrNoNode) || failed.Results[2].Err != zk.ErrRuntimeInconsistency {
		t.Errorf("%+v", failed.Results)
	}
	if tok := r.must(&zk.SASLRequest{Token: []byte{}}).(*zk.SASLResponse); tok.Token != nil {
		t.Errorf("SASL token %q", tok.Token)
	}
	// Failed writes take a zxid, reads show the last one.
	h1, _ := r.do(&zk.DeleteRequest{Path: "/none"})
	h2, _ := r.do(&zk.GetDataRequest{Path: "/a"})
	if h1.Err != zk.ErrNoNode || h1.Zxid != h2.Zxid {
		t.Errorf("%+v then %+v", h1, h2)
	}
}

func TestMalformedRequests(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	r := client(t, k)
	packet := func(op int32, body ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
		b = binary.BigEndian.AppendUint32(b, 5)
		return append(binary.BigEndian.AppendUint32(b, uint32(op)), body...)
	}
	for _, op := range []zk.Op{999, zk.OpCheck} { // the second belongs into a multi
		r.send(packet(int32(op)))
		if h := r.reply(5, nil); h.Err != zk.ErrUnimplemented || h.Zxid != -1 {
			t.Errorf("%v: %+v", op, h)
		}
		r.closed()
		r = r.again(k)
	}
	for _, op := range []zk.Op{zk.OpCreate, zk.OpGetData, zk.OpMulti, zk.OpSetWatches} {
		r.send(packet(int32(op), 0xff, 1))
		if h := r.reply(5, nil); h.Err != zk.ErrMarshalling {
			t.Errorf("%v: %+v", op, h)
		}
	}
	r.must(zk.PingRequest{})
	r.send(packet(int32(zk.OpAuth), 1))
	r.closed()
	for name, b := range map[string][]byte{
		"negative length": {0xff, 0xff, 0xff, 0xf0}, "length above jute.maxbuffer": {0, 0x10, 0, 0}, "no header": {0, 0, 0, 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := client(t, k)
			r.send(b)
			r.closed()
			r = dial(t, k)
			r.send(b)
			r.closed()
		})
	}
}

func TestConnectionLimit(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxClientCnxns = 2
	k := start(t, cfg, env.Real())
	p := pipeClient(t, k) // does not count
	a, _ := client(t, k), client(t, k)
	dial(t, k).closed()
	p.must(zk.PingRequest{})
	a.must(zk.CloseRequest{})
	a.closed()
	eventually(t, "a place is free again", func() bool {
		r := dial(t, k)
		r.send(zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 9000, Password: make([]byte, 16)}))
		_, err := zk.ReadFrame(r.nc, nil, 100)
		return err == nil
	})
}

func TestContainersAndTTLs(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.ExtendedTypes, cfg.ReapInterval, cfg.TickTime = true, time.Millisecond, 5*time.Millisecond
	k := start(t, cfg, env.Real())
	r := dial(t, k).hello(zk.ConnectRequest{Timeout: 60_000})
	r.must(&zk.CreateRequest{Kind: zk.OpCreateContainer, Path: "/c", Flags: zk.Container, ACL: zk.OpenACL()})
	r.must(create("/c/x", zk.Persistent))
	r.must(&zk.CreateRequest{Kind: zk.OpCreateTTL, Path: "/t", Flags: zk.PersistentTTL, TTL: 5, ACL: zk.OpenACL()})
	r.must(&zk.DeleteRequest{Path: "/c/x", Version: -1})
	eventually(t, "both are reaped", func() bool {
		n := r.must(&zk.GetAllChildrenNumberRequest{Path: "/"}).(*zk.GetAllChildrenNumberResponse)
		return n.Total == 3
	})
}

func TestPipelineOfManyClients(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	first := client(t, k)
	first.must(create("/q", zk.Persistent))
	const clients, each = 8, 100
	all := make([]*raw, clients)
	for i := range all {
		all[i] = pipeClient(t, k)
		for range each {
			all[i].post(create("/q/n", zk.PersistentSequential))
		}
	}
	seen := map[string]bool{}
	for _, r := range all {
		last := ""
		for i := range int32(each) {
			var got zk.CreateResponse
			if h := r.reply(i+1, &got); h.Err != zk.OK || seen[got.Path] || got.Path <= last {
				t.Fatalf("%v %q after %q", h.Err, got.Path, last)
			}
			seen[got.Path], last = true, got.Path
		}
	}
	st := first.must(&zk.ExistsRequest{Path: "/q"}).(*zk.StatResponse).Stat
	if st.NumChildren != clients*each || st.Cversion != clients*each {
		t.Fatalf("%+v", st)
	}
}

func TestStopsWhileClientsWrite(t *testing.T) {
	k, err := keeper.Start(t.Context(), config(t.TempDir()), env.Real(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	r := client(t, k)
	for range 500 {
		r.post(create("/n", zk.PersistentSequential))
	}
	if err := k.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Pipe(t.Context()); err == nil {
		t.Fatal("a pipe into a stopped keeper")
	}
	if k.Err() != nil {
		t.Fatal(k.Err())
	}
}
