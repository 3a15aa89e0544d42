package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	producers  = 3
	partitions = 4 // of each load topic
	groupName  = "readers"
	// inFlight bounds what a producer has sent without an answer.
	inFlight = 40
	// sendEvery is the pace of a producer: what a long run writes must be read
	// again in every round.
	sendEvery = 5 * time.Millisecond
)

var loadTopics = []string{"load-a", "load-b"}

// load is clients at work, and what they were promised.
type load struct {
	records *check.History
	offsets *check.Offsets
	archive archive // of the goroutine that verifies
	opts    []kgo.Opt
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	mu      struct {
		sync.Mutex
		paused     bool
		idle       int // clients that have stopped for a pause
		unanswered int // records that were sent and have no answer
		acked      int64
		doubt      bool          // a commit has no answer: it may come to pass late
		changed    chan struct{} // closed when any of these changes
	}
}

// clientOptions fit brokers that come and go within seconds.
func clientOptions(seeds []string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }), kgo.DialTimeout(time.Second),
		kgo.RequestTimeoutOverhead(2 * time.Second), kgo.ProduceRequestTimeout(2 * time.Second), kgo.FetchMaxWait(200 * time.Millisecond),
	}
}

func newClient(t *testing.T, opts []kgo.Opt, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], more...)...)
	must(t, err)
	return cl
}

// begin creates the load topics and sets clients to work on them.
func begin(t *testing.T, seeds []string, rng *rand.Rand) *load {
	t.Helper()
	l := &load{records: check.NewHistory(), offsets: check.NewOffsets(), archive: newArchive(), opts: clientOptions(seeds)}
	l.mu.changed = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.createTopics(t, map[string]string{"segment.bytes": pick(rng, "50000", "1000000"), "compression.type": pick(rng, "producer", "producer", "zstd")})
	for id := range producers {
		codec := pick(rng, kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression())
		// Data loss would be hidden if the producer just went on after it.
		cl := newClient(t, l.opts, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(pick(rng, 0, 5*time.Millisecond, 20*time.Millisecond)), kgo.UnknownTopicRetries(-1),
			kgo.MaxBufferedRecords(inFlight), kgo.StopProducerOnDataLossDetected(), kgo.RequiredAcks(kgo.AllISRAcks()))
		own := rand.New(rand.NewPCG(rng.Uint64(), 1))
		l.wg.Go(func() { l.produce(ctx, cl, id, own) })
	}
	consumer := newClient(t, l.opts, kgo.ConsumerGroup(groupName), kgo.ConsumeTopics(loadTopics...), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(2*time.Second), kgo.HeartbeatInterval(200*time.Millisecond))
	l.wg.Go(func() { l.consume(ctx, consumer) })
	return l
}

func (l *load) createTopics(t *testing.T, configs map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl := newClient(t, l.opts)
	defer cl.Close()
	values := map[string]*string{}
	for k, v := range configs {
		values[k] = &v
	}
	resp, err := kadm.NewClient(cl).CreateTopics(ctx, partitions, brokerCount, values, loadTopics...)
	if err == nil {
		err = resp.Error()
	}
	must(t, err)
}

// stop ends the clients; what has no answer stays unknown.
func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

// changedLocked tells who waits in until.
func (l *load) changedLocked() {
	close(l.mu.changed)
	l.mu.changed = make(chan struct{})
}

// until waits until ok holds, which is called with the lock held.
func (l *load) until(ctx context.Context, ok func() bool) error {
	for {
		l.mu.Lock()
		done, changed := ok(), l.mu.changed
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitAcks waits until n more records are acknowledged.
func (l *load) awaitAcks(t *testing.T, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	target := l.acked() + n
	if err := l.until(ctx, func() bool { return l.mu.acked >= target }); err != nil {
		t.Fatalf("%d of %d acknowledgements are missing after %v\n%v", target-l.acked(), n, patience, errors.Join(l.records.Problems()...))
	}
}

func (l *load) acked() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.acked
}

// pause lets the clients get the answer to all that they have sent, and keeps
// them from sending more.
func (l *load) pause(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l.mu.Lock()
	l.mu.paused = true
	l.changedLocked()
	l.mu.Unlock()
	if err := l.until(ctx, func() bool { return l.mu.idle == producers+1 && l.mu.unanswered == 0 }); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("%d records have no answer, %d of %d clients are idle after %v\n%v", l.mu.unanswered, l.mu.idle, producers+1, patience,
			errors.Join(l.records.Problems()...))
	}
}

func (l *load) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.paused = false
	l.changedLocked()
}

// rest is where a client stops for a pause.
func (l *load) rest(ctx context.Context) {
	l.mu.Lock()
	paused := l.mu.paused
	if paused {
		l.mu.idle++
		l.changedLocked()
	}
	l.mu.Unlock()
	if !paused {
		return
	}
	_ = l.until(ctx, func() bool { return !l.mu.paused }) // or the end
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.idle--
}

// produce sends until ctx ends. The client retries for ever, so that every
// record is acknowledged in the end.
func (l *load) produce(ctx context.Context, cl *kgo.Client, id int, rng *rand.Rand) {
	defer cl.Close()
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		l.rest(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for range 1 + rng.IntN(3) {
			p := check.Partition{Topic: pick(rng, loadTopics...), Index: rng.Int32N(partitions)}
			l.send(ctx, cl, id, p, pick(rng, 0, 10, 100, 500))
		}
	}
}

func (l *load) send(ctx context.Context, cl *kgo.Client, id int, p check.Partition, filler int) {
	v := l.records.Next(id, p)
	l.mu.Lock()
	l.mu.unanswered++
	l.mu.Unlock()
	cl.Produce(ctx, &kgo.Record{Topic: p.Topic, Partition: p.Index, Value: v.Encode(p, filler)}, func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			l.records.Acked(p, v, r.Offset)
		case ctx.Err() == nil && !gaveUp(err):
			l.records.Refused(p, v, err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.mu.unanswered--
		if err == nil {
			l.mu.acked++
		}
		l.changedLocked()
	})
}

// gaveUp says that it was the client which went away, or one that does not try
// again after a connection that broke before its first answer.
func gaveUp(err error) bool {
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return first || errors.Is(err, kgo.ErrClientClosed)
}

// consume reads in a group and commits what it has read.
func (l *load) consume(ctx context.Context, cl *kgo.Client) {
	defer cl.CloseAllowingRebalance()
	for ctx.Err() == nil {
		l.rest(ctx)
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		fetches := cl.PollRecords(bounded, 200)
		cancel()
		commit := map[string]map[int32]kgo.EpochOffset{}
		fetches.EachRecord(func(r *kgo.Record) {
			p := check.Partition{Topic: r.Topic, Index: r.Partition}
			l.records.Read(p, check.Record{Offset: r.Offset, Value: r.Value})
			if commit[r.Topic] == nil {
				commit[r.Topic] = map[int32]kgo.EpochOffset{}
			}
			commit[r.Topic][r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
		})
		if len(commit) > 0 {
			l.commit(ctx, cl, commit)
		}
	}
}

func (l *load) commit(ctx context.Context, cl *kgo.Client, what map[string]map[int32]kgo.EpochOffset) {
	for topic, parts := range what {
		for index, o := range parts {
			l.offsets.Committing(groupName, check.Partition{Topic: topic, Index: index}, o.Offset)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cl.CommitOffsetsSync(ctx, what, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.mu.doubt = true
			return
		}
		for _, t := range resp.Topics {
			for _, part := range t.Partitions {
				if part.ErrorCode == 0 {
					l.offsets.Committed(groupName, check.Partition{Topic: t.Topic, Index: part.Partition}, what[t.Topic][part.Partition].Offset)
				}
			}
		}
	})
}

// String sums up what has happened so far.
func (l *load) String() string { return fmt.Sprintf("%d records acknowledged", l.acked()) }
