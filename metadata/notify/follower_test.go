package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/metadata/notify"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// later is a clock that runs ahead.
type later struct {
	env.Clock
	by atomic.Int64
}

func (c *later) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.by.Load())) }

func TestFollower(t *testing.T) {
	e := env.Real()
	e.FS = memfs.New(1<<30, time.Now)
	k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop(context.Background()) })
	clock := &later{Clock: e.Clock}
	followerEnv := e
	followerEnv.Clock = clock
	heard := make(chan string, 100)
	f := notify.New(notify.Config{Prefix: znode.ConfigChangePrefix, Handle: func(_ context.Context, data []byte) error {
		heard <- string(data)
		if string(data) == "bad" {
			return errors.New("cannot")
		}
		return nil
	}}, followerEnv)
	if err := f.Catch(t.Context()); err != nil {
		t.Errorf("before a session: %v", err)
	}
	dial := func() *session.Session {
		s, err := session.Dial(t.Context(), session.Config{Dialer: k.Pipe, OnEvent: f.HandleWatch}, e)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
	s := dial()
	open := func(string) []zk.ACL { return zk.OpenACL() }
	change := func(path, data string) {
		t.Helper()
		mode := zk.PersistentSequential
		if path != znode.ConfigChangePrefix {
			mode = zk.Persistent
		}
		if _, _, err := s.CreateRecursive(t.Context(), path, []byte(data), open, mode); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, data ...string) {
		t.Helper()
		for _, d := range data {
			select {
			case got := <-heard:
				if got != d {
					t.Fatalf("%s: heard %q, want %q", what, got, d)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: %q was not heard", what, d)
			}
		}
		select {
		case got := <-heard:
			t.Fatalf("%s: heard %q besides", what, got)
		default:
		}
	}
	change(znode.ConfigChangePrefix, "one")
	change(znode.ConfigChangesPath+"/stranger", "no")
	f.Attach(s.Retrying())
	if err := f.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("what was there", "one")

	g := run.NewGroup(t.Context())
	t.Cleanup(func() { g.Stop(); g.Wait() })
	g.Go("follower", f.Run)
	change(znode.ConfigChangePrefix, "bad")
	change(znode.ConfigChangePrefix, "three")
	want("news, over an error", "bad", "three")

	next := dial()
	f.Attach(next.Retrying())
	want("a new session", "one", "bad", "three")

	clock.by.Store(int64(time.Hour))
	change(znode.ConfigChangePrefix, "four")
	want("the last", "four")
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		kids, _, err := s.Children(t.Context(), znode.ConfigChangesPath, false)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(kids, []string{"stranger"}) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("old notifications stay: %v", kids)
		}
	}
}
