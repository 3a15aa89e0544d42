package gregortest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/test/check"
)

// stream is one producer at work on one partition, with acks=all.
type stream struct {
	t       *testing.T
	cl      *kgo.Client
	to      check.Partition
	history *check.History
	stop    context.CancelFunc
	done    sync.WaitGroup
	acked   chan struct{} // a token: something more was acknowledged
}

func startStream(t *testing.T, c *gregortest.Cluster, topic string) *stream {
	ctx, stop := context.WithCancel(context.Background())
	s := &stream{
		t: t, to: check.Partition{Topic: topic}, history: check.NewHistory(), stop: stop, acked: make(chan struct{}, 1),
		cl: c.Client(kgo.MaxBufferedRecords(20), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequestTimeoutOverhead(time.Second),
			kgo.ProduceRequestTimeout(time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond })),
	}
	s.done.Go(func() {
		for ctx.Err() == nil {
			v := s.history.Next(0, s.to)
			s.cl.Produce(ctx, &kgo.Record{Topic: topic, Value: v.Encode(s.to, 10)}, func(r *kgo.Record, err error) {
				if err == nil {
					s.history.Acked(s.to, v, r.Offset)
					select {
					case s.acked <- struct{}{}:
					default:
					}
				}
			})
		}
	})
	return s
}

// progress waits until more than so many records are acknowledged.
func (s *stream) progress(more int) {
	s.t.Helper()
	for ctx, want := bounded(s.t), s.history.AckedCount()+more; s.history.AckedCount() < want; {
		select {
		case <-s.acked:
		case <-ctx.Done():
			s.t.Fatalf("no progress: %d acknowledged, waiting for %d", s.history.AckedCount(), want)
		}
	}
}

// finish ends the stream and compares what is there with what was promised.
func (s *stream) finish(c *gregortest.Cluster) {
	s.t.Helper()
	s.stop()
	s.done.Wait()
	if err := s.cl.Flush(bounded(s.t)); err != nil {
		s.t.Fatal(err)
	}
	cl := c.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.to.Topic: {0: kgo.NewOffset().AtStart()}}))
	var log []check.Record
	for ctx, end := bounded(s.t), s.history.AckedEnd(s.to); int64(len(log)) < end; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("read %d of %d records: %v", len(log), end, fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) { log = append(log, check.Record{Offset: r.Offset, Value: r.Value}) })
	}
	for _, err := range append(s.history.Log(s.to, log, s.history.AckedEnd(s.to)), s.history.Problems()...) {
		s.t.Error(err)
	}
}

// leader returns who leads partition 0 of a topic, as a broker knows it that is
// not the one left out.
func leader(t *testing.T, c *gregortest.Cluster, topic string, without int) int {
	t.Helper()
	id := -1
	eventually(t, c, (without+1)%3, "another leader of "+topic, func(m *kmsg.MetadataResponse) bool {
		for _, x := range m.Topics {
			if x.Topic != nil && *x.Topic == topic && x.ErrorCode == 0 {
				id = int(x.Partitions[0].Leader)
			}
		}
		return id >= 0 && id != without
	})
	return id
}

// inSync waits until all three replicas of a topic are in sync.
func inSync(t *testing.T, c *gregortest.Cluster, topic string) {
	t.Helper()
	eventually(t, c, 0, "three replicas in sync", func(m *kmsg.MetadataResponse) bool {
		for _, x := range m.Topics {
			if x.Topic != nil && *x.Topic == topic && len(x.Partitions) == 1 {
				return len(x.Partitions[0].ISR) == 3
			}
		}
		return false
	})
}

// Whatever happens to the leader, another one takes over, nothing acknowledged
// is lost, and the former leader comes back as a follower.
func TestLeaderFails(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3), gregortest.Property("min.insync.replicas", "2"),
		gregortest.Property("zookeeper.session.timeout.ms", "2000"), gregortest.Property("replica.lag.time.max.ms", "2000"))
	createTopic(t, c, "t", 1, 3)
	s := startStream(t, c, "t")
	for _, f := range []struct {
		name       string
		begin, end func(b *gregortest.Broker)
	}{
		{"killed", (*gregortest.Broker).Kill, (*gregortest.Broker).Restart},
		{"stopped", (*gregortest.Broker).Stop, (*gregortest.Broker).Restart},
		{"paused", (*gregortest.Broker).Pause, (*gregortest.Broker).Resume},
		{"isolated", func(b *gregortest.Broker) { b.Isolate() }, (*gregortest.Broker).Heal},
		{"without ZooKeeper", func(b *gregortest.Broker) { b.Isolate(gregortest.ZooKeeper) }, (*gregortest.Broker).Heal},
	} {
		s.progress(10)
		former := leader(t, c, "t", -1)
		t.Logf("broker %d is %s", former, f.name)
		f.begin(c.Broker(former))
		leader(t, c, "t", former)
		s.progress(10)
		f.end(c.Broker(former))
		inSync(t, c, "t")
		s.progress(10)
	}
	s.finish(c)
}

// A leader that its followers do not reach goes on alone, once it has shrunk the
// ISR; min.insync.replicas decides what it may still accept.
func TestFollowersAreCutOff(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3), gregortest.Property("replica.lag.time.max.ms", "1000"))
	createTopic(t, c, "t", 1, 3)
	inSync(t, c, "t")
	s := startStream(t, c, "t")
	s.progress(10)
	// Not the controller: without it no ISR changes.
	follower := (leader(t, c, "t", -1) + 1) % 3
	if follower == controller(t, c) {
		follower = (follower + 1) % 3
	}
	c.Broker(follower).Isolate(gregortest.Peers)
	eventually(t, c, (follower+1)%3, "a smaller ISR", func(m *kmsg.MetadataResponse) bool {
		for _, x := range m.Topics {
			if x.Topic != nil && *x.Topic == "t" && len(x.Partitions[0].ISR) == 2 {
				return true
			}
		}
		return false
	})
	s.progress(100)
	c.Heal()
	inSync(t, c, "t")
	s.progress(100)
	s.finish(c)
}
