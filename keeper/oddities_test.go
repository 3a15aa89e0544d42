package keeper_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

// packet is a request whose body is written by hand.
func packet(op zk.Op, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	b = binary.BigEndian.AppendUint32(b, 5)
	b = binary.BigEndian.AppendUint32(b, uint32(op))
	return append(b, body...)
}

// nullPath is a null where requests begin with a path.
const nullPath = "\xff\xff\xff\xff"

func emulating(t *testing.T, release string) *keeper.Keeper {
	cfg := config(t.TempDir())
	cfg.Emulate = release
	return start(t, cfg, env.Real())
}

func TestNullPaths(t *testing.T) {
	r := client(t, emulating(t, ""))
	for _, c := range []struct {
		op   zk.Op
		body string // after the path
		want zk.Err
	}{
		{zk.OpExists, "\x01", zk.ErrMarshalling},
		{zk.OpGetData, "\x01", zk.ErrMarshalling},
		{zk.OpGetChildren, "\x01", zk.ErrMarshalling},
		{zk.OpGetChildren2, "\x01", zk.ErrMarshalling},
		{zk.OpGetACL, "", zk.ErrMarshalling},
		{zk.OpGetAllChildrenNumber, "", zk.ErrMarshalling},
		{zk.OpDelete, "\x00\x00\x00\x00", zk.ErrMarshalling},
		{zk.OpSetData, "\x00\x00\x00\x00\x00\x00\x00\x00", zk.ErrBadArguments},
		{zk.OpDeleteContainer, "", zk.ErrMarshalling},
		{zk.OpRemoveWatches, "\x00\x00\x00\x03", zk.ErrNoWatcher},
		{zk.OpAddWatch, "\x00\x00\x00\x00", zk.OK},
		{zk.OpCheckWatches, "\x00\x00\x00\x04", zk.OK},
		{zk.OpGetEphemerals, "", zk.OK},
	} {
		r.send(packet(c.op, nullPath+c.body))
		if h := r.reply(5, zk.NewResponse(c.op)); h.Err != c.want {
			t.Errorf("%v: %v, want %v", c.op, h.Err, c.want)
		}
	}
	r.send(packet(zk.OpSync, nullPath))
	if got := r.frame(); string(got[16:]) != nullPath {
		t.Errorf("sync: %x", got)
	}
}

// TestNullAmongWatches: what is before the null is done.
func TestNullAmongWatches(t *testing.T) {
	r := client(t, emulating(t, ""))
	const none, zxid = "\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"
	r.send(packet(zk.OpSetWatches, zxid+"\x00\x00\x00\x02\x00\x00\x00\x02/x"+nullPath+none+none))
	r.event(zk.EventDeleted, "/x")
	if h := r.reply(5, nil); h.Err != zk.ErrMarshalling {
		t.Errorf("null path: %v", h.Err)
	}
	r.send(packet(zk.OpSetWatches, zxid+none+"\x00\x00\x00\x01\x00\x00\x00\x02/y"+nullPath))
	if h := r.reply(5, nil); h.Err != zk.ErrMarshalling {
		t.Errorf("null vector: %v", h.Err)
	}
	r.must(&zk.CheckWatchesRequest{Path: "/y", Type: zk.WatcherData})
	r.send(packet(zk.OpSetWatches2, zxid+none+none+none+nullPath+"\x00\x00\x00\x01\x00\x00\x00\x02/z"))
	if h := r.reply(5, nil); h.Err != zk.ErrMarshalling {
		t.Errorf("null vector of setWatches2: %v", h.Err)
	}
	r.fails(&zk.CheckWatchesRequest{Path: "/z", Type: zk.WatcherAny}, zk.ErrNoWatcher)
}

func TestPingHasItsOwnNumber(t *testing.T) {
	r := client(t, emulating(t, ""))
	r.send(packet(zk.OpPing, ""))
	if h := r.reply(zk.XidPing, nil); h.Err != zk.OK {
		t.Error(h.Err)
	}
}

func TestUnknownOperationEndsTheConnectionInItsTurn(t *testing.T) {
	k := emulating(t, "")
	r := client(t, k)
	create := zk.AppendRequest(nil, 1, create("/a", zk.Persistent))
	r.send(append(create, packet(zk.OpCreateSession, "")...))
	r.reply(1, &zk.CreateResponse{})
	if h := r.reply(5, nil); h.Err != zk.ErrUnimplemented || h.Zxid != -1 {
		t.Errorf("%+v", h)
	}
	r.closed()
	r.again(k).must(&zk.GetDataRequest{Path: "/a"}) // the session stays
	r = client(t, k)
	r.send(packet(zk.OpSASL, nullPath))
	r.closed()
}

func TestReadsInMultiSetNoWatches(t *testing.T) {
	r := client(t, emulating(t, ""))
	r.must(&zk.MultiRequest{Kind: zk.OpMultiRead, Ops: []zk.Request{
		&zk.GetDataRequest{Path: "/", Watch: true}, &zk.GetChildrenRequest{Path: "/", Watch: true},
	}})
	r.fails(&zk.CheckWatchesRequest{Path: "/", Type: zk.WatcherAny}, zk.ErrNoWatcher)
	// What was read before it failed comes along.
	r.send(packet(zk.OpMultiRead, "\x00\x00\x00\x08\x00\xff\xff\xff\xff\x00\x00\x00\x05/none\x00"+
		"\x00\x00\x00\x04\x00\xff\xff\xff\xff"+nullPath+"\x00\xff\xff\xff\xff\x01\xff\xff\xff\xff"))
	f := r.frame()
	d := zk.NewDecoder(f)
	var h zk.ReplyHeader
	var body zk.MultiResponse
	h.Decode(d)
	body.Decode(d)
	if h.Err != zk.ErrMarshalling || d.Err() != nil || len(body.Results) != 1 || body.Results[0].Err != zk.ErrNoNode {
		t.Errorf("%+v, %+v, %v", h, body, d.Err())
	}
	m := &zk.MultiRequest{Kind: zk.OpMultiRead, Ops: []zk.Request{&zk.CheckRequest{Path: "/", Version: -1}}}
	r.send(zk.AppendRequest(nil, 9, m))
	if f := r.frame(); len(f) != 16+9 {
		t.Errorf("writes in a multiRead: %x", f)
	}
}

// TestUnreadableChangesTakeZxids: one that does not is not in the log.
func TestUnreadableChangesTakeZxids(t *testing.T) {
	for _, c := range []struct {
		release         string
		multi, setWrite int64
	}{{"", 1, 0}, {"3.8", 1, 1}} {
		r := client(t, emulating(t, c.release))
		last, _ := r.do(zk.PingRequest{})
		for _, p := range []struct {
			op   zk.Op
			more int64
		}{{zk.OpMulti, c.multi}, {zk.OpCreate, c.setWrite}, {zk.OpSetACL, c.setWrite}, {zk.OpReconfig, 0}, {zk.OpGetData, 0}} {
			r.send(packet(p.op, "\xff"))
			h := r.reply(5, nil)
			if h.Err != zk.ErrMarshalling || h.Zxid != last.Zxid+p.more {
				t.Errorf("emulate=%q %v: %+v after %#x", c.release, p.op, h, last.Zxid)
			}
			last = h
		}
	}
}

func TestEverythingBelowNothing(t *testing.T) {
	r := client(t, emulating(t, ""))
	root := r.must(&zk.GetAllChildrenNumberRequest{Path: "/"}).(*zk.GetAllChildrenNumberResponse)
	if got := r.must(&zk.GetAllChildrenNumberRequest{}).(*zk.GetAllChildrenNumberResponse); got.Total != root.Total+1 {
		t.Errorf("%d below nothing, %d below /", got.Total, root.Total)
	}
}

// TestEmulate has what a client sees of each release.
func TestEmulate(t *testing.T) {
	for _, release := range []string{"3.9", "3.8"} {
		t.Run(release, func(t *testing.T) {
			k := emulating(t, release)
			r, other := client(t, k), client(t, k)
			old := release == "3.8"
			r.must(&zk.ExistsRequest{Path: "/"})
			r.must(&zk.AddWatchRequest{Path: "/", Mode: zk.WatchRecursive})
			if h, _ := other.do(&zk.CheckWatchesRequest{Path: "/", Type: zk.WatcherData}); (h.Err == zk.OK) != old {
				t.Errorf("a watch of somebody else: %v", h.Err)
			}
			if h, _ := r.do(&zk.CheckWatchesRequest{Path: "/", Type: zk.WatcherPersistentRecursive}); h.Err != map[bool]zk.Err{true: zk.ErrMarshalling}[old] {
				t.Errorf("a type of 3.9: %v", h.Err)
			}
			other.must(create("/a", zk.Persistent))
			if h := r.event(zk.EventCreated, "/a"); (h.Zxid == -1) != old {
				t.Errorf("event of zxid %d", h.Zxid)
			}
			if h, _ := other.do(&zk.DeleteContainerRequest{Path: "/a"}); (h.Err == zk.ErrBadArguments) != old {
				t.Errorf("deleteContainer: %v", h.Err)
			}
			six := create("/b", zk.Persistent)
			six.ACL = []zk.ACL{{Perms: zk.PermAll, Scheme: zk.SchemeIP, ID: "::1"}}
			if h, _ := other.do(six); (h.Err == zk.ErrInvalidACL) != old {
				t.Errorf("IPv6: %v", h.Err)
			}
		})
	}
	cfg := config(t.TempDir())
	cfg.Emulate = "3.7"
	if k, err := keeper.Start(t.Context(), cfg, env.Real(), nil); err == nil {
		t.Errorf("emulates 3.7: %v", k.Stop(t.Context()))
	}
	read, _, err := keeper.ParseZooCfg([]byte("dataDir=/d\ngregor.keeper.emulate=3.8\n"))
	if err != nil || read.Emulate != "3.8" {
		t.Errorf("zoo.cfg: %q, %v", read.Emulate, err)
	}
	for _, bad := range []string{"3.10", "", "x"} {
		if _, _, err := keeper.ParseZooCfg([]byte("dataDir=/d\ngregor.keeper.emulate=" + bad + "\n")); err == nil {
			t.Errorf("zoo.cfg: emulates %q", bad)
		}
	}
}

// TestTextAsJavaWritesIt: ids come back as ZooKeeper stores them.
func TestTextAsJavaWritesIt(t *testing.T) {
	r := client(t, emulating(t, ""))
	req := create("/a", zk.Persistent)
	req.ACL = []zk.ACL{{Perms: zk.PermAll, Scheme: zk.SchemeWorld, ID: zk.AnyoneID}, {Perms: 1, Scheme: zk.SchemeDigest, ID: "\U0001f600:\xff"}}
	r.must(req)
	got := r.must(&zk.GetACLRequest{Path: "/a"}).(*zk.GetACLResponse)
	if want := "\xed\xa0\xbd\xed\xb8\x80:\ufffd"; !slices.Contains(got.ACL, zk.ACL{Perms: 1, Scheme: zk.SchemeDigest, ID: want}) {
		t.Errorf("%q", got.ACL)
	}
	r.fails(create("/\xff", zk.Persistent), zk.ErrBadArguments)
	r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("\xff:x")})
	me := r.must(zk.WhoAmIRequest{}).(*zk.WhoAmIResponse)
	if !slices.Contains(me.Clients, zk.ClientInfo{Scheme: zk.SchemeDigest, User: "\ufffd"}) {
		t.Errorf("%q", me.Clients)
	}
}
