package keeper_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
)

// quiet drops log lines; tests that fail say why themselves.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// start runs a keeper in dir until the test ends.
func start(t testing.TB, cfg keeper.Config, e env.Env) *keeper.Keeper {
	t.Helper()
	k, err := keeper.Start(t.Context(), cfg, e, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return k
}

// config is a keeper on a free port.
func config(dir string) keeper.Config {
	return keeper.Config{
		DataDir: dir, Listen: []string{"127.0.0.1:0"}, TickTime: 100 * time.Millisecond,
		MaxSessionTimeout: time.Minute, FourLetterWords: []string{"*"}, MaxClientCnxns: -1,
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// connect returns a go-zookeeper client with a session.
func connect(t testing.TB, k *keeper.Keeper, opts ...func(*gozk.Conn)) *gozk.Conn {
	t.Helper()
	addr := k.Addrs()[0].String()
	c, events, err := gozk.Connect([]string{addr}, 10*time.Second, gozk.WithLogger(silent{}),
		gozk.WithDialer(func(network, address string, d time.Duration) (net.Conn, error) {
			return net.DialTimeout(network, address, d)
		}))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range opts {
		o(c)
	}
	t.Cleanup(c.Close)
	for ev := range events {
		if ev.State == gozk.StateHasSession {
			break
		}
	}
	return c
}

func TestClientLibraryWrites(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	c := connect(t, k)
	open := gozk.WorldACL(gozk.PermAll)
	if path, err := c.Create("/a", []byte("one"), 0, open); err != nil || path != "/a" {
		t.Fatalf("create: %q, %v", path, err)
	}
	if _, err := c.Create("/a", nil, 0, open); !errors.Is(err, gozk.ErrNodeExists) {
		t.Fatalf("create again: %v", err)
	}
	data, st, err := c.Get("/a")
	if err != nil || string(data) != "one" || st.Version != 0 {
		t.Fatalf("get: %q, %+v, %v", data, st, err)
	}
	if st, err = c.Set("/a", []byte("two"), 0); err != nil || st.Version != 1 {
		t.Fatalf("set: %+v, %v", st, err)
	}
	if _, err = c.Set("/a", nil, 0); !errors.Is(err, gozk.ErrBadVersion) {
		t.Fatalf("set with an old version: %v", err)
	}
	for i, want := range []string{"/a/s0000000000", "/a/s0000000001"} {
		if path, err := c.Create("/a/s", nil, gozk.FlagSequence|gozk.FlagEphemeral, open); err != nil || path != want {
			t.Fatalf("sequential %d: %q, %v", i, path, err)
		}
	}
	names, st, err := c.Children("/a")
	if err != nil || len(names) != 2 || st.NumChildren != 2 || st.Cversion != 2 {
		t.Fatalf("children: %q, %+v, %v", names, st, err)
	}
	if err := c.Delete("/a", -1); !errors.Is(err, gozk.ErrNotEmpty) {
		t.Fatalf("delete: %v", err)
	}
	res, err := c.Multi(&gozk.CreateRequest{Path: "/m", Acl: open}, &gozk.SetDataRequest{Path: "/m", Data: []byte("x"), Version: 0},
		&gozk.CheckVersionRequest{Path: "/m", Version: 1}, &gozk.DeleteRequest{Path: "/m", Version: 1})
	if err != nil || len(res) != 4 {
		t.Fatalf("multi: %+v, %v", res, err)
	}
	if _, err := c.Multi(&gozk.CreateRequest{Path: "/n", Acl: open}, &gozk.DeleteRequest{Path: "/none"}); !errors.Is(err, gozk.ErrNoNode) {
		t.Fatalf("failed multi: %v", err)
	}
	if ok, _, _ := c.Exists("/n"); ok {
		t.Fatal("a failed multi left a node")
	}
}

func TestStateSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	k, err := keeper.Start(t.Context(), config(dir), env.Real(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, k)
	if _, err := c.Create("/kept", []byte("data"), 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatal(err)
	}
	_, before, _ := c.Get("/kept")
	if err := k.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	k = start(t, config(dir), env.Real())
	c = connect(t, k)
	data, after, err := c.Get("/kept")
	if err != nil || string(data) != "data" || after.Czxid != before.Czxid {
		t.Fatalf("after restart: %q, %+v, %v", data, after, err)
	}
	st, err := c.Set("/kept", nil, -1)
	if err != nil || st.Mzxid>>32 <= before.Czxid>>32 {
		t.Fatalf("epoch did not advance: 0x%x after 0x%x, %v", st.Mzxid, before.Czxid, err)
	}
}
