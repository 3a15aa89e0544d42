package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

// armed shows which tables hold path.
func armed(w *watches, path string) string {
	var b strings.Builder
	for k, letter := range "decpr" {
		if _, ok := w[k][path]; ok {
			b.WriteRune(letter)
		}
	}
	return b.String()
}

func TestWhatRepliesArm(t *testing.T) {
	f := func(req zk.Request, code zk.Err, want string) {
		t.Helper()
		w := newWatches()
		w.replied(req, code)
		if got := armed(&w, "/a"); got != want {
			t.Errorf("%v answered %v: %q, want %q", req.Op(), code, got, want)
		}
	}
	f(&zk.ExistsRequest{Path: "/a", Watch: true}, zk.OK, "d")
	f(&zk.ExistsRequest{Path: "/a", Watch: true}, zk.ErrNoNode, "e")
	f(&zk.ExistsRequest{Path: "/a", Watch: true}, zk.ErrNoAuth, "")
	f(&zk.ExistsRequest{Path: "/a"}, zk.OK, "")
	f(&zk.GetDataRequest{Path: "/a", Watch: true}, zk.OK, "d")
	f(&zk.GetDataRequest{Path: "/a", Watch: true}, zk.ErrNoNode, "")
	f(&zk.GetChildrenRequest{Path: "/a", Watch: true}, zk.OK, "c")
	f(&zk.GetChildren2Request{Path: "/a", Watch: true}, zk.OK, "c")
	f(&zk.GetChildren2Request{Path: "/a", Watch: true}, zk.ErrNoNode, "")
	f(&zk.AddWatchRequest{Path: "/a", Mode: zk.WatchPersistent}, zk.OK, "p")
	f(&zk.AddWatchRequest{Path: "/a", Mode: zk.WatchRecursive}, zk.OK, "r")
	f(&zk.AddWatchRequest{Path: "/a"}, zk.ErrNoAuth, "")
}

func TestWhatDisarms(t *testing.T) {
	full := func() watches {
		w := newWatches()
		for k := range watchKinds {
			w.add(k, "/a")
		}
		return w
	}
	event := func(typ zk.EventType, want string) {
		t.Helper()
		w := full()
		if w.fired(zk.Event{Type: typ, Path: "/a"}); armed(&w, "/a") != want {
			t.Errorf("%v leaves %q, want %q", typ, armed(&w, "/a"), want)
		}
	}
	event(zk.EventCreated, "cpr")
	event(zk.EventDataChanged, "cpr")
	event(zk.EventDeleted, "pr")
	event(zk.EventChildrenChanged, "depr")
	remove := func(typ zk.WatcherType, code zk.Err, want string) {
		t.Helper()
		w := full()
		if w.replied(&zk.RemoveWatchesRequest{Path: "/a", Type: typ}, code); armed(&w, "/a") != want {
			t.Errorf("removeWatches %v leaves %q, want %q", typ, armed(&w, "/a"), want)
		}
	}
	remove(zk.WatcherChildren, zk.OK, "depr")
	remove(zk.WatcherData, zk.OK, "cpr")
	remove(zk.WatcherAny, zk.OK, "")
	remove(zk.WatcherPersistent, zk.OK, "decr")
	remove(zk.WatcherPersistentRecursive, zk.OK, "decp")
	remove(zk.WatcherAny, zk.ErrNoWatcher, "decpr")
}

// TestRearmBatches: every watch is armed once, in requests below the limit, and
// the newer operation is used only where it must be.
func TestRearmBatches(t *testing.T) {
	w := newWatches()
	if got := w.rearm(1); got != nil {
		t.Fatalf("nothing to arm, got %v", got)
	}
	const each = 3000
	for i := range each {
		for k := range watchKinds {
			w.add(k, fmt.Sprintf("/%d/%s%04d", k, strings.Repeat("x", 40), i))
		}
	}
	seen := map[string]int{}
	var ops []zk.Op
	for _, req := range w.rearm(42) {
		ops = append(ops, req.Op())
		if n := len(zk.Marshal(nil, req)); n > setWatchesMax+64 {
			t.Errorf("%v of %d bytes", req.Op(), n)
		}
		var one zk.SetWatchesRequest
		var tables [watchKinds][]string
		switch r := req.(type) {
		case *zk.SetWatchesRequest:
			one = *r
		case *zk.SetWatches2Request:
			one, tables[persistentWatch], tables[recursiveWatch] = r.SetWatchesRequest, r.Persistent, r.Recursive
		}
		tables[dataWatch], tables[existWatch], tables[childWatch] = one.Data, one.Exist, one.Child
		if one.RelativeZxid != 42 {
			t.Errorf("relative zxid %d", one.RelativeZxid)
		}
		for k, paths := range tables {
			for _, p := range paths {
				if p[1] != byte('0'+k) {
					t.Errorf("%s armed as kind %d", p, k)
				}
				seen[p]++
			}
		}
	}
	if len(seen) != each*int(watchKinds) {
		t.Errorf("%d watches armed, want %d", len(seen), each*int(watchKinds))
	}
	for p, n := range seen {
		if n != 1 {
			t.Errorf("%s armed %d times", p, n)
		}
	}
	if ops[0] != zk.OpSetWatches || ops[len(ops)-1] != zk.OpSetWatches2 || len(ops) < 5 {
		t.Errorf("operations %v", ops)
	}
}

func TestChrootPaths(t *testing.T) {
	f := func(root, path, full string) {
		t.Helper()
		req, err := withChroot(root, &zk.ExistsRequest{Path: path})
		if err != nil || req.(*zk.ExistsRequest).Path != full {
			t.Errorf("%q in %q: %v, %v", path, root, req, err)
		}
		if got := stripChroot(root, full); got != path {
			t.Errorf("%q out of %q: %q", full, root, got)
		}
	}
	f("", "/", "/")
	f("", "/a", "/a")
	f("/k", "/", "/k")
	f("/k", "/a/b", "/k/a/b")
	f("/k/l", "/k", "/k/l/k")
	if got := stripChroot("/k", "/kafka"); got != "/kafka" {
		t.Errorf("path beside the chroot became %q", got)
	}
}

// TestChrootCoversEveryRequest: a request with a path that chroot does not know
// would reach outside of it.
func TestChrootCoversEveryRequest(t *testing.T) {
	for op := zk.Op(-20); op < 200; op++ {
		req := zk.NewRequest(op)
		switch op {
		case zk.OpPing, zk.OpCloseSession, zk.OpWhoAmI, zk.OpReconfig, zk.OpAuth, zk.OpSetWatches, zk.OpSetWatches2, zk.OpSASL, zk.OpMulti, zk.OpMultiRead:
			continue // without a path, made by the session itself, or covered by their parts
		}
		if req == nil {
			continue
		}
		// Every other body begins with its path.
		body := append(zk.Marshal(nil, &zk.SyncRequest{Path: "/a"}), make([]byte, 64)...)
		if err := zk.Unmarshal(body, req); err != nil {
			t.Fatalf("%v: %v", op, err)
		}
		full, err := withChroot("/k", req)
		if err != nil {
			t.Fatalf("%v: %v", op, err)
		}
		var got zk.SyncRequest
		if err := zk.Unmarshal(zk.Marshal(nil, full), &got); err != nil || got.Path != "/k/a" || full.Op() != op {
			t.Errorf("%v: path sent is %q as %v, %v", op, got.Path, full.Op(), err)
		}
	}
}
