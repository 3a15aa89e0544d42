//go:build interop

package keeper

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// null stands for a null string in what is drawn; wire makes it one.
const null = "<null>"

// null is a null string, or an empty one where ZooKeeper cannot bear nulls.
func (t *trial) null() string {
	if t.stumbles() {
		return ""
	}
	return null
}

// tripsOver reports whether ZooKeeper 3.8 fails at what it must not.
func (t *trial) tripsOver(req zk.Request) bool {
	if t.emulate == "" {
		return false
	}
	r, ok := req.(*zk.CheckWatchesRequest)
	return strings.Contains(describe(req), zk.Null) && accepted("null-in-3.8") ||
		ok && !strings.HasPrefix(r.Path, "/") && accepted("relative-checkWatches-in-3.8")
}

func (t *trial) stumbles() bool { return t.emulate != "" && accepted("null-in-3.8") }

// wire encodes a request.
func wire(xid int32, req zk.Request) []byte {
	frame := zk.AppendRequest(nil, xid, req)
	marker := binary.BigEndian.AppendUint32(nil, uint32(len(null)))
	frame = bytes.ReplaceAll(frame, append(marker, null...), []byte{0xff, 0xff, 0xff, 0xff})
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-zk.LengthSize))
	return frame
}

// chance is true in percent of all cases.
func (t *trial) chance(percent int) bool { return t.rng.IntN(100) < percent }

func pick[T any](t *trial, of ...T) T { return of[t.rng.IntN(len(of))] }

// path draws a path: mostly one that may exist, sometimes one that cannot.
func (t *trial) path() string {
	switch n := t.rng.IntN(100); {
	case n < 66:
		var p strings.Builder
		p.WriteString(t.root)
		for range t.rng.IntN(4) {
			p.WriteString("/" + pick(t, "a", "b", "c"))
		}
		return p.String()
	case n < 84 && len(t.seen) > 0:
		return pick(t, t.seen...)
	case n < 90:
		return pick(t, "/", "/", "", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/none/x")
	case n < 93:
		return t.root + pick(t, "/a", "/b", "") + "/" + pick(t, "long"+strings.Repeat("x", 300), "ü", "\u4e2d", "with space", "...", "a.", ".a")
	case n < 99:
		return pick(t, t.odd()...)
	}
	return t.null()
}

// odd are paths that break a rule.
func (t *trial) odd() []string {
	r := t.root
	return []string{
		"a", "a/b", "//", "/.", "/..", "/./a", r + "/", r + "//", r + "//a", r + "/a/", r + "/.", r + "/a/..", r + "/../a",
		r + "/a/./b", r + "/\x00", r + "/a\x00", r + "/\x01", r + "/\x1f", r + "/\x7f", r + "/\u009f", r + "/\u00a0",
		r + "/\ue000", r + "/\uf8ff", r + "/\ufff0", r + "/\ufffd", r + "/\U0001f600", r + "/\xff", r + "/\xc3", r + "/\xe4\xb8",
		r + "/\xed\xa0\x80", r + "/\xf0\x9f\x98", r + "/\xf8\x88\x80\x80", r + "/\xc0\x80", " ", r + "/ ", "/zookeeper/", r + "/a/b/c/d/e",
		"\x00", "\U0001f600", "\xff/a",
	}
}

func (t *trial) data() []byte {
	switch t.rng.IntN(12) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return []byte(strings.Repeat("d", 1+t.rng.IntN(3000)))
	}
	return fmt.Appendf(nil, "data %d", t.rng.IntN(1000))
}

// version draws a version that may fit.
func (t *trial) version() int32 {
	if t.chance(50) {
		return -1
	}
	return pick[int32](t, 0, 0, 0, 1, 1, 2, 3, -2, math.MaxInt32, math.MinInt32)
}

// provers are those who prove themselves.
var provers = []string{"ann:a", "bob:b", "eve:e"}

func (t *trial) acl() []zk.ACL {
	if t.chance(70) {
		return zk.OpenACL()
	}
	var list []zk.ACL
	for range 1 + t.rng.IntN(3) {
		list = append(list, t.aclEntry())
	}
	if t.chance(5) {
		list = append(list, list[0])
	}
	if t.chance(5) {
		return nil
	}
	return list
}

func (t *trial) aclEntry() zk.ACL {
	perms := pick[int32](t, zk.PermAll, zk.PermAll, zk.PermRead, zk.PermRead|zk.PermWrite, zk.PermAdmin, zk.PermCreate|zk.PermDelete, 0, 32, -1, t.rng.Int32N(32))
	a := zk.ACL{Perms: perms}
	switch t.rng.IntN(10) {
	case 0, 1, 2:
		a.Scheme, a.ID = zk.SchemeWorld, zk.AnyoneID
	case 3:
		a.Scheme, a.ID = zk.SchemeAuth, pick(t, "", "", "x", t.null())
	case 4, 5, 6:
		a.Scheme, a.ID = zk.SchemeDigest, digestID(pick(t, provers...))
	case 7:
		a.Scheme = zk.SchemeIP
		a.ID = pick(t, "127.0.0.1", "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "::1", "127.0.0.1/32", "127.0.0.1/33", "127.0.0.1/-1", "127.0.0.1/",
			"127.1", "127.0.0.01", "+127.0.0.1", "256.0.0.1", "::ffff:127.0.0.1", "1:2:3:4:5:6:7:8", "::", "1::2/64", ":::", "12345::", "x", "", "0.0.0.0/0", t.null())
	case 8:
		a.Scheme = zk.SchemeDigest
		a.ID = pick(t, "a", "a:", ":b", ":", "a:b:", "a:b:c", "", "ü:x", "\U0001f600:x", "\xff:x", t.null())
	default:
		a.Scheme = pick(t, zk.SchemeWorld, "sasl", "x509", "super", "", "none", t.null())
		a.ID = pick(t, "anyone", "someone", "", t.null())
	}
	return a
}

// create draws a create, mostly of a mode that its operation is for.
func (t *trial) create() *zk.CreateRequest {
	r := &zk.CreateRequest{Path: t.path(), Data: t.data(), ACL: t.acl()}
	r.Flags = pick(t, zk.Persistent, zk.Persistent, zk.Persistent, zk.Ephemeral, zk.Ephemeral, zk.PersistentSequential,
		zk.EphemeralSequential, zk.Container, zk.PersistentTTL, zk.PersistentSequentialTTL)
	r.Kind = r.Flags.Op()
	if r.Kind == zk.OpCreate2 && t.chance(50) {
		r.Kind = zk.OpCreate
	}
	r.TTL = pick[int64](t, 3_600_000, 3_600_000, 86_400_000, 1, 0, -1, 1<<40-1, 1<<40, math.MinInt64)
	if r.TTL == 1 { // must not pass while somebody looks
		r.TTL = 1 << 39
	}
	if t.chance(6) {
		r.Kind = pick(t, zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL)
	}
	if t.chance(4) {
		r.Flags = zk.CreateMode(t.rng.Int32N(10) - 2)
	}
	if t.deadly(r) {
		r.TTL = 0
	}
	return r
}

// deadly requests end Apache ZooKeeper itself; see random_known.txt.
func (t *trial) deadly(r *zk.CreateRequest) bool {
	return accepted("deadly-create-ttl") && r.Kind == zk.OpCreateTTL && r.Flags.Valid() && !r.Flags.TTL() && r.TTL < 0
}

// write draws one of the changes that a multi may hold.
func (t *trial) write() zk.Request {
	switch t.rng.IntN(10) {
	case 0, 1, 2, 3:
		return t.create()
	case 4, 5:
		return &zk.DeleteRequest{Path: t.path(), Version: t.version()}
	case 6, 7:
		return &zk.CheckRequest{Path: t.path(), Version: t.version()}
	}
	return &zk.SetDataRequest{Path: t.path(), Data: t.data(), Version: t.version()}
}

func (t *trial) multi() *zk.MultiRequest {
	m := &zk.MultiRequest{}
	for range t.rng.IntN(6) {
		m.Ops = append(m.Ops, t.write())
	}
	if t.chance(3) {
		m.Ops = append(m.Ops, t.multiRead().Ops...)
	}
	return m
}

func (t *trial) multiRead() *zk.MultiRequest {
	m := &zk.MultiRequest{Kind: zk.OpMultiRead}
	for range t.rng.IntN(5) {
		if t.chance(50) {
			m.Ops = append(m.Ops, &zk.GetDataRequest{Path: t.path(), Watch: t.chance(30)})
		} else {
			m.Ops = append(m.Ops, &zk.GetChildrenRequest{Path: t.path(), Watch: t.chance(30)})
		}
	}
	if t.chance(4) {
		m.Ops = append(m.Ops, t.write())
	}
	return m
}

// read draws a request that changes nothing.
func (t *trial) read() zk.Request {
	watch := t.chance(40)
	switch t.rng.IntN(16) {
	case 0, 1, 2:
		return &zk.GetDataRequest{Path: t.path(), Watch: watch}
	case 3, 4, 5:
		return &zk.ExistsRequest{Path: t.path(), Watch: watch}
	case 6, 7:
		return &zk.GetChildrenRequest{Path: t.path(), Watch: watch}
	case 8, 9:
		return &zk.GetChildren2Request{Path: t.path(), Watch: watch}
	case 10:
		return &zk.GetACLRequest{Path: t.path()}
	case 11:
		return &zk.GetAllChildrenNumberRequest{Path: t.path()}
	case 12:
		return &zk.GetEphemeralsRequest{Path: pick(t, "", "/", t.root, t.path(), " ", " / ", "\u00a0", t.null())}
	case 13:
		return t.multiRead()
	case 14:
		return pick[zk.Request](t, zk.PingRequest{}, &zk.SyncRequest{Path: t.path()})
	}
	return zk.WhoAmIRequest{}
}

// watching draws a request about watches.
func (t *trial) watching() zk.Request {
	typ := zk.WatcherType(1 + t.rng.Int32N(3))
	switch {
	case t.chance(5):
		typ = zk.WatcherType(t.rng.Int32N(9) - 1)
	case t.emulate == "" && t.chance(40):
		typ = zk.WatcherType(4 + t.rng.Int32N(2))
	}
	mode := zk.WatchMode(t.rng.Int32N(2))
	if t.chance(4) {
		mode = zk.WatchMode(t.rng.Int32N(5) - 1)
	}
	switch t.rng.IntN(8) {
	case 0, 1, 2, 3:
		return &zk.AddWatchRequest{Path: t.path(), Mode: mode}
	case 4, 5:
		return &zk.RemoveWatchesRequest{Path: t.path(), Type: typ}
	}
	req := &zk.CheckWatchesRequest{Path: t.path(), Type: typ}
	if t.tripsOver(req) {
		req.Path = "/none"
	}
	return req
}

func (t *trial) paths() []string {
	v := []string{}
	for range t.rng.IntN(4) {
		v = append(v, t.path())
	}
	return v
}

// setWatches draws what a client sends when it is back, with the zxid from which
// on it missed what happened, counted from the begin of the seed.
func (t *trial) setWatches() (zk.Request, *zk.SetWatchesRequest, int64) {
	old := zk.SetWatchesRequest{Data: t.paths(), Exist: t.paths(), Child: t.paths()}
	from := t.rng.Int64N(t.last[0] - t.sides[0].base + 2)
	if t.chance(50) {
		return &old, &old, from
	}
	r := &zk.SetWatches2Request{SetWatchesRequest: old, Persistent: t.paths(), Recursive: t.paths()}
	return r, &r.SetWatchesRequest, from
}

func (t *trial) reconfig() *zk.ReconfigRequest {
	text := func() *string {
		return pick(t, nil, new(""), new("server.1=localhost:1:2;3"), new("1,2"), new("x"))
	}
	return &zk.ReconfigRequest{Joining: text(), Leaving: text(), NewMembers: text(), ConfigID: pick[int64](t, -1, 0, 1)}
}
