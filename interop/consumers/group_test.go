//go:build interop

package consumers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

const (
	topic      = "t"
	partitions = 12
	within     = 3 * time.Minute
)

// stage is a cluster with a topic, a group, and a watcher of its owner nodes.
type stage struct {
	t       *testing.T
	ctx     context.Context
	cluster *peer.Cluster
	group   string
	kafka   *kgo.Client
	zk      *session.Session
	history *history
	next    int
	members map[string]member
}

// member is a consumer of either kind.
type member interface {
	// leave ends it in order.
	leave()
	// kill ends it without; its session runs out.
	kill()
	// read are the records that it got, "partition offset".
	read() []string
}

// newStage sets the stage for so long.
func newStage(t *testing.T, budget time.Duration) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), budget)
	t.Cleanup(cancel)
	kinds := []peer.Kind{peer.KindGregor, peer.KindGregor, peer.KindGregor}
	s := &stage{t: t, ctx: ctx, group: "g", members: map[string]member{}, cluster: peer.StartCluster(t, peer.ClusterOptions{Brokers: kinds, Keeper: peer.KindGregor})}
	var err error
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(s.cluster.Seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	if _, err = kadm.NewClient(s.kafka).CreateTopic(ctx, partitions, 3, nil, topic); err != nil {
		t.Fatal(err)
	}
	servers, chroot, err := znode.ParseConnect(s.cluster.Ensemble.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.history = &history{t: t, made: map[int32]int{}, readers: map[int32][]string{}}
	s.zk, err = session.Dial(ctx, session.Config{Servers: servers, Chroot: chroot, OnEvent: s.history.event, Timeout: 30 * time.Second}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.zk.Close(context.Background()) })
	if err = s.zk.AddWatch(ctx, znode.GroupPath(s.group)+"/owners", zk.WatchRecursive); err != nil {
		t.Fatal(err)
	}
	return s
}

// history is what happened to owner nodes, as a recursive watch tells it, and who
// delivered records meanwhile.
type history struct {
	t  *testing.T
	mu sync.Mutex
	// made is how often a partition's owner node was.
	made map[int32]int
	// readers are those of gregor's consumers in this process who delivered records
	// of a partition, in order: one comes again only after another.
	readers map[int32][]string
}

func (h *history) event(ev zk.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := znode.ParsePath(ev.Path)
	if n.Kind != znode.OwnerNode || ev.Path != znode.OwnerPath(n.Group, n.Topic, n.Partition) {
		return // names of 0.7 come and go with those of today
	}
	switch ev.Type {
	case zk.EventCreated:
		h.made[n.Partition]++
	case zk.EventDataChanged:
		h.t.Errorf("%s changed hands without being given up", ev.Path)
	}
}

// delivered notes who delivered a record of a partition.
func (h *history) delivered(partition int32, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if of := h.readers[partition]; len(of) == 0 || of[len(of)-1] != name {
		h.readers[partition] = append(of, name)
	}
}

// turns is how many owner nodes were made.
func (h *history) turns() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, made := range h.made {
		n += made
	}
	return n
}

// judge fails for a partition of which a former owner delivered after the next one
// began: who delivers anew must have made the owner node anew.
func (h *history) judge() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for partition, names := range h.readers {
		if made := h.made[partition]; len(names) > made {
			h.t.Errorf("partition %d was delivered by %v in turn, its owner node was made %d times", partition, names, made)
		}
	}
}

// produce writes n records to each partition.
func (s *stage) produce(n int) {
	s.t.Helper()
	var all []*kgo.Record
	for p := range int32(partitions) {
		for range n {
			all = append(all, &kgo.Record{Topic: topic, Partition: p, Value: []byte("v")})
		}
	}
	if err := s.kafka.ProduceSync(s.ctx, all...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	s.next += n
}

// golang joins with gregor's consumer.
type golang struct {
	s    *stage
	name string
	c    *client.GroupConsumer
	stop context.CancelFunc
	done chan struct{}
	mu   sync.Mutex
	got  []string
}

func (s *stage) golang(name string, opts ...client.ConsumerOption) {
	s.t.Helper()
	opts = append([]client.ConsumerOption{
		client.Topics(topic), client.ConsumerID(s.group + "_" + name), client.StartAt(client.Earliest), client.AutoCommit(500 * time.Millisecond),
		client.RebalanceBackoff(500 * time.Millisecond), client.RebalanceRetries(100),
	}, opts...)
	c, err := client.NewGroupConsumer(s.ctx, s.cluster.Ensemble.Addr, s.group, opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	g := &golang{s: s, name: name, c: c, stop: cancel, done: make(chan struct{})}
	s.t.Cleanup(func() { g.stop(); <-g.done; c.Close(context.Background()) })
	s.members[name] = g
	go g.play(ctx)
}

func (g *golang) play(ctx context.Context) {
	defer close(g.done)
	for {
		records, err := g.c.Poll(ctx)
		switch {
		case err == nil:
			g.mu.Lock()
			for _, r := range records {
				g.s.history.delivered(r.Partition, g.name)
				g.got = append(g.got, fmt.Sprintf("%d %d", r.Partition, r.Offset))
			}
			g.mu.Unlock()
		case ctx.Err() != nil || errors.Is(err, client.ErrClosed):
			return
		default:
			g.s.t.Error(err)
		}
	}
}

func (g *golang) leave() {
	g.stop()
	<-g.done
	if err := g.c.Close(g.s.ctx); err != nil {
		g.s.t.Error(err)
	}
}

func (g *golang) kill() { g.s.t.Fatal("a goroutine cannot be killed") }

func (g *golang) read() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.got)
}

// java joins with the consumer of 0.8.2.2.
type java struct {
	s *stage
	p *peer.Process
}

func (s *stage) java(name, storage string, dual bool) {
	s.t.Helper()
	s.members[name] = &java{s, peer.StartJavaSource(s.t, "kafka-0.8.2.2", "testdata/Member.java",
		[]string{s.cluster.Ensemble.Addr, s.group, name, topic, storage, fmt.Sprint(dual)}, "")}
}

func (j *java) leave() {
	j.p.Stop(j.s.t)
	if !strings.Contains(j.p.Stdout(), "\nleft\n") {
		j.s.t.Errorf("it did not leave in order: %s", j.p.Stderr())
	}
}

func (j *java) kill() { j.p.Kill(j.s.t) }

func (j *java) read() []string {
	var out []string
	for line := range strings.Lines(j.p.Stdout()) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "record" && strings.HasSuffix(line, "\n") {
			out = append(out, f[1]+" "+f[2])
		}
	}
	return out
}

// dealt waits until partitions are owned as told, from 0 on: "a a b".
func (s *stage) dealt(want string) {
	s.t.Helper()
	s.until("the partitions are dealt as "+want, func() (string, bool) {
		var got []string
		for p := range int32(partitions) {
			data, _, err := s.zk.Get(s.ctx, znode.OwnerPath(s.group, topic, p), false)
			if err != nil {
				got = append(got, "-")
				continue
			}
			id, _, _ := znode.ParseThreadID(string(data))
			got = append(got, strings.TrimPrefix(id, s.group+"_"))
		}
		text := strings.Join(got, " ")
		return text, text == want
	})
}

// all waits until every record was read by somebody, and returns how often each
// was and by whom.
func (s *stage) all() map[string][]string {
	s.t.Helper()
	var by map[string][]string
	s.until("every record is read", func() (string, bool) {
		by = map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(s.members)) {
			for _, r := range s.members[name].read() {
				by[r] = append(by[r], name)
			}
		}
		return fmt.Sprintf("%d of %d", len(by), partitions*s.next), len(by) == partitions*s.next
	})
	return by
}

func (s *stage) until(what string, right func() (string, bool)) {
	s.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		got, ok := right()
		if ok {
			return
		}
		look := time.NewTimer(50 * time.Millisecond)
		select {
		case <-look.C:
		case <-deadline.C:
			for name, m := range s.members {
				if j, ok := m.(*java); ok {
					s.t.Logf("%s: %s", name, j.p.Stderr())
				}
			}
			s.t.Fatalf("waited in vain until %s: %s", what, got)
		}
	}
}

// repeated counts what was read more than once, by who read it last, and fails for
// gregor's consumers after gregor's. The old consumer repeats a little of its own
// accord: it reads offsets before it owns the partition, and hands out a record
// more than it commits.
func (s *stage) repeated(by map[string][]string) {
	s.t.Helper()
	n := 0
	for r, names := range by {
		if len(names) == 1 {
			continue
		}
		n++
		if !slices.ContainsFunc(names, func(name string) bool { _, old := s.members[name].(*java); return old }) {
			s.t.Errorf("record %s was read by %v", r, names)
		}
	}
	s.t.Logf("%d of %d records were read more than once, all of them by an old consumer too; %d owner nodes were made", n, len(by), s.history.turns())
}

// TestOneGroup lets consumers of both kinds join and leave one group, wherever it
// keeps its offsets.
func TestOneGroup(t *testing.T) {
	for name, c := range map[string]struct {
		golang client.ConsumerOption
		java   string
		dual   bool
	}{
		"zookeeper": {client.OffsetsInZooKeeper(), "zookeeper", false},
		"kafka":     {client.OffsetsInKafka(), "kafka", false},
		"both":      {client.OffsetsInBoth(), "kafka", true},
	} {
		t.Run(name, func(t *testing.T) { oneGroup(newStage(t, 4*within), c.golang, c.java, c.dual) })
	}
}

func oneGroup(s *stage, offsets client.ConsumerOption, storage string, dual bool) {
	s.golang("b", offsets)
	s.dealt("b b b b b b b b b b b b")
	s.produce(50)
	s.java("a", storage, dual)
	s.dealt("a a a a a a b b b b b b")
	s.produce(50)
	s.golang("c", offsets)
	s.dealt("a a a a b b b b c c c c")
	s.produce(50)
	s.members["b"].leave()
	s.dealt("a a a a a a c c c c c c")
	s.produce(50)
	s.java("d", storage, dual)
	s.dealt("a a a a c c c c d d d d")
	s.produce(50)
	s.members["a"].leave()
	s.dealt("c c c c c c d d d d d d")
	s.produce(50)
	s.repeated(s.all())
	s.members["d"].kill()
	s.produce(50)
	s.dealt("c c c c c c c c c c c c")
	s.all()
	s.history.judge()
}
