package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
)

// inBubble runs a story against a fake server in virtual time. A goroutine that
// outlives the story fails it.
func inBubble(t *testing.T, story func(t *testing.T, f *fake)) {
	synctest.Test(t, func(t *testing.T) { story(t, newFake(t)) })
}

// open dials f, with cfg's Dialer filled in, and closes the session at the end.
func open(t *testing.T, f *fake, cfg Config) *Session {
	t.Helper()
	cfg.Dialer = f.dial
	s, err := Dial(t.Context(), cfg, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// texts waits until n events came and returns them as text.
func texts(t *testing.T, s *Session, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var evs []zk.Event
	for len(evs) < n {
		var err error
		if evs, err = s.Events().Drain(ctx, evs); err != nil {
			t.Fatalf("after events %v: %v", evs, err)
		}
	}
	return show(evs)
}

func show(evs []zk.Event) []string {
	var out []string
	for _, ev := range evs {
		if ev.Type == zk.EventNone {
			out = append(out, ev.State.String())
		} else {
			out = append(out, ev.Type.String()+" "+ev.Path)
		}
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestOperations(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{}), t.Context()
		path, stat, err := s.Create(ctx, "/a", nil, zk.OpenACL(), zk.Persistent)
		if err != nil || path != "/a" || stat.Czxid != 1 {
			t.Fatalf("create: %q %+v %v", path, stat, err)
		}
		data, _, err := s.Get(ctx, "/a", false)
		if err != nil || data != nil {
			t.Errorf("null data came back as %#v, %v", data, err)
		}
		if stat, err = s.Set(ctx, "/a", []byte{}, 0); err != nil || stat.Version != 1 {
			t.Errorf("set: %+v %v", stat, err)
		}
		if data, _, err = s.Get(ctx, "/a", false); err != nil || data == nil || len(data) != 0 {
			t.Errorf("empty data came back as %#v, %v", data, err)
		}
		_, err = s.Set(ctx, "/a", nil, 0)
		is(t, "set with an old version", err, zk.ErrBadVersion)
		if want := `zookeeper setData "/a": zookeeper: BadVersion`; err.Error() != want {
			t.Errorf("error reads %q", err)
		}
		_, _, err = s.CreateRecursive(ctx, "/x/y/z", []byte("leaf"), func(p string) []zk.ACL {
			return []zk.ACL{{Perms: zk.PermAll, Scheme: "digest", ID: p}}
		}, zk.Ephemeral)
		is(t, "recursive create", err, nil)
		acl, _, err := s.GetACL(ctx, "/x/y")
		is(t, "getACL", err, nil)
		same(t, "ACL of a made parent", acl, []zk.ACL{{Perms: zk.PermAll, Scheme: "digest", ID: "/x/y"}})
		if _, err = s.SetACL(ctx, "/x", zk.ReadACL(), -1); err != nil {
			t.Error(err)
		}
		names, _, err := s.Children(ctx, "/", false)
		is(t, "children", err, nil)
		same(t, "children", names, []string{"a", "x"})
		is(t, "sync", s.Sync(ctx, "/"), nil)
		is(t, "delete", s.Delete(ctx, "/a", -1), nil)
		_, err = s.Exists(ctx, "/a", false)
		is(t, "exists", err, zk.ErrNoNode)
		is(t, "addWatch", s.AddWatch(ctx, "/a", zk.WatchRecursive), nil)
		is(t, "removeWatches", s.RemoveWatches(ctx, "/a", zk.WatcherAny), nil)

		res, err := s.Multi(ctx, &zk.CreateRequest{Kind: zk.OpCreate2, Path: "/m"}, &zk.SetDataRequest{Path: "/m", Version: 0})
		if err != nil || len(res) != 2 || res[1].Stat.Version != 1 {
			t.Errorf("multi: %+v, %v", res, err)
		}
		res, err = s.Multi(ctx, &zk.SetDataRequest{Path: "/m", Version: 7}, &zk.DeleteRequest{Path: "/m"})
		is(t, "failed multi", err, zk.ErrBadVersion)
		if len(res) != 2 || res[1].Err != zk.ErrRuntimeInconsistency {
			t.Errorf("failed multi: %+v", res)
		}
	})
}

func TestRefusedBeforeSending(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{MaxFrame: 1000, Chroot: "/k"}), t.Context()
		_, err := s.Exists(ctx, "afka", false)
		is(t, "path without slash", err, zk.ErrBadArguments)
		_, err = s.Multi(ctx, &zk.DeleteRequest{Path: "/ok"}, &zk.DeleteRequest{Path: "/a/../../b"})
		is(t, "relative path in a multi", err, zk.ErrBadArguments)
		_, err = s.Set(ctx, "/big", make([]byte, 1000), -1)
		is(t, "request beyond the frame limit", err, zk.ErrBadArguments)
		same(t, "sent", f.took(), []string(nil))
		_, err = s.Exists(ctx, "/", false)
		is(t, "session goes on", err, zk.ErrNoNode)
		same(t, "sent", f.took(), []string{"exists /k"})
	})
}

// TestPipelining: exactly MaxInFlight requests are on the way when no reply
// comes, and each reply lets one more out; order is kept everywhere.
func TestPipelining(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		const limit, total = 7, 20
		held := make(chan zk.RequestHeader, total)
		var conn *fakeConn
		f.hook = func(c *fakeConn, h zk.RequestHeader, r zk.Request) bool {
			if h.Op != zk.OpExists {
				return false
			}
			conn = c
			held <- h
			return true
		}
		s := open(t, f, Config{MaxInFlight: limit})
		reqs := make([]zk.Request, total)
		for i := range reqs {
			reqs[i] = &zk.ExistsRequest{Path: fmt.Sprintf("/n%d", i)}
		}
		var out []Response
		g := run.NewGroup(t.Context())
		g.Light(func() { out = s.Do(t.Context(), reqs) })
		for i := range total {
			synctest.Wait()
			if n := len(held); n != min(limit, total-i) {
				t.Fatalf("after %d replies %d requests are outstanding", i, n)
			}
			h := <-held
			conn.write(zk.AppendReply(nil, zk.ReplyHeader{Xid: h.Xid, Zxid: int64(i + 1)}, &zk.StatResponse{Stat: zk.Stat{Mzxid: int64(i)}}))
		}
		g.Wait()
		for i, r := range out {
			if b, ok := r.Body.(*zk.StatResponse); r.Err != nil || !ok || b.Stat.Mzxid != int64(i) || r.Zxid != int64(i+1) {
				t.Errorf("response %d: %+v", i, r)
			}
		}
		for i, line := range f.took() {
			same(t, "sent", line, fmt.Sprintf("exists /n%d", i))
		}
		same(t, "last zxid", s.LastZxid(), int64(total))
	})
}

// TestEventsPrecedeResults is ZooKeeper's guarantee: a client sees the watch
// event before it sees the new data, also for its own writes.
func TestEventsPrecedeResults(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		var mu sync.Mutex
		var log []string
		note := func(line string) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, line)
		}
		s := open(t, f, Config{Chroot: "/k", OnEvent: func(ev zk.Event) { note(show([]zk.Event{ev})[0]) }})
		f.with(func() { f.nodes["/k"] = &fakeNode{} })
		for _, req := range []zk.Request{
			&zk.GetDataRequest{Path: "/", Watch: true},
			&zk.ExistsRequest{Path: "/a", Watch: true},
			&zk.GetChildren2Request{Path: "/", Watch: true},
			&zk.CreateRequest{Kind: zk.OpCreate2, Path: "/a"},
			&zk.SetDataRequest{Path: "/", Version: -1},
			&zk.SetDataRequest{Path: "/", Version: -1},
		} {
			if err := s.Send(t.Context(), req, func(r Response) { note(fmt.Sprint(req.Op(), " ", r.Err)) }); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		same(t, "order", log, []string{
			"SyncConnected", "getData <nil>", "exists zookeeper: NoNode", "getChildren2 <nil>",
			"NodeCreated /a", "NodeChildrenChanged /", "create2 <nil>", "NodeDataChanged /", "setData <nil>", "setData <nil>",
		})
		if evs := s.Events().Len(); evs != 0 {
			t.Errorf("%d events in the stream although OnEvent is set", evs)
		}
	})
}

// TestReconnect: calls in flight fail, the session and its ids and watches
// survive, and setWatches precedes later requests.
func TestReconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{Auth: []AuthInfo{{"digest", []byte("u:p")}}}), t.Context()
		is(t, "add auth", s.AddAuth(ctx, "digest", []byte("v:q")), nil)
		id := s.ID()
		s.Create(ctx, "/a", nil, zk.OpenACL(), zk.Persistent)
		s.Get(ctx, "/a", true)
		s.Exists(ctx, "/none", true)
		s.Children(ctx, "/", true)
		s.Get(ctx, "/none", true) // fails: arms nothing of its own
		f.took()

		f.with(func() { f.hook = func(_ *fakeConn, h zk.RequestHeader, _ zk.Request) bool { return h.Op == zk.OpSync } })
		g := run.NewGroup(ctx)
		var lost, late error
		g.Light(func() { lost = s.Sync(ctx, "/") })
		synctest.Wait()
		f.with(func() { f.refuse = true })
		f.kill()
		synctest.Wait()
		late = s.Delete(ctx, "/a", -1)
		f.with(func() { f.refuse = false })
		f.took()
		is(t, "reconnect", s.WaitConnected(ctx), nil)
		g.Wait()
		is(t, "request in flight", lost, zk.ErrConnectionLoss)
		is(t, "request while disconnected", late, zk.ErrConnectionLoss)
		_, err := s.Exists(ctx, "/a", false)
		is(t, "request after reconnect", err, nil)
		same(t, "session", s.ID(), id)
		same(t, "events", texts(t, s, 3), []string{"SyncConnected", "Disconnected", "SyncConnected"})
		same(t, "sent", f.took(), []string{
			"auth digest u:p", "auth digest v:q", "setWatches /a /none /", "exists /a",
		})
	})
}

// TestFiredWatchesAreNotArmedAgain: what fired before the connection broke is
// used up.
func TestFiredWatchesAreNotArmedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{}), t.Context()
		s.Create(ctx, "/a", nil, zk.OpenACL(), zk.Persistent)
		s.Get(ctx, "/a", true)
		s.Children(ctx, "/", true)
		s.Set(ctx, "/a", nil, -1)
		same(t, "events", texts(t, s, 2), []string{"SyncConnected", "NodeDataChanged /a"})
		f.kill()
		synctest.Wait()
		f.took()
		is(t, "reconnect", s.WaitConnected(ctx), nil)
		s.Sync(ctx, "/")
		same(t, "sent", f.took(), []string{"setWatches /", "sync /"})
	})
}

func TestRetry(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{}), t.Context()
		// The first create is done, but its reply is lost with the connection.
		f.with(func() {
			f.hook = func(c *fakeConn, h zk.RequestHeader, r zk.Request) bool {
				if h.Op != zk.OpCreate2 {
					return false
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				f.hook = nil
				c.do(r)
				c.conn.Close()
				return true
			}
		})
		out := s.DoRetry(ctx, []zk.Request{
			&zk.CreateRequest{Kind: zk.OpCreate2, Path: "/a"}, &zk.ExistsRequest{Path: "/a"}, &zk.ExistsRequest{Path: "/b"},
		})
		same(t, "errors", []error{out[0].Err, out[1].Err, out[2].Err}, []error{zk.ErrNodeExists, nil, zk.ErrNoNode})

		f.with(func() { clear(f.sessions) })
		f.kill()
		_, err := s.Retrying().Exists(ctx, "/a", false)
		is(t, "retry over an expired session", err, zk.ErrSessionExpired)
	})
}

func TestExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{}), t.Context()
		f.with(func() { clear(f.sessions) })
		f.kill()
		same(t, "events", texts(t, s, 3), []string{"SyncConnected", "Disconnected", "Expired"})
		_, err := s.Events().Drain(ctx, nil)
		is(t, "end of events", err, run.ErrClosed)
		_, err = s.Exists(ctx, "/", false)
		is(t, "call", err, zk.ErrSessionExpired)
		is(t, "wait", s.WaitConnected(ctx), zk.ErrSessionExpired)
		is(t, "auth", s.AddAuth(ctx, "digest", nil), zk.ErrSessionExpired)
		is(t, "close", s.Close(ctx), nil)
	})
}

func TestAuthFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{}), t.Context()
		is(t, "bad auth", s.AddAuth(ctx, "digest", []byte("bad")), zk.ErrAuthFailed)
		same(t, "events", texts(t, s, 2), []string{"SyncConnected", "AuthFailed"})
		_, err := s.Exists(ctx, "/", false)
		is(t, "call", err, zk.ErrAuthFailed)
	})
}

// TestPings: an idle session pings every third of its timeout and lives; once
// the server falls silent it gives the connection up after two thirds.
func TestPings(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s := open(t, f, Config{Timeout: 9 * time.Second})
		f.took()
		<-time.After(31 * time.Second)
		synctest.Wait()
		same(t, "sent in 31 s", f.took(), slices.Repeat([]string{"ping"}, 10))
		same(t, "events", texts(t, s, 1), []string{"SyncConnected"})

		f.with(func() {
			f.refuse = true
			f.hook = func(*fakeConn, zk.RequestHeader, zk.Request) bool { return true }
		})
		start := time.Now() // the last pong came 1 s before
		same(t, "events", texts(t, s, 1), []string{"Disconnected"})
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("silence was noticed after %v", d)
		}
	})
}

// TestStuckWriteEnds: a server that stops reading cannot hold the session.
func TestStuckWriteEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		stuck := make(chan struct{})
		f.hook = func(_ *fakeConn, h zk.RequestHeader, _ zk.Request) bool {
			if h.Op == zk.OpSync {
				<-stuck
			}
			return false
		}
		s, ctx := open(t, f, Config{Timeout: 9 * time.Second}), t.Context()
		f.with(func() { f.refuse = true })
		out := s.Do(ctx, []zk.Request{&zk.SyncRequest{Path: "/"}, &zk.SyncRequest{Path: "/"}, &zk.ExistsRequest{Path: "/"}})
		for i, r := range out {
			is(t, fmt.Sprint("response ", i), r.Err, zk.ErrConnectionLoss)
		}
		close(stuck)
	})
}

func TestBackoffGrows(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s := open(t, f, Config{})
		<-time.After(3 * time.Second)
		f.with(func() { f.refuse, f.dials = true, nil })
		f.kill()
		<-time.After(20 * time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.dials); n < 14 || n > 30 {
			t.Fatalf("%d attempts in 20 s", n)
		}
		limit := backoffMin
		for i := 1; i < len(f.dials); i++ {
			if d := f.dials[i].Sub(f.dials[i-1]); d < limit/2 || d > limit {
				t.Errorf("wait %d is %v, want %v to %v", i, d, limit/2, limit)
			}
			limit = min(2*limit, backoffMax)
		}
		_ = s
	})
}

func TestServerThatLosesOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.hook = func(c *fakeConn, h zk.RequestHeader, _ zk.Request) bool {
			switch h.Op {
			case zk.OpSync:
				c.write(zk.AppendReply(nil, zk.ReplyHeader{Xid: h.Xid + 1}, nil))
			case zk.OpGetData:
				c.write(zk.AppendReply(nil, zk.ReplyHeader{Xid: h.Xid}, &zk.SyncResponse{Path: "x"}))
			default:
				return false
			}
			return true
		}
		s, ctx := open(t, f, Config{}), t.Context()
		is(t, "wrong xid", s.Sync(ctx, "/"), zk.ErrConnectionLoss)
		is(t, "reconnect", s.WaitConnected(ctx), nil)
		_, _, err := s.Get(ctx, "/", false)
		is(t, "unreadable body", err, zk.ErrConnectionLoss)
		is(t, "reconnect", s.WaitConnected(ctx), nil)
		_, err = s.Exists(ctx, "/", false)
		is(t, "session goes on", err, nil)
	})
}

func TestClose(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{}), t.Context()
		s.Create(ctx, "/e", nil, zk.OpenACL(), zk.Ephemeral)
		is(t, "close", s.Close(ctx), nil)
		is(t, "second close", s.Close(ctx), nil)
		if f.nodes["/e"] != nil || len(f.sessions) != 0 {
			t.Errorf("session left behind: %v", f.sessions)
		}
		same(t, "events", texts(t, s, 2), []string{"SyncConnected", "Closed"})
		_, err := s.Exists(ctx, "/", false)
		is(t, "call", err, ErrClosed)
		is(t, "wait", s.WaitConnected(ctx), ErrClosed)
	})
}

func TestCloseWithoutServer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s := open(t, f, Config{})
		f.with(func() { f.refuse = true })
		f.kill()
		synctest.Wait()
		is(t, "close", s.Close(t.Context()), zk.ErrConnectionLoss)

		// A server that does not answer: ctx bounds the wait.
		f.with(func() {
			f.refuse = false
			f.hook = func(_ *fakeConn, h zk.RequestHeader, _ zk.Request) bool { return h.Op == zk.OpCloseSession }
		})
		s = open(t, f, Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is(t, "close", s.Close(ctx), context.DeadlineExceeded)
	})
}

func TestCloseOther(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.with(func() {
			f.sessions[0x77] = []byte("0123456789abcdef")
			f.nodes["/e"] = &fakeNode{owner: 0x77}
		})
		cfg := Config{Dialer: f.dial}
		closed, err := CloseOther(t.Context(), cfg, env.Real(), 0x77, []byte("................"))
		same(t, "wrong password", []any{closed, err, f.nodes["/e"] != nil}, []any{false, error(nil), true})
		closed, err = CloseOther(t.Context(), cfg, env.Real(), 0x77, []byte("0123456789abcdef"))
		same(t, "living session", []any{closed, err, f.nodes["/e"] != nil}, []any{true, error(nil), false})
		closed, err = CloseOther(t.Context(), cfg, env.Real(), 0x77, []byte("0123456789abcdef"))
		same(t, "gone session", []any{closed, err}, []any{false, error(nil)})
	})
}

func TestReattach(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s := open(t, f, Config{})
		again := open(t, f, Config{SessionID: s.ID(), Password: s.Password()})
		same(t, "session", again.ID(), s.ID())
		same(t, "password", again.Password(), s.Password())
		same(t, "timeout", again.Timeout(), DefaultTimeout)
	})
}

func TestReadOnlyServer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.readOnly = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Dial(ctx, Config{Dialer: f.dial}, env.Real())
		is(t, "dial", err, context.DeadlineExceeded)

		s := open(t, f, Config{ReadOnly: true})
		first := s.ID()
		f.with(func() { f.readOnly = false })
		f.kill()
		same(t, "events", texts(t, s, 3), []string{"ConnectedReadOnly", "Disconnected", "SyncConnected"})
		if s.ID() == first {
			t.Error("a read-only server's session id was taken elsewhere")
		}
	})
}

// TestSilentServerIsPassedOver: a server that accepts and says nothing costs
// its share of the session timeout.
func TestSilentServerIsPassedOver(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		mute := true
		cfg := Config{Timeout: 6 * time.Second, Dialer: func(ctx context.Context) (net.Conn, error) {
			if !mute {
				return f.dial(ctx)
			}
			mute = false
			ours, _ := net.Pipe()
			return ours, nil
		}}
		start := time.Now()
		s, err := Dial(t.Context(), cfg, env.Real())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(context.Background())
		if d := time.Since(start); d < 6*time.Second || d > 6*time.Second+backoffMin {
			t.Errorf("connected after %v", d)
		}
	})
}

func TestContextEndsTheWaitOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		f.hook = func(_ *fakeConn, h zk.RequestHeader, _ zk.Request) bool { return h.Op == zk.OpSync }
		s := open(t, f, Config{MaxInFlight: 2})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out := s.Do(ctx, []zk.Request{
			&zk.ExistsRequest{Path: "/"}, &zk.SyncRequest{Path: "/"}, &zk.SyncRequest{Path: "/"}, &zk.SyncRequest{Path: "/"},
		})
		is(t, "answered", out[0].Err, nil)
		for _, r := range out[1:] {
			is(t, "unanswered", r.Err, context.DeadlineExceeded)
		}
	})
}

func TestUnreadEventsEndTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		s, ctx := open(t, f, Config{MaxEvents: 3}), t.Context()
		s.Create(ctx, "/a", nil, nil, zk.Persistent)
		var err error
		for range 4 {
			if _, _, err = s.Get(ctx, "/a", true); err == nil {
				_, err = s.Set(ctx, "/a", nil, -1)
			}
		}
		is(t, "call", err, ErrOverflow)
		same(t, "events", texts(t, s, 3), []string{"SyncConnected", "NodeDataChanged /a", "NodeDataChanged /a"})
		_, err = s.Events().Drain(ctx, nil)
		is(t, "end of events", err, run.ErrClosed)
	})
}

func TestConfigIsChecked(t *testing.T) {
	dialer := func(context.Context) (net.Conn, error) { return nil, errors.New("not reached") }
	for want, cfg := range map[string]Config{
		"exactly one of":      {},
		"exactly one":         {Servers: []string{"a:1"}, Dialer: dialer},
		"chroot":              {Dialer: dialer, Chroot: "kafka"},
		"password of session": {Dialer: dialer, SessionID: 1, Password: []byte("short")},
		"must be positive":    {Dialer: dialer, MaxInFlight: -1},
		"timeout -1s":         {Dialer: dialer, Timeout: -time.Second},
	} {
		if _, err := Dial(t.Context(), cfg, env.Real()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestOverTCP uses real sockets and a list of servers of which one is dead.
func TestOverTCP(t *testing.T) {
	f := newFake(t)
	e := env.Real()
	lis, err := e.Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := e.Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	f.group.Light(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			f.with(func() { f.acceptLocked(conn) })
		}
	})
	defer lis.Close()
	s, err := Dial(t.Context(), Config{Servers: []string{gone.Addr().String(), lis.Addr().String()}}, e)
	if err != nil {
		t.Fatal(err)
	}
	var reqs []zk.Request
	for i := range 500 {
		reqs = append(reqs, &zk.CreateRequest{Kind: zk.OpCreate2, Path: fmt.Sprintf("/n%d", i)})
	}
	for i, r := range s.Do(t.Context(), reqs) {
		if r.Err != nil || r.Body.(*zk.Create2Response).Path != fmt.Sprintf("/n%d", i) {
			t.Fatalf("response %d: %+v", i, r)
		}
	}
	f.kill()
	_, err = s.Retrying().Exists(t.Context(), "/n499", false)
	is(t, "exists after reconnect", err, nil)
	is(t, "close", s.Close(t.Context()), nil)
}
