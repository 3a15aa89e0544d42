package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// scene is a cluster with a topic, and what its consumers saw.
type scene struct {
	t       *testing.T
	cluster *gregortest.Cluster
	ctx     context.Context
	zk      *session.Session

	mu struct {
		sync.Mutex
		// seen are the records by topic, partition and offset, and who got them.
		seen map[string][]string
		// changed gets a token at each record, for await.
		changed chan struct{}
	}
}

const patience = 60 * time.Second

func newScene(t *testing.T, opts ...gregortest.Option) *scene {
	t.Helper()
	s := &scene{t: t, cluster: gregortest.Start(t, opts...)}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	s.ctx = ctx
	s.mu.seen, s.mu.changed = map[string][]string{}, make(chan struct{}, 1)
	s.zk = s.session()
	return s
}

// session is a ZooKeeper session of the test's own.
func (s *scene) session() *session.Session {
	s.t.Helper()
	servers, chroot, err := znode.ParseConnect(s.cluster.ZooKeeper())
	if err != nil {
		s.t.Fatal(err)
	}
	z, err := session.Dial(s.ctx, session.Config{Servers: servers, Chroot: chroot}, env.Real())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { z.Close(context.WithoutCancel(s.ctx)) })
	return z
}

func (s *scene) topic(name string, partitions int32) {
	s.t.Helper()
	if _, err := kadm.NewClient(s.cluster.Client()).CreateTopic(s.ctx, partitions, -1, nil, name); err != nil {
		s.t.Fatal(err)
	}
}

// produce writes n records to each of the partitions of a topic.
func (s *scene) produce(topic string, partitions int32, n int) {
	s.t.Helper()
	cl := s.cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	var all []*kgo.Record
	for p := range partitions {
		for range n {
			all = append(all, &kgo.Record{Topic: topic, Partition: p, Value: []byte("v"), Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}})
		}
	}
	if err := cl.ProduceSync(s.ctx, all...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// player is a consumer that somebody polls.
type player struct {
	*client.GroupConsumer
	s    *scene
	id   string
	stop context.CancelFunc
	done chan struct{}
	errs chan error
	// crashed says that no orderly end is to be expected.
	crashed bool
}

// join makes a consumer that reads all the time. Its id is group_name.
func (s *scene) join(group, name string, opts ...client.ConsumerOption) *player {
	s.t.Helper()
	p := s.member(group, name, opts...)
	p.play()
	return p
}

// member makes a consumer that nobody polls yet.
func (s *scene) member(group, name string, opts ...client.ConsumerOption) *player {
	s.t.Helper()
	id := group + "_" + name
	opts = append([]client.ConsumerOption{
		client.ConsumerID(id), client.StartAt(client.Earliest), client.RebalanceBackoff(200 * time.Millisecond), client.RebalanceRetries(50),
		client.FetchMaxWait(50 * time.Millisecond), client.AutoCommit(100 * time.Millisecond),
		client.Logger(slog.New(slog.NewTextHandler(s.t.Output(), nil))),
	}, opts...)
	c, err := client.NewGroupConsumer(s.ctx, s.cluster.ZooKeeper(), group, opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &player{GroupConsumer: c, s: s, id: id, done: make(chan struct{}), errs: make(chan error, 100)}
	close(p.done)
	s.t.Cleanup(func() { p.leave() })
	return p
}

// play polls until stopped.
func (p *player) play() {
	ctx, cancel := context.WithCancel(p.s.ctx)
	p.stop, p.done = cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		for {
			records, err := p.Poll(ctx)
			switch {
			case err == nil: // ctx or no ctx
				p.s.saw(p.id, records)
			case ctx.Err() != nil || errors.Is(err, client.ErrClosed):
				return
			default:
				p.errs <- err
			}
		}
	}()
}

// leave ends the polling and closes in order.
func (p *player) leave() {
	p.s.t.Helper()
	if p.stop != nil {
		p.stop()
	}
	<-p.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.s.ctx), patience)
	defer cancel()
	if err := p.Close(ctx); err != nil && !p.crashed {
		p.s.t.Errorf("%s: %v", p.id, err)
	}
}

func (s *scene) saw(id string, records []*client.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		k := fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset)
		s.mu.seen[k] = append(s.mu.seen[k], id)
		if string(r.Value) != "v" || string(r.Key) != "k" || len(r.Headers) != 1 || r.Headers[0].Key != "h" || string(r.Headers[0].Value) != "x" || r.Timestamp.IsZero() {
			s.t.Errorf("%s arrived as %+v", k, r)
		}
	}
	select {
	case s.mu.changed <- struct{}{}:
	default:
	}
}

// distinct is how many records were seen at least once.
func (s *scene) distinct(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k := range s.mu.seen {
		if strings.HasPrefix(k, prefix) {
			n++
		}
	}
	return n
}

// await waits until so many records of a topic were seen.
func (s *scene) await(topic string, n int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d records of %s", n, topic), func() bool { return s.distinct(topic+"-") >= n })
}

// until waits for a condition, which is looked at often.
func (s *scene) until(what string, right func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !right() {
		look := time.NewTimer(20 * time.Millisecond)
		select {
		case <-s.mu.changed:
		case <-look.C:
		case <-deadline.C:
			s.t.Fatalf("waited in vain for %s", what)
		}
		look.Stop()
	}
}

// once checks that no record was seen twice.
func (s *scene) once() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(s.mu.seen)) {
		if by := s.mu.seen[k]; len(by) > 1 {
			s.t.Errorf("%s was delivered to %v", k, by)
		}
	}
}

// owners returns who owns the partitions of a topic, by their znodes.
func (s *scene) owners(group, topic string) map[string]string {
	out := map[string]string{}
	names, _, err := s.zk.Children(s.ctx, znode.OwnersPath(group, topic), false)
	if errors.Is(err, zk.ErrNoNode) {
		return out
	}
	for _, name := range names {
		if data, _, err := s.zk.Get(s.ctx, znode.OwnersPath(group, topic)+"/"+name, false); err == nil {
			out[name] = string(data)
		}
	}
	return out
}

// deal waits until the partitions of a topic are owned as told: "a-0 a-0 b-0".
func (s *scene) deal(group, topic, want string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s of %s dealt as %q", topic, group, want), func() bool {
		owners := s.owners(group, topic)
		var got []string
		for i := range len(owners) {
			got = append(got, strings.TrimPrefix(owners[fmt.Sprint(i)], group+"_"))
		}
		return strings.Join(got, " ") == want
	})
}

func TestConsumerReads(t *testing.T) {
	s := newScene(t)
	s.topic("t", 4)
	s.produce("t", 4, 50)
	c := s.join("g", "a", client.Topics("t"))
	s.await("t", 200)
	s.produce("t", 4, 10)
	s.await("t", 240)
	if got := c.Assignment(); !slices.Equal(got["t"], []int32{0, 1, 2, 3}) || len(got) != 1 {
		t.Errorf("assignment %v", got)
	}
	data, _, err := s.zk.Get(s.ctx, znode.ConsumerIDPath("g", "g_a"), false)
	if err != nil {
		t.Fatal(err)
	}
	if reg, err := znode.DecodeConsumer("g_a", data); err != nil || reg.Pattern != znode.StaticPattern || reg.Streams["t"] != 1 {
		t.Errorf("registered as %s", data)
	}
	s.deal("g", "t", "a-0 a-0 a-0 a-0")
	c.leave()
	s.deal("g", "t", "")
	for p := range int32(4) {
		data, _, err := s.zk.Get(s.ctx, znode.OffsetPath("g", "t", p), false)
		if err != nil || string(data) != "60" {
			t.Errorf("offset of %d: %s %v", p, data, err)
		}
	}
	if ids, _, err := s.zk.Children(s.ctx, znode.ConsumerIDsPath("g"), false); err != nil || len(ids) > 0 {
		t.Errorf("left behind: %v %v", ids, err)
	}
	s.once()
}

func TestMembersJoinAndLeave(t *testing.T) {
	for name, where := range map[string]client.ConsumerOption{"zookeeper": client.OffsetsInZooKeeper(), "kafka": client.OffsetsInKafka(), "both": client.OffsetsInBoth()} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, gregortest.Brokers(3))
			s.topic("t", 12)
			a := s.join("g", "a", client.Topics("t"), where)
			s.produce("t", 12, 20)
			s.deal("g", "t", "a-0 a-0 a-0 a-0 a-0 a-0 a-0 a-0 a-0 a-0 a-0 a-0")
			b := s.join("g", "b", client.Topics("t"), where, client.Streams(2))
			s.produce("t", 12, 20)
			s.deal("g", "t", "a-0 a-0 a-0 a-0 b-0 b-0 b-0 b-0 b-1 b-1 b-1 b-1")
			s.await("t", 12*40)
			a.leave()
			s.produce("t", 12, 20)
			s.deal("g", "t", "b-0 b-0 b-0 b-0 b-0 b-0 b-1 b-1 b-1 b-1 b-1 b-1")
			s.await("t", 12*60)
			c := s.join("g", "c", client.Topics("t"), where)
			s.produce("t", 12, 20)
			b.leave()
			s.await("t", 12*80)
			s.deal("g", "t", "c-0 c-0 c-0 c-0 c-0 c-0 c-0 c-0 c-0 c-0 c-0 c-0")
			c.leave()
			s.once()
		})
	}
}
