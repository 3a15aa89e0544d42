package load_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

// ensemble is a keeper with a node, and where it listens.
func ensemble(t *testing.T) string {
	if runtime.GOOS != "linux" {
		t.Skip("needs epoll")
	}
	cfg := keeper.Config{DataDir: t.TempDir(), Listen: []string{"127.0.0.1:0"}, MaxClientCnxns: -1}
	k, err := keeper.Start(t.Context(), cfg, env.Real(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	addr := k.Addrs()[0].String()
	create := &zk.CreateRequest{Path: "/n", Data: []byte("x"), ACL: zk.OpenACL()}
	if err := load.KnockUntil(t.Context(), addr, create, grace); err != nil {
		t.Fatal(err)
	}
	return addr
}

const grace = 20 * time.Second

func crowd(t *testing.T, addr string, n int) *load.Crowd {
	c, err := load.OpenCrowd(t.Context(), addr, n, 8, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// requests sends the same again and again.
func requests(req zk.Request) func([]byte, int, int) []byte {
	return func(dst []byte, _, seq int) []byte { return zk.AppendRequest(dst, load.XID(seq), req) }
}

// version of the node tells how often it was set.
func version(t *testing.T, addr string, want int32) {
	t.Helper()
	check := &zk.SetDataRequest{Path: "/n", Version: want}
	if err := load.Knock(t.Context(), addr, check); err != nil {
		t.Errorf("the node's version is not %d: %v", want, err)
	}
}

func TestCrowdSendsWhatItIsTold(t *testing.T) {
	addr := ensemble(t)
	c := crowd(t, addr, 20)
	sets := requests(&zk.SetDataRequest{Path: "/n", Data: []byte("y"), Version: -1})
	for _, window := range []int{1, 3} {
		r, err := c.Run(t.Context(), load.Crowding{Request: sets, Window: window, Each: 10})
		if err != nil {
			t.Fatal(err)
		}
		if r.Requests != 200 || r.Latency.Count() != 200 || r.Elapsed <= 0 {
			t.Errorf("window %d: %d requests, %d latencies in %v", window, r.Requests, r.Latency.Count(), r.Elapsed)
		}
	}
	version(t, addr, 400)
	r, err := c.Run(t.Context(), load.Crowding{Request: sets, Window: 1, Time: time.Millisecond})
	if err != nil || r.Requests < 20 {
		t.Fatalf("%+v, %v", r, err)
	}
	version(t, addr, 401+int32(r.Requests))
}

func TestCrowdSeesErrorsAndWrongXids(t *testing.T) {
	addr := ensemble(t)
	run := func(f func([]byte, int, int) []byte) error {
		_, err := crowd(t, addr, 2).Run(t.Context(), load.Crowding{Request: f, Window: 1, Each: 1})
		return err
	}
	if err := run(requests(&zk.GetDataRequest{Path: "/absent"})); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("absent node: %v", err)
	}
	wrong := func(dst []byte, _, seq int) []byte {
		return zk.AppendRequest(dst, load.XID(seq)+1, &zk.ExistsRequest{Path: "/n"})
	}
	if err := run(wrong); err == nil {
		t.Error("another xid was taken for the answer")
	}
	if err := run(func(dst []byte, _, _ int) []byte { return append(dst, 0xff, 0xff, 0xff, 0xff) }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a connection that the server ends: %v", err)
	}
	if _, err := crowd(t, addr, 1).Run(t.Context(), load.Crowding{Window: load.MaxWindow + 1, Each: 1}); err == nil {
		t.Error("a window that is too large")
	}
}

func TestCrowdWaitsForEachEvent(t *testing.T) {
	addr := ensemble(t)
	c := crowd(t, addr, 30)
	for range 2 {
		watch := requests(&zk.GetDataRequest{Path: "/n", Watch: true})
		if _, err := c.Run(t.Context(), load.Crowding{Request: watch, Window: 1, Each: 1}); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := c.Events(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("events before anything happened: %v", err)
		}
		cancel()
		before := time.Now()
		if err := load.Knock(t.Context(), addr, &zk.SetDataRequest{Path: "/n", Version: -1}); err != nil {
			t.Fatal(err)
		}
		if last, err := c.Events(t.Context()); err != nil || last.Before(before) {
			t.Errorf("%v, %v", last, err)
		}
	}
}

func TestKnock(t *testing.T) {
	addr := ensemble(t)
	if err := load.Knock(t.Context(), addr, &zk.ExistsRequest{Path: "/absent"}); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("absent node: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := load.KnockUntil(ctx, addr, &zk.ExistsRequest{Path: "/late"}, grace); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an answer that never comes: %v", err)
	}
	answered := make(chan error, 1)
	go func() { answered <- load.KnockUntil(t.Context(), addr, &zk.ExistsRequest{Path: "/late"}, grace) }()
	if err := load.Knock(t.Context(), addr, &zk.CreateRequest{Path: "/late", ACL: zk.OpenACL()}); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
