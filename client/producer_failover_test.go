package client_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/test/check"
)

// topicDetail asks the brokers about a topic until the answer is right.
func topicDetail(t *testing.T, c *gregortest.Cluster, topic, what string, right func(kadm.TopicDetail) bool) kadm.TopicDetail {
	t.Helper()
	// It may ask a broker that is frozen, so it is not patient.
	adm := kadm.NewClient(c.Client(kgo.RequestTimeoutOverhead(time.Second), kgo.DialTimeout(time.Second)))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := bounded(t); ctx.Err() == nil; <-tick.C {
		if topics, err := adm.ListTopics(ctx, topic); err == nil && topics[topic].Err == nil && right(topics[topic]) {
			return topics[topic]
		}
	}
	t.Fatalf("never: %s", what)
	return kadm.TopicDetail{}
}

// inSync waits until all replicas of a topic are in sync.
func inSync(t *testing.T, c *gregortest.Cluster, topic string) kadm.TopicDetail {
	t.Helper()
	return topicDetail(t, c, topic, "all replicas in sync", func(d kadm.TopicDetail) bool {
		for _, p := range d.Partitions {
			if len(p.ISR) != len(p.Replicas) || p.Leader < 0 || p.Err != nil {
				return false
			}
		}
		return len(d.Partitions) > 0
	})
}

// traffic is a producer at work on all partitions of a topic.
type traffic struct {
	t       *testing.T
	p       *client.Producer
	topic   string
	history *check.History
	stop    context.CancelFunc
	done    sync.WaitGroup
	acked   chan struct{} // a token: something more was acknowledged
}

// startTraffic keeps up to 30 records for each partition on their way.
func startTraffic(t *testing.T, p *client.Producer, topic string, partitions int32) *traffic {
	ctx, stop := context.WithCancel(context.Background())
	s := &traffic{t: t, p: p, topic: topic, history: check.NewHistory(), stop: stop, acked: make(chan struct{}, 1)}
	for i := range partitions {
		room := make(chan struct{}, 30)
		s.done.Go(func() {
			for {
				select {
				case room <- struct{}{}:
				case <-ctx.Done():
					return
				}
				s.send(i, func() { <-room })
			}
		})
	}
	return s
}

func (s *traffic) send(partition int32, done func()) {
	at := check.Partition{Topic: s.topic, Index: partition}
	v := s.history.Next(0, at)
	s.p.SendAsync(context.Background(), &client.Record{Topic: s.topic, Partition: partition, Value: v.Encode(at, 20)}, func(r *client.Record, err error) {
		defer done()
		switch {
		case err != nil:
			s.history.Refused(at, v, err)
			return
		case r.Offset >= 0:
			s.history.Acked(at, v, r.Offset)
		}
		select {
		case s.acked <- struct{}{}:
		default:
		}
	})
}

// progress waits until more than so many records are acknowledged.
func (s *traffic) progress(more int) {
	s.t.Helper()
	for ctx, want := bounded(s.t), s.history.AckedCount()+more; s.history.AckedCount() < want; {
		select {
		case <-s.acked:
		case <-ctx.Done():
			s.t.Fatalf("no progress: %d acknowledged, waiting for %d; %v", s.history.AckedCount(), want, s.history.Problems())
		}
	}
}

// finish ends the traffic and compares what is there with what was promised.
func (s *traffic) finish(c *gregortest.Cluster) {
	s.t.Helper()
	s.stop()
	s.done.Wait()
	if err := s.p.Flush(bounded(s.t)); err != nil {
		s.t.Fatal(err)
	}
	errs := s.history.Problems()
	for _, at := range s.history.Partitions() {
		end := s.history.AckedEnd(at)
		cl := c.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Index: kgo.NewOffset().AtStart()}}))
		var log []check.Record
		for ctx := bounded(s.t); int64(len(log)) < end; {
			fetches := cl.PollFetches(ctx)
			if ctx.Err() != nil {
				s.t.Fatalf("%v: read %d of %d records: %v", at, len(log), end, fetches.Err())
			}
			fetches.EachRecord(func(r *kgo.Record) { log = append(log, check.Record{Offset: r.Offset, Value: r.Value}) })
		}
		errs = append(errs, s.history.Log(at, log, end)...)
	}
	for _, err := range errs {
		s.t.Error(err)
	}
	s.t.Logf("%d records acknowledged", s.history.AckedCount())
}

// Whatever happens to leaders, nothing acknowledged is lost, doubled or out of
// order, the producer goes on with whoever leads, and asks no broker who that is.
func TestLeadersFail(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3), gregortest.Property("min.insync.replicas", "2"),
		gregortest.Property("zookeeper.session.timeout.ms", "2000"), gregortest.Property("replica.lag.time.max.ms", "2000"))
	createTopic(t, c, "t", 3, 3)
	w := newWire()
	p := producer(t, c, w.option(), client.Partitioner(client.Manual()), client.RequestTimeout(5*time.Second))
	s := startTraffic(t, p, "t", 3)
	for _, f := range []struct {
		name       string
		begin, end func(b *gregortest.Broker)
	}{
		{"killed", (*gregortest.Broker).Kill, (*gregortest.Broker).Restart},
		{"stopped", (*gregortest.Broker).Stop, (*gregortest.Broker).Restart},
		{"paused", (*gregortest.Broker).Pause, (*gregortest.Broker).Resume},
		{"isolated", func(b *gregortest.Broker) { b.Isolate() }, (*gregortest.Broker).Heal},
		{"cut off from clients", func(b *gregortest.Broker) { b.Isolate(gregortest.Clients) }, (*gregortest.Broker).Heal},
		{"without ZooKeeper", func(b *gregortest.Broker) { b.Isolate(gregortest.ZooKeeper) }, (*gregortest.Broker).Heal},
	} {
		d := inSync(t, c, "t")
		s.progress(100)
		former := d.Partitions[0].Leader
		t.Logf("broker %d is %s", former, f.name)
		f.begin(c.Broker(int(former)))
		if f.name != "cut off from clients" {
			topicDetail(t, c, "t", "other leaders", func(d kadm.TopicDetail) bool {
				for _, p := range d.Partitions {
					if p.Leader == former || p.Leader < 0 {
						return false
					}
				}
				return len(d.Partitions) == 3
			})
		}
		s.progress(100)
		f.end(c.Broker(int(former)))
		inSync(t, c, "t")
		if _, err := kadm.NewClient(c.Client()).ElectLeaders(bounded(t), kadm.ElectPreferredReplica, kadm.TopicsSet{"t": {0: {}, 1: {}, 2: {}}}); err != nil {
			t.Fatal(err)
		}
		s.progress(100)
	}
	s.finish(c)
	if n := w.sent("", metadataKey); n != 0 {
		t.Errorf("%d Metadata requests", n)
	}
}

// A broker that comes is used as soon as it leads something, one that goes no more,
// and no broker is asked for metadata.
func TestBrokersComeAndGo(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3))
	c.Broker(2).Stop()
	createTopic(t, c, "t", 1, 2)
	w := newWire()
	p := producer(t, c, w.option())
	ctx := bounded(t)
	send := func() {
		t.Helper()
		if err := p.Send(ctx, &client.Record{Topic: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	send()
	newcomer := c.Broker(2).Addr()
	if w.sent(newcomer, produceKey) != 0 {
		t.Fatal("the broker that is down was sent something")
	}
	c.Broker(2).Restart()
	var move kadm.AlterPartitionAssignmentsReq
	move.Assign("t", 0, []int32{2})
	if _, err := kadm.NewClient(c.Client()).AlterPartitionAssignments(ctx, move); err != nil {
		t.Fatal(err)
	}
	topicDetail(t, c, "t", "the newcomer leads", func(d kadm.TopicDetail) bool {
		return len(d.Partitions) == 1 && d.Partitions[0].Leader == 2 && len(d.Partitions[0].Replicas) == 1
	})
	send()
	if w.sent(newcomer, produceKey) == 0 {
		t.Error("the newcomer was sent nothing")
	}
	// More partitions, on others too; the newcomer goes. The controller refuses
	// them while it has not ended the move.
	topicDetail(t, c, "t", "four partitions", func(d kadm.TopicDetail) bool {
		_, err := kadm.NewClient(c.Client()).UpdatePartitions(ctx, 4, "t")
		return err == nil && len(d.Partitions) == 4
	})
	c.Broker(2).Kill()
	topicDetail(t, c, "t", "the newcomer leads nothing", func(d kadm.TopicDetail) bool {
		for _, p := range d.Partitions {
			if p.Leader == 2 {
				return false
			}
		}
		return true
	})
	before := w.sent("", produceKey)
	for range 50 {
		send()
	}
	if w.sent("", produceKey) < before+50 {
		t.Error("not sent one by one")
	}
	if n := w.sent("", metadataKey); n != 0 {
		t.Errorf("%d Metadata requests", n)
	}
}

// What nobody takes is given up in the end, and says why.
func TestNobodyLeads(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "t", 1, 1)
	p := producer(t, c, client.DeliveryTimeout(300*time.Millisecond))
	ctx := bounded(t)
	if err := p.Send(ctx, &client.Record{Topic: "t"}); err != nil {
		t.Fatal(err)
	}
	c.Broker(0).Kill()
	for { // it takes ZooKeeper a while to notice
		err := p.Send(ctx, &client.Record{Topic: "t"})
		if !errors.Is(err, client.ErrTimeout) {
			t.Fatalf("%v, want %v", err, client.ErrTimeout)
		}
		if strings.Contains(err.Error(), "none of its replicas [0] is registered") {
			break
		}
		if !strings.Contains(err.Error(), "refused") && !strings.Contains(err.Error(), "closed") {
			t.Errorf("without a reason: %v", err)
		}
	}
	r := &client.Record{Topic: "t", Offset: 5}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := p.Send(short, r); !errors.Is(err, context.DeadlineExceeded) || r.Offset != 5 {
		t.Errorf("%v, record %+v", err, r)
	}
	c.Broker(0).Restart()
	for {
		if err := p.Send(ctx, r); err == nil {
			break
		} else if !errors.Is(err, client.ErrTimeout) {
			t.Fatal(err)
		}
	}
}

// A broker that does not listen where it should is named.
func TestNoSuchListener(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "t", 1, 1)
	p := producer(t, c, client.DeliveryTimeout(300*time.Millisecond), client.Listener("NOPE"))
	if err := p.Send(bounded(t), &client.Record{Topic: "t"}); !errors.Is(err, client.ErrTimeout) || !strings.Contains(err.Error(), "broker 0 has no listener NOPE") {
		t.Error(err)
	}
}

// Close gives up what it cannot deliver in time, and tells.
func TestCloseInTime(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "t", 1, 1)
	p, err := client.NewProducer(bounded(t), c.ZooKeeper())
	if err != nil {
		t.Fatal(err)
	}
	c.Broker(0).Isolate(gregortest.Clients)
	done := make(chan error, 1)
	p.SendAsync(t.Context(), &client.Record{Topic: "t"}, func(_ *client.Record, err error) { done <- err })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if err := <-done; !errors.Is(err, client.ErrClosed) {
		t.Errorf("the record: %v", err)
	}
	if err := p.Close(ctx); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// Records wait for room, in the caller's time.
func TestBufferIsFull(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "t", 1, 1)
	p := producer(t, c, client.BufferBytes(1000), client.Linger(time.Hour))
	ctx := bounded(t)
	p.SendAsync(ctx, &client.Record{Topic: "t", Value: make([]byte, 900)}, nil)
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := p.Send(short, &client.Record{Topic: "t", Value: make([]byte, 900)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no room: %v", err)
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	p.SendAsync(ctx, &client.Record{Topic: "t", Value: make([]byte, 900)}, nil)
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(readAll(t, c, "t", 2)); n != 2 {
		t.Errorf("%d records", n)
	}
}
