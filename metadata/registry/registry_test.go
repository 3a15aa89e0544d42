package registry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/metadata/registry"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// dialer returns a way to open sessions to one keeper.
func dialer(t *testing.T) func() (*session.Session, *registry.Registry) {
	t.Helper()
	e := env.Real()
	e.FS = memfs.New(1<<30, time.Now)
	k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop(context.Background()) })
	return func() (*session.Session, *registry.Registry) {
		t.Helper()
		s, err := session.Dial(t.Context(), session.Config{Dialer: k.Pipe}, e)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s, registry.New(s.Retrying(), openACL, e)
	}
}

func TestClusterAndBrokerIDs(t *testing.T) {
	dial := dialer(t)
	_, r1 := dial()
	_, r2 := dial()
	ctx := t.Context()
	for _, r := range []*registry.Registry{r1, r2} {
		if err := r.CreatePaths(ctx, znode.PersistentPaths()); err != nil {
			t.Fatal(err)
		}
	}
	id1, err1 := r1.ClusterID(ctx)
	id2, err2 := r2.ClusterID(ctx)
	if err1 != nil || err2 != nil || id1 != id2 || len(id1) != 22 {
		t.Errorf("cluster ids %q %q, %v %v", id1, id2, err1, err2)
	}
	for i, r := range []*registry.Registry{r1, r2, r1} {
		if id, err := r.GenerateBrokerID(ctx, znode.ReservedBrokerMaxID); err != nil || id != int32(1001+i) {
			t.Errorf("broker id %d, %v", id, err)
		}
	}
}

func TestRegister(t *testing.T) {
	dial := dialer(t)
	s1, r1 := dial()
	s2, r2 := dial()
	ctx := t.Context()
	if err := r1.CreatePaths(ctx, znode.PersistentPaths()); err != nil {
		t.Fatal(err)
	}
	node := znode.Broker{Version: 5, JMXPort: -1, Endpoints: []znode.Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "h", Port: 9092}}}
	reg := registry.Registration{ID: 4, Broker: node, Session: s1.ID()}
	epoch, err := r1.Register(ctx, reg)
	if err != nil {
		t.Fatal(err)
	}
	data, stat, err := s2.Get(ctx, znode.BrokerPath(4), false)
	if err != nil || stat.Czxid != epoch || stat.Version != 1 || stat.EphemeralOwner != s1.ID() || string(data) != string(node.Encode()) {
		t.Errorf("node %s %+v, %v; epoch %d", data, stat, err, epoch)
	}
	if again, err := r1.Register(ctx, reg); err != nil || again != epoch {
		t.Errorf("again: %d, %v", again, err)
	}
	// Another process with the same id, while this one lives.
	other := registry.Registration{ID: 4, Broker: node, Session: s2.ID(), Wait: 20 * time.Millisecond}
	if _, err := r2.Register(ctx, other); !errors.Is(err, registry.ErrIDTaken) {
		t.Errorf("taken: %v", err)
	}
	// The same process under its next session.
	other.Previous = s1.ID()
	next, err := r2.Register(ctx, other)
	if err != nil || next <= epoch {
		t.Errorf("next session: %d after %d, %v", next, epoch, err)
	}
	// Waiting for an unknown session pays when it ends.
	waiting, told := make(chan error, 1), make(chan string, 10)
	go func() {
		_, err := r1.Register(ctx, registry.Registration{
			ID: 4, Broker: node, Session: s1.ID(), Wait: time.Minute,
			Waiting: func(who string, limit time.Duration) { told <- fmt.Sprint(who, " ", limit) },
		})
		waiting <- err
	}()
	if who := <-told; !strings.HasPrefix(who, "by the broker at h:9092 (/brokers/ids/4, session 0x") || !strings.HasSuffix(who, " 1m0s") {
		t.Errorf("waiting for %q", who)
	}
	if err := s2.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("after the other left: %v", err)
	}
	if len(told) > 0 {
		t.Errorf("told again: %s", <-told)
	}
	if all, err := r1.Brokers(ctx); err != nil || len(all) != 1 || all[4].Endpoints[0].Port != 9092 {
		t.Errorf("brokers %+v, %v", all, err)
	}
	if err := r1.CheckEndpoints(ctx, 4, node.Endpoints); err != nil {
		t.Errorf("own endpoints: %v", err)
	}
	if err := r1.CheckEndpoints(ctx, 5, node.Endpoints); err == nil || !strings.Contains(err.Error(), "h:9092") {
		t.Errorf("endpoints of another: %v", err)
	}
}

func openACL(path string) []zk.ACL { return znode.DefaultACL(path, false) }
