package coord_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// inBubble runs a story against a keeper in virtual time.
func inBubble(t *testing.T, story func(t *testing.T, k *keeper.Keeper, e env.Env)) {
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		e.FS = memfs.New(1<<30, time.Now)
		k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Stop(context.Background()) })
		story(t, k, e)
	})
}

func dial(t *testing.T, k *keeper.Keeper, e env.Env) *coord.Conn {
	t.Helper()
	c, err := coord.Dial(t.Context(), "keeper", coord.Config{Dialer: k.Pipe}, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func current(t *testing.T, c *coord.Conn) *session.Session {
	t.Helper()
	s, err := c.Session()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// expire ends a session behind its owner's back.
func expire(t *testing.T, k *keeper.Keeper, e env.Env, s *session.Session) {
	t.Helper()
	ok, err := session.CloseOther(t.Context(), session.Config{Dialer: k.Pipe}, e, s.ID(), s.Password())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
}

// next waits for news that want accepts.
func next(t *testing.T, sub *coord.Subscription, what string, want func(coord.News) bool) coord.News {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for {
		news, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if want(news) {
			return news
		}
	}
}

func TestWatchesFireOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, k *keeper.Keeper, e env.Env) {
		c := dial(t, k, e)
		ctx, s := t.Context(), current(t, c)
		one, two := c.Subscribe(), c.Subscribe()
		for _, sub := range []*coord.Subscription{one, two} {
			if n := next(t, sub, "first news", func(coord.News) bool { return true }); n.Session != s || !n.Renewed || !n.Connected {
				t.Errorf("first news: %+v", n)
			}
		}
		for _, path := range []string{"/a", "/b", "/c"} {
			if _, _, err := s.Create(ctx, path, nil, zk.OpenACL(), zk.Persistent); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get(ctx, path, true); err != nil {
				t.Fatal(err)
			}
		}
		one.Watch("/a", "/b", "/b")
		two.Watch("/b", "/c")
		two.Unwatch("/c", "/never")
		for _, path := range []string{"/b", "/a", "/c", "/b"} {
			if _, err := s.Set(ctx, path, nil, -1); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n, ok, err := one.Take(); !ok || err != nil || !slices.Equal(n.Paths, []string{"/b", "/a"}) || n.Renewed {
			t.Errorf("news of one: %+v %v %v", n, ok, err)
		}
		if n, ok, err := two.Take(); !ok || err != nil || !slices.Equal(n.Paths, []string{"/b"}) {
			t.Errorf("news of two: %+v %v %v", n, ok, err)
		}
		if n, ok, err := one.Take(); ok || err != nil {
			t.Errorf("nothing happened, but: %+v %v", n, err)
		}
		two.Close()
		if _, err := two.Next(ctx); !errors.Is(err, coord.ErrClosed) {
			t.Errorf("closed subscription: %v", err)
		}
	})
}

// A session that expired is replaced; what it told before counts no more, and its
// successor's watches do.
func TestANewSession(t *testing.T) {
	inBubble(t, func(t *testing.T, k *keeper.Keeper, e env.Env) {
		c := dial(t, k, e)
		ctx, s := t.Context(), current(t, c)
		sub := c.Subscribe()
		next(t, sub, "first news", func(coord.News) bool { return true })
		sub.Watch("/a")
		if _, err := s.Exists(ctx, "/a", true); !errors.Is(err, zk.ErrNoNode) {
			t.Fatal(err)
		}
		if _, _, err := s.Create(ctx, "/a", nil, zk.OpenACL(), zk.Ephemeral); err != nil {
			t.Fatal(err)
		}
		if until := c.AliveUntil(); !until.After(time.Now()) {
			t.Errorf("alive until %v", until)
		}
		expire(t, k, e, s)
		n := next(t, sub, "a new session", func(n coord.News) bool { return n.Renewed })
		if n.Session == s || n.Session == nil || len(n.Paths) != 0 || n.Session != current(t, c) {
			t.Errorf("news: %+v", n)
		}
		if _, err := n.Session.Exists(ctx, "/a", true); !errors.Is(err, zk.ErrNoNode) {
			t.Errorf("the ephemeral node of the first session: %v", err)
		}
		if _, _, err := n.Session.Create(ctx, "/a", nil, zk.OpenACL(), zk.Ephemeral); err != nil {
			t.Fatal(err)
		}
		if n = next(t, sub, "the watch", func(n coord.News) bool { return len(n.Paths) > 0 }); n.Renewed || n.Paths[0] != "/a" {
			t.Errorf("news: %+v", n)
		}
		if _, err := s.Exists(ctx, "/a", false); !errors.Is(err, zk.ErrSessionExpired) {
			t.Errorf("the old session: %v", err)
		}
	})
}

// While there is no session its users know, and Close does not wait for one.
func TestWithoutZooKeeper(t *testing.T) {
	inBubble(t, func(t *testing.T, k *keeper.Keeper, e env.Env) {
		c := dial(t, k, e)
		sub := c.Subscribe()
		next(t, sub, "first news", func(n coord.News) bool { return n.Connected })
		if err := k.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		n := next(t, sub, "disconnected", func(n coord.News) bool { return !n.Connected })
		if n.Session == nil {
			t.Error("a session ends only when the server says so")
		}
		until := c.AliveUntil()
		time.Sleep(time.Minute)
		if now := c.AliveUntil(); now != until || now.After(time.Now()) {
			t.Errorf("alive until %v, then %v", until, now)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Close(ctx) // the server cannot be told
		if _, err := c.Session(); !errors.Is(err, coord.ErrClosed) {
			t.Errorf("session after Close: %v", err)
		}
		if _, err := sub.Next(t.Context()); !errors.Is(err, coord.ErrClosed) {
			t.Errorf("subscription after Close: %v", err)
		}
		if until := c.AliveUntil(); !until.IsZero() {
			t.Errorf("closed, but alive until %v", until)
		}
	})
}

func TestBadConnectStrings(t *testing.T) {
	for _, connect := range []string{"", "/chroot", "host:port", "a:1//b"} {
		if c, err := coord.Dial(t.Context(), connect, coord.Config{}, env.Real()); err == nil {
			c.Close(t.Context())
			t.Errorf("%q is taken", connect)
		}
	}
}
