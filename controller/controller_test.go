package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/metadata/registry"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// cluster is a keeper and what brokers heard.
type cluster struct {
	t      *testing.T
	env    env.Env
	keeper *keeper.Keeper
	mu     struct {
		sync.Mutex
		heard map[string][]wire.Body
		fail  map[string]int             // how many requests to fail yet
		stuck map[string]bool            // brokers that do not answer
		bad   map[string]map[string]bool // by address, topics in a failed log directory
	}
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	e := env.Real()
	e.FS = memfs.New(1<<30, time.Now)
	k, err := keeper.Start(t.Context(), keeper.Config{
		DataDir: "/keeper", TickTime: 50 * time.Millisecond, MaxSessionTimeout: time.Minute,
	}, e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop(context.Background()) })
	c := &cluster{t: t, env: e, keeper: k}
	c.mu.heard, c.mu.fail = map[string][]wire.Body{}, map[string]int{}
	c.mu.stuck, c.mu.bad = map[string]bool{}, map[string]map[string]bool{}
	return c
}

// broker is one broker's share.
type broker struct {
	c        *cluster
	id       int32
	ctl      *Controller
	sess     *session.Session
	registry *registry.Registry
	admin    *admin.Admin
	epoch    int64
}

func (c *cluster) dial(events func(zk.Event)) *session.Session {
	c.t.Helper()
	s, err := session.Dial(c.t.Context(), session.Config{
		Dialer: c.keeper.Pipe, Timeout: 10 * time.Second, OnEvent: events,
	}, c.env)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func (c *cluster) broker(id int32) *broker {
	c.t.Helper()
	b := &broker{c: c, id: id}
	ibp, err := config.ParseProtocolVersion("3.9-IV0")
	if err != nil {
		c.t.Fatal(err)
	}
	b.ctl = New(Config{
		Decide:   decide.Config{BrokerID: id, DeleteTopics: true, BalanceInterval: time.Minute, BalancePercent: 10},
		Protocol: ibp, Listener: "PLAINTEXT",
		Dial: func(address string) Peer { return peer{c, address} },
	}, c.env)
	b.connect()
	if err := b.registry.CreatePaths(c.t.Context(), znode.PersistentPaths()); err != nil {
		c.t.Fatal(err)
	}
	if err := b.register(c.t.Context(), 0); err != nil {
		c.t.Fatal(err)
	}
	b.ctl.Start(c.t.Context(), b.sess)
	c.t.Cleanup(func() { b.ctl.Stop(context.Background()) })
	return b
}

func (b *broker) connect() {
	b.sess = b.c.dial(func(ev zk.Event) {
		if ev.Type != zk.EventNone {
			b.ctl.HandleWatch(ev)
		}
	})
	b.registry = registry.New(b.sess.Retrying(), func(path string) []zk.ACL { return znode.DefaultACL(path, false) }, b.c.env)
	b.admin = admin.New(b.sess.Retrying(), admin.Config{Rand: b.c.env.Rand})
}

func (b *broker) register(ctx context.Context, previous int64) (err error) {
	b.epoch, err = b.registry.Register(ctx, registry.Registration{
		ID: b.id, Session: b.sess.ID(), Previous: previous, Wait: time.Second,
		Broker: znode.Broker{Version: 5, JMXPort: -1, Endpoints: []znode.Endpoint{
			{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "h", Port: 9090 + b.id},
		}},
	})
	return err
}

// peer is a broker that says yes to everything.
type peer struct {
	c       *cluster
	address string
}

func (peer) Close() error { return nil }

func (p peer) Ask(ctx context.Context, req wire.Body, _ int16) (wire.Body, error) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.mu.stuck[p.address] {
		p.c.mu.Unlock()
		<-ctx.Done()
		p.c.mu.Lock()
		return nil, ctx.Err()
	}
	if p.c.mu.fail[p.address] > 0 {
		p.c.mu.fail[p.address]--
		return nil, errors.New("refused")
	}
	p.c.mu.heard[p.address] = append(p.c.mu.heard[p.address], req)
	switch r := req.(type) {
	case *wire.LeaderAndIsrRequest:
		a := &wire.LeaderAndIsrResponse{}
		for _, ts := range r.TopicStates {
			e := wire.LeaderAndIsrResponseTopicError{TopicID: ts.TopicID}
			for _, ps := range ts.PartitionStates {
				answer := wire.LeaderAndIsrResponsePartitionError{PartitionIndex: ps.PartitionIndex}
				if p.c.mu.bad[p.address][ts.TopicName] {
					answer.ErrorCode = wire.CodeKafkaStorageError
				}
				e.PartitionErrors = append(e.PartitionErrors, answer)
			}
			a.Topics = append(a.Topics, e)
		}
		return a, nil
	case *wire.UpdateMetadataRequest:
		return &wire.UpdateMetadataResponse{}, nil
	case *wire.StopReplicaRequest:
		return &wire.StopReplicaResponse{}, nil
	}
	return nil, fmt.Errorf("no answer to %T", req)
}

// led returns the partitions that a broker was last told to lead.
func (c *cluster) led(address string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	leads := map[string]bool{}
	for _, req := range c.mu.heard[address] {
		r, ok := req.(*wire.LeaderAndIsrRequest)
		if !ok {
			continue
		}
		for _, ts := range r.TopicStates {
			for _, ps := range ts.PartitionStates {
				leads[fmt.Sprintf("%s-%d", ts.TopicName, ps.PartitionIndex)] = fmt.Sprint("h:", 9090+ps.Leader) == address
			}
		}
	}
	var out []string
	for tp, yes := range leads {
		if yes {
			out = append(out, tp)
		}
	}
	slices.Sort(out)
	return out
}

func TestOneBroker(t *testing.T) {
	c := newCluster(t)
	b := c.broker(1)
	eventually(t, "election", func() bool { return b.ctl.Active() && b.ctl.Snapshot().Brokers == 1 })
	if s := b.ctl.Snapshot(); s.Epoch != 1 || s.ControllerID != 1 {
		t.Errorf("snapshot %+v", s)
	}
	created, err := b.admin.CreateTopic(t.Context(), admin.NewTopic{Name: "t", Partitions: 3, Factor: 1}, []admin.Broker{{ID: 1}})
	if err != nil || len(created.Assignment) != 3 {
		t.Fatalf("create: %+v, %v", created, err)
	}
	eventually(t, "three partitions to lead", func() bool { return slices.Equal(c.led("h:9091"), []string{"t-0", "t-1", "t-2"}) })
	if all, err := b.admin.CreatePartitions(t.Context(), admin.MorePartitions{Topic: "t", Count: 4}, []admin.Broker{{ID: 1}}); err != nil || len(all) != 4 {
		t.Fatalf("expand: %v, %v", all, err)
	}
	eventually(t, "a fourth partition", func() bool { return len(c.led("h:9091")) == 4 })
	if err := b.admin.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "deletion", func() bool {
		_, err := b.sess.Exists(t.Context(), znode.DeleteTopicPath("t"), false)
		return errors.Is(err, zk.ErrNoNode)
	})
	if _, err := b.sess.Exists(t.Context(), znode.TopicPath("t"), false); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("topic after deletion: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	c := newCluster(t)
	b := c.broker(1)
	eventually(t, "election", func() bool { return b.ctl.Snapshot().Brokers == 1 })
	stat, err := b.sess.Exists(t.Context(), znode.BrokerPath(1), false)
	if err != nil {
		t.Fatal(err)
	}
	a := b.ctl.Ask(t.Context(), func(tag uint64) decide.Event {
		return decide.AllocateProducerIDs{Tag: tag, Broker: 1, BrokerEpoch: stat.Czxid}
	})
	if a != (decide.ProducerIDs{First: 0, Count: 1000}) {
		t.Errorf("producer ids: %+v", a)
	}
	a = b.ctl.Ask(t.Context(), func(tag uint64) decide.Event {
		return decide.ControlledShutdown{Tag: tag, Broker: 7, BrokerEpoch: -1}
	})
	if a != (decide.Failed{Err: wire.CodeBrokerNotAvailable}) {
		t.Errorf("controlled shutdown: %+v", a)
	}
	if err := b.ctl.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	a = b.ctl.Ask(t.Context(), func(tag uint64) decide.Event { return decide.ListReassignments{Tag: tag} })
	if a != (decide.Failed{Err: wire.CodeNotController}) {
		t.Errorf("after stop: %+v", a)
	}
}

func TestFailover(t *testing.T) {
	c := newCluster(t)
	b1 := c.broker(1)
	eventually(t, "first election", func() bool { return b1.ctl.Active() })
	b2 := c.broker(2)
	eventually(t, "both brokers", func() bool { return b1.ctl.Snapshot().Brokers == 2 && b2.ctl.ID() == 1 })
	brokers := []admin.Broker{{ID: 1}, {ID: 2}}
	if _, err := b2.admin.CreateTopic(t.Context(), admin.NewTopic{Name: "t", Partitions: 2, Factor: 2}, brokers); err != nil {
		t.Fatal(err)
	}
	eventually(t, "leaders", func() bool { return len(c.led("h:9091")) == 1 && len(c.led("h:9092")) == 1 })
	if err := b1.sess.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "second election", func() bool { return b2.ctl.Active() && b2.ctl.Snapshot().Epoch == 2 })
	eventually(t, "all leaders on broker 2", func() bool { return len(c.led("h:9092")) == 2 })
}

func TestSessionExpires(t *testing.T) {
	c := newCluster(t)
	b := c.broker(1)
	eventually(t, "election", func() bool { return b.ctl.Active() })
	old := b.sess.ID()
	if err := b.ctl.SessionExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := b.ctl.Ask(t.Context(), func(tag uint64) decide.Event { return decide.ListReassignments{Tag: tag} })
	if a != (decide.Failed{Err: wire.CodeNotController}) || b.ctl.Active() {
		t.Errorf("between sessions: %+v, active %t", a, b.ctl.Active())
	}
	gone := b.sess
	b.connect()
	b.ctl.SessionRenewed(b.sess, func(ctx context.Context) error { return b.register(ctx, old) })
	// The old session still holds /controller; it goes when that one ends.
	if err := gone.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "re-election", func() bool { return b.ctl.Active() && b.ctl.Snapshot().Epoch == 2 })
}

func TestSenderTriesAgain(t *testing.T) {
	c := newCluster(t)
	c.mu.fail["h:9091"] = 2
	b := c.broker(1)
	eventually(t, "a request after two failures", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.mu.heard["h:9091"]) > 0
	})
	if !b.ctl.Active() {
		t.Error("not active")
	}
}

// The count that was due when the session expired goes with the queue: the numbers
// must not stay what they were for good.
func TestNumbersAreCountedAfterAnExpiredSession(t *testing.T) {
	c := New(Config{}, env.Real())
	c.counting.Store(true)
	c.put(entry{}) // as its timer does
	c.preempt()
	c.countSoon(c.env.Clock.Now())
	if c.counting.Load() || c.counted.IsZero() {
		t.Errorf("counting %t, counted %v", c.counting.Load(), c.counted)
	}
}
