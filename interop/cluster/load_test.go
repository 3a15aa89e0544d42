//go:build interop

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kgo"
)

// codecs of the producers of a load, one each.
var codecs = []kgo.CompressionCodec{kgo.NoCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(), kgo.GzipCompression(), kgo.SnappyCompression()}

// load is idempotent producers with acks=all and a group that reads and
// commits, on one topic. The producers never give a record up.
type load struct {
	c          *cluster
	topic      string
	partitions []int32
	group      string
	records    *check.History
	offsets    *check.Offsets
	acks       atomic.Int64
	draining   atomic.Bool
	cancel     context.CancelFunc
	producing  sync.WaitGroup
	consuming  sync.WaitGroup
}

// startLoad sets clients to work on partitions 0 to n-1 of a topic.
func (c *cluster) startLoad(t *testing.T, topic string, n int) *load {
	t.Helper()
	l := &load{c: c, topic: topic, group: topic + "-readers", records: check.NewHistory(), offsets: check.NewOffsets()}
	for p := range int32(n) {
		l.partitions = append(l.partitions, p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	t.Cleanup(cancel)
	for i, codec := range codecs {
		cl := client(t, c.Cluster, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(5*time.Millisecond), kgo.UnknownTopicRetries(-1), kgo.MaxBufferedRecords(50),
			kgo.ProduceRequestTimeout(5*time.Second))
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		l.producing.Go(func() { l.produce(ctx, cl, i, rng) })
	}
	reader := client(t, c.Cluster, kgo.ConsumerGroup(l.group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.BlockRebalanceOnPoll())
	l.consuming.Go(func() { l.consume(ctx, reader) })
	return l
}

// pace keeps a load light: what is tested is not speed, and the cores are
// needed for elections.
const pace = 20 * time.Millisecond

func (l *load) produce(ctx context.Context, cl *kgo.Client, id int, rng *rand.Rand) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for !l.draining.Load() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range 1 + rng.IntN(4) {
			p := check.Partition{Topic: l.topic, Index: l.partitions[rng.IntN(len(l.partitions))]}
			v := l.records.Next(id, p)
			value := v.Encode(p, []int{0, 10, 300, 3000}[rng.IntN(4)])
			cl.Produce(ctx, &kgo.Record{Topic: p.Topic, Partition: p.Index, Value: value}, func(r *kgo.Record, err error) {
				switch {
				case err == nil:
					l.records.Acked(p, v, r.Offset)
					l.acks.Add(1)
				case ctx.Err() == nil:
					l.records.Refused(p, v, err)
				}
			})
		}
	}
	_ = cl.Flush(ctx) // fails only when the test is over
}

// consume reads as a member of a group and commits what it has read.
func (l *load) consume(ctx context.Context, cl *kgo.Client) {
	for ctx.Err() == nil {
		fetches := cl.PollRecords(ctx, 500)
		commit := map[string]map[int32]kgo.EpochOffset{l.topic: {}}
		fetches.EachRecord(func(r *kgo.Record) {
			l.records.Read(check.Partition{Topic: r.Topic, Index: r.Partition}, check.Record{Offset: r.Offset, Value: r.Value})
			commit[l.topic][r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
		})
		if len(commit[l.topic]) > 0 {
			l.commit(ctx, cl, commit[l.topic])
		}
		cl.AllowRebalance()
	}
}

func (l *load) commit(ctx context.Context, cl *kgo.Client, offsets map[int32]kgo.EpochOffset) {
	for p, o := range offsets {
		l.offsets.Committing(l.group, check.Partition{Topic: l.topic, Index: p}, o.Offset)
	}
	done := make(chan struct{})
	cl.CommitOffsets(ctx, map[string]map[int32]kgo.EpochOffset{l.topic: offsets}, func(_ *kgo.Client, _ *commitRequest, r *commitResponse, err error) {
		defer close(done)
		if err != nil {
			return // it may have happened or not
		}
		for _, p := range r.Topics[0].Partitions {
			if p.ErrorCode == 0 {
				l.offsets.Committed(l.group, check.Partition{Topic: l.topic, Index: p.Partition}, offsets[p.Partition].Offset)
			}
		}
	})
	<-done
}

// more waits until n more records were acknowledged.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	until := l.acks.Load() + n
	peer.Eventually(t, patience, func() error {
		if got := l.acks.Load(); got < until {
			return fmt.Errorf("%d of %d records are not acknowledged", until-got, n)
		}
		return nil
	})
}

// finish lets every record be acknowledged, waits until the group has read and
// committed all of them, ends the clients and looks at what is left: all
// replicas in sync and equal, and what was acknowledged in them.
func (l *load) finish(t *testing.T) {
	t.Helper()
	l.draining.Store(true)
	done := make(chan struct{})
	go func() { l.producing.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("records without an answer after %v", patience)
	}
	l.committedAll(t)
	l.cancel()
	l.consuming.Wait()
	l.c.inSync(t, l.topic)
	if l.records.AckedCount() == 0 {
		t.Error("nothing was acknowledged")
	}
	for _, p := range l.records.Partitions() {
		log := l.c.sameReplicas(t, p)
		for _, err := range l.records.Log(p, log, l.records.AckedEnd(p)) {
			t.Error(err)
		}
	}
	for _, err := range l.records.Problems() {
		t.Error(err)
	}
}

// committedAll waits until the group's commits have reached the end of every
// partition, as the present coordinator tells it.
func (l *load) committedAll(t *testing.T) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		got, err := l.c.committed(l.group, l.topic)
		if err != nil {
			return err
		}
		for _, p := range l.records.Partitions() {
			end := l.records.AckedEnd(p)
			found, ok := got[p.Index]
			if !ok {
				found = check.None
			}
			if found < end {
				return errors.Join(fmt.Errorf("%s: the group is at %d of %d", p, found, end), errors.Join(l.records.Problems()...))
			}
		}
		return nil
	})
}

// checkCommits compares what a coordinator has with what was acknowledged
// before it was asked.
func (l *load) checkCommits(t *testing.T) {
	t.Helper()
	acked := map[int32]int64{}
	for _, p := range l.partitions {
		acked[p] = l.offsets.Acked(l.group, check.Partition{Topic: l.topic, Index: p})
	}
	var got map[int32]int64
	peer.Eventually(t, patience, func() (err error) {
		got, err = l.c.committed(l.group, l.topic)
		return err
	})
	for p, want := range acked {
		found, ok := got[p]
		if !ok {
			found = check.None
		}
		if found < want {
			t.Errorf("%s-%d: the group is at %d, but %d was acknowledged", l.topic, p, found, want)
		}
	}
}
