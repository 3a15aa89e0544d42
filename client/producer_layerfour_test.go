package client

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/gregortest"
)

// The hash is FNV-1a; its values are fixed, or producers would change brokers with
// a new version.
func TestLayerFourBroker(t *testing.T) {
	f := func(from string, want int) {
		t.Helper()
		if got := layerFourBroker(netip.MustParseAddrPort(from), 5); got != want {
			t.Errorf("%s goes to %d, want %d", from, got, want)
		}
	}
	f("10.0.0.1:40000", 3)
	f("10.0.0.1:40001", 2)
	f("10.0.0.2:40000", 4)
	f("[::ffff:10.0.0.2]:40000", 4) // the same address
	f("[2001:db8::1]:40000", 3)
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func layerFourProducer(t *testing.T, c *gregortest.Cluster, opts ...ProducerOption) (*Producer, *layerFour) {
	t.Helper()
	p, err := NewProducer(limited(t), c.ZooKeeper(), append([]ProducerOption{LayerFour()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	g, ok := p.guide.(*layerFour)
	if !ok {
		t.Fatalf("the guide is a %T", p.guide)
	}
	return p, g
}

func admin(t *testing.T, c *gregortest.Cluster) *kadm.Client {
	return kadm.NewClient(c.Client())
}

// A producer has one connection, to the broker that its address and port choose,
// and writes only to what that broker leads.
func TestLayerFour(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3))
	ctx := limited(t)
	if _, err := admin(t, c).CreateTopic(ctx, 9, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	topics := led(t, c, "t", 9)
	chosen := map[int32]bool{}
	for i := range 12 {
		var opts []ProducerOption
		if i%2 == 0 {
			opts = append(opts, Brokers(c.Addrs()...))
		}
		p, g := layerFourProducer(t, c, append(opts, Partitioner(RoundRobin()))...)
		want := layerFourBroker(g.from, 3)
		if int(g.broker.id) != want || g.broker.addr != c.Broker(want).Addr() {
			t.Errorf("broker %d at %s, want %d", g.broker.id, g.broker.addr, want)
		}
		chosen[g.broker.id] = true
		written := map[int32]bool{}
		for range 9 {
			r := &Record{Topic: "t"}
			if err := p.Send(ctx, r); err != nil {
				t.Fatal(err)
			}
			if leader := topics["t"].Partitions[r.Partition].Leader; leader != g.broker.id {
				t.Errorf("written to partition %d of broker %d, not of %d", r.Partition, leader, g.broker.id)
			}
			written[r.Partition] = true
		}
		if len(written) != 3 {
			t.Errorf("written to partitions %v, not to all three of the broker", slices.Collect(maps.Keys(written)))
		}
		if n := g.dials.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
	if len(chosen) < 2 {
		t.Errorf("12 producers chose %v", chosen)
	}
}

// led waits until a topic has all its partitions and each has a leader.
func led(t *testing.T, c *gregortest.Cluster, topic string, partitions int) kadm.TopicDetails {
	t.Helper()
	ctx := limited(t)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		topics, err := admin(t, c).ListTopics(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range topics[topic].Partitions {
			if p.Leader >= 0 {
				n++
			}
		}
		if n == partitions {
			return topics
		}
	}
}

// What a producer's broker does not lead, the producer cannot write.
func TestLayerFourRefusals(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(2))
	ctx := limited(t)
	p, g := layerFourProducer(t, c, Partitioner(Manual()))
	other := 1 - g.broker.id
	for name, on := range map[string][][]int32{"elsewhere": {{other}}, "both": {{other}, {g.broker.id}}} {
		createOn(t, c, name, on)
	}
	send := func(topic string, partition int32, want error) {
		t.Helper()
		if err := p.Send(ctx, &Record{Topic: topic, Partition: partition}); !errors.Is(err, want) {
			t.Errorf("%s, partition %d: %v, want %v", topic, partition, err, want)
		}
	}
	send("none", 0, ErrNoTopic)
	send("elsewhere", 0, ErrNotLed)
	send("both", 0, ErrNotLed)
	send("both", 1, nil)
	if _, err := NewProducer(ctx, c.ZooKeeper()+"/nothing", LayerFour()); err == nil {
		t.Error("a ZooKeeper without brokers will do")
	}
	c.Broker(int(g.broker.id)).Kill()
	if _, err := NewProducer(ctx, "", LayerFour(), Brokers(g.broker.addr)); err == nil {
		t.Error("a broker that is down will do")
	}
}

// The producer comes back to its own broker, and follows nothing else.
func TestLayerFourStaysWithItsBroker(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(2))
	ctx := limited(t)
	createOn(t, c, "t", [][]int32{{0, 1}, {1, 0}})
	p, g := layerFourProducer(t, c)
	r := &Record{Topic: "t"}
	if err := p.Send(ctx, r); err != nil {
		t.Fatal(err)
	}
	own := r.Partition
	b := c.Broker(int(g.broker.id))
	b.Stop()
	done := make(chan error, 1)
	late := &Record{Topic: "t"}
	p.SendAsync(ctx, late, func(_ *Record, err error) { done <- err })
	b.Restart()
	for leader := int32(-1); leader != g.broker.id; {
		if _, err := admin(t, c).ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{"t": {0: {}, 1: {}}}); err != nil {
			t.Fatal(err)
		}
		topics, err := admin(t, c).ListTopics(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		leader = topics["t"].Partitions[own].Leader
	}
	if err := <-done; err != nil || late.Partition != own || late.Offset != 1 {
		t.Errorf("%v, record at %d of partition %d", err, late.Offset, late.Partition)
	}
	if n := g.dials.Load(); n < 2 {
		t.Errorf("%d connections, the broker was away", n)
	}
}

// createOn makes a topic with replicas where they are wanted.
func createOn(t *testing.T, c *gregortest.Cluster, name string, replicas [][]int32) {
	t.Helper()
	ctx := limited(t)
	if _, err := admin(t, c).CreateTopic(ctx, int32(len(replicas)), int16(len(replicas[0])), nil, name); err != nil {
		t.Fatal(err)
	}
	var move kadm.AlterPartitionAssignmentsReq
	tps := kadm.TopicsSet{}
	for i, r := range replicas {
		move.Assign(name, int32(i), r)
		tps.Add(name, int32(i))
	}
	if _, err := admin(t, c).AlterPartitionAssignments(ctx, move); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		if ctx.Err() != nil {
			t.Fatalf("%s is not where it is wanted", name)
		}
		topics, err := admin(t, c).ListTopics(ctx, name)
		if err != nil {
			continue
		}
		right := true
		for i, r := range replicas {
			p := topics[name].Partitions[int32(i)]
			right = right && slices.Equal(p.Replicas, r) && p.Leader == r[0] && len(p.ISR) == len(r)
		}
		if right {
			return
		}
		if _, err := admin(t, c).ElectLeaders(ctx, kadm.ElectPreferredReplica, tps); err != nil {
			t.Fatal(err)
		}
	}
}
