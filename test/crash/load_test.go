package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	producers  = 3
	groupName  = "readers"
	partitions = 3 // of each load topic
	// inFlight bounds what a producer has sent without an answer.
	inFlight = 40
	// batchBytes keeps batches below the smallest segment.bytes that a seed picks.
	batchBytes = 3500
	// wanted is how many administered topics live at a time.
	wanted = 8
)

var loadTopics = []string{"load-a", "load-b"}

// history is what all lives of a broker have in common: what was promised.
type history struct {
	records *check.History
	offsets *check.Offsets
	topics  *check.Topics
	births  *check.Births
	names   atomic.Int64 // numbers topics
	clients atomic.Int64 // numbers producers over all lives
}

func newHistory() *history {
	return &history{records: check.NewHistory(), offsets: check.NewOffsets(), topics: check.NewTopics(), births: check.NewBirths()}
}

// load is clients at work.
type load struct {
	*history
	t      *testing.T
	opts   []kgo.Opt
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// draining tells producers to send nothing more; drained counts those that
	// have no answer left to wait for.
	draining atomic.Bool
	drained  sync.WaitGroup
	acks     atomic.Int64
	target   atomic.Pointer[ackTarget]
}

type ackTarget struct {
	at   int64
	once sync.Once
	done chan struct{}
}

// clientOptions fit a broker that comes and goes within milliseconds.
func clientOptions(seed string, more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(seed), kgo.MetadataMinAge(20 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.DialTimeout(2 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second), kgo.FetchMaxWait(200 * time.Millisecond),
	}, more...)
}

func newClient(t *testing.T, opts []kgo.Opt, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// begin creates the load topics if they are new and sets the clients to work.
func (h *history) begin(t *testing.T, opts []kgo.Opt, rng *rand.Rand, configs map[string]string) *load {
	t.Helper()
	l := &load{history: h, t: t, opts: opts}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	if len(h.records.Partitions()) == 0 {
		l.createLoadTopics(configs)
	}
	for range producers {
		id := int(h.clients.Add(1))
		codec := pick(rng, kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression())
		cl := newClient(t, opts, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(pick(rng, 0, time.Millisecond, 5*time.Millisecond)), kgo.UnknownTopicRetries(-1),
			kgo.MaxBufferedRecords(inFlight), kgo.ProducerBatchMaxBytes(batchBytes))
		own := rand.New(rand.NewPCG(rng.Uint64(), 1))
		l.drained.Add(1)
		l.wg.Go(func() { l.produce(ctx, cl, id, own) })
	}
	consumer := newClient(t, opts, kgo.ConsumerGroup(groupName), kgo.ConsumeTopics(loadTopics...), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(time.Second), kgo.HeartbeatInterval(100*time.Millisecond))
	l.wg.Go(func() { l.consume(ctx, consumer) })
	admin := newClient(t, opts, kgo.RequestRetries(2))
	own := rand.New(rand.NewPCG(rng.Uint64(), 2))
	l.wg.Go(func() { l.administer(ctx, kadm.NewClient(admin), own) })
	return l
}

func (l *load) createLoadTopics(configs map[string]string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	cl := newClient(l.t, l.opts)
	defer cl.Close()
	for _, topic := range loadTopics {
		if !l.createTopic(ctx, kadm.NewClient(cl), topic, partitions, configs) {
			l.t.Fatalf("cannot create %s", topic)
		}
	}
}

// stop ends the clients; what is not answered stays unknown.
func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

// finish waits for more acknowledgements, lets the producers get the answer to
// all that they sent, and ends the clients.
func (l *load) finish(t *testing.T, more int64) {
	t.Helper()
	if err := l.awaitAcks(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	l.draining.Store(true)
	done := make(chan struct{})
	go func() { l.drained.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Errorf("records without an answer after %v", patience)
	}
	l.stop()
}

// awaitAcks waits until n more records were acknowledged.
func (l *load) awaitAcks(ctx context.Context, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	target := &ackTarget{at: l.acks.Load() + n, done: make(chan struct{})}
	l.target.Store(target)
	l.reached()
	select {
	case <-target.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d of %d acknowledgements are missing after %v", target.at-l.acks.Load(), n, patience)
	}
}

func (l *load) reached() {
	if target := l.target.Load(); target != nil && l.acks.Load() >= target.at {
		target.once.Do(func() { close(target.done) })
	}
}

// produce sends until ctx ends. The client retries for ever, so every value is
// acknowledged in the end unless the client is closed before.
func (l *load) produce(ctx context.Context, cl *kgo.Client, id int, rng *rand.Rand) {
	defer cl.Close()
	for ctx.Err() == nil && !l.draining.Load() {
		p := check.Partition{Topic: pick(rng, loadTopics...), Index: rng.Int32N(partitions)}
		v := l.records.Next(id, p)
		filler := pick(rng, 0, 10, 100, 2000)
		cl.Produce(ctx, &kgo.Record{Topic: p.Topic, Partition: p.Index, Value: v.Encode(p, filler)}, func(r *kgo.Record, err error) {
			switch {
			case err == nil:
				l.records.Acked(p, v, r.Offset)
				l.acks.Add(1)
				l.reached()
			case ctx.Err() == nil && !gaveUp(err):
				l.records.Refused(p, v, err)
			}
		})
	}
	_ = cl.Flush(ctx) // fails only when ctx ends: then answers stay unknown
	l.drained.Done()
}

// gaveUp says that it was the client which went away, or one that does not try
// again after a connection that broke before its first answer.
func gaveUp(err error) bool {
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return first || errors.Is(err, kgo.ErrClientClosed)
}

// consume reads in a group and commits what it has read.
func (l *load) consume(ctx context.Context, cl *kgo.Client) {
	defer func() {
		_ = cl.LeaveGroupContext(ctx) // over already: there may be nobody to tell
		cl.CloseAllowingRebalance()
	}()
	for ctx.Err() == nil {
		fetches := cl.PollRecords(ctx, 200)
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
	eachOffset(what, func(p check.Partition, o kgo.EpochOffset) { l.offsets.Committing(groupName, p, o.Offset) })
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cl.CommitOffsetsSync(ctx, what, func(_ *kgo.Client, _ *kmsgCommitRequest, resp *kmsgCommitResponse, err error) {
		if err != nil {
			return // unknown
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

func eachOffset(what map[string]map[int32]kgo.EpochOffset, f func(check.Partition, kgo.EpochOffset)) {
	for topic, parts := range what {
		for index, o := range parts {
			f(check.Partition{Topic: topic, Index: index}, o)
		}
	}
}

// administerEvery is the pace of the administrator: slow enough that a long
// run does not end with more topics than records.
const administerEvery = 15 * time.Millisecond

// administer creates, alters and deletes topics.
func (l *load) administer(ctx context.Context, adm *kadm.Client, rng *rand.Rand) {
	defer adm.Close()
	tick := time.NewTicker(administerEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		alive := l.topics.Alive()
		alive = alive[:len(alive)-len(loadTopics)] // these come last by name
		bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
		switch n := rng.IntN(wanted); {
		case n >= len(alive):
			l.createTopic(bounded, adm, fmt.Sprintf("adm-%06d", l.names.Add(1)), 1+rng.IntN(3), map[string]string{"retention.ms": "1000000"})
		case rng.IntN(3) == 0:
			l.deleteTopic(bounded, adm, alive[n])
		default:
			l.alterTopic(bounded, adm, alive[n], pick(rng, "retention.ms", "segment.bytes", "max.message.bytes"), strconv.Itoa(100_000+rng.IntN(1_000_000)))
		}
		cancel()
	}
}

// createTopic reports whether the creation was acknowledged.
func (l *load) createTopic(ctx context.Context, adm *kadm.Client, name string, partitions int, configs map[string]string) bool {
	l.topics.Creating(name, partitions, configs)
	values := map[string]*string{}
	for k, v := range configs {
		values[k] = &v
	}
	resp, err := adm.CreateTopic(ctx, int32(partitions), 1, values, name)
	if err == nil {
		l.topics.Created(name, resp.ID)
	}
	return err == nil
}

func (l *load) deleteTopic(ctx context.Context, adm *kadm.Client, name string) {
	l.topics.Deleting(name)
	if resp, err := adm.DeleteTopic(ctx, name); err == nil && resp.Err == nil {
		l.topics.Deleted(name)
	}
}

func (l *load) alterTopic(ctx context.Context, adm *kadm.Client, name, key, value string) {
	l.topics.Setting(name, key, value)
	resp, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: key, Value: &value}}, name)
	if err == nil && len(resp) == 1 && resp[0].Err == nil {
		l.topics.Set(name, key, value)
	}
}
