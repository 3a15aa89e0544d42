package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Client is a load through franz-go at its defaults, but for compression: a
// byte counted is a byte stored.
type Client struct {
	Topic      string
	Partitions int
	ValueSize  int // bytes
	Limit      Limit
}

// Produce sends records as fast as the client does, round over the partitions,
// and waits for all acknowledgements (acks=all, idempotent).
func (c Client) Produce(ctx context.Context, addr string) (*Result, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID(clientID),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	value := make([]byte, c.ValueSize)
	rng := rand.New(rand.NewPCG(2, uint64(c.ValueSize)))
	for i := range value {
		value[i] = byte(rng.Uint32())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			cancel(err)
		}
	}
	r := &Result{}
	started, cpu := time.Now(), selfCPU()
	until := started.Add(c.Limit.Time)
	for r.Bytes < c.Limit.Bytes && ctx.Err() == nil && (r.Records%256 != 0 || time.Now().Before(until)) {
		cl.Produce(ctx, &kgo.Record{Topic: c.Topic, Partition: int32(int(r.Records>>8) % c.Partitions), Value: value}, promise)
		r.Records++
		r.Bytes += int64(c.ValueSize)
	}
	if err := cl.Flush(ctx); err != nil {
		return nil, fmt.Errorf("flush: %w", context.Cause(ctx))
	}
	r.Elapsed, r.CPU = time.Since(started), selfCPU()-cpu
	return r, context.Cause(ctx)
}

// Consume reads what the topic holds from its start to the limit or to the end
// at which every partition has been quiet for a poll.
func (c Client) Consume(ctx context.Context, addr string) (*Result, error) {
	from := map[int32]kgo.Offset{}
	for p := range c.Partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID(clientID),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: from}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Limit.Time)
	defer cancel()
	r := &Result{}
	started, cpu := time.Now(), selfCPU()
	for r.Bytes < c.Limit.Bytes && ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			return nil, err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, rec := range p.Records {
				r.Bytes += int64(len(rec.Value))
			}
			r.Records += int64(len(p.Records))
		})
	}
	r.Elapsed, r.CPU = time.Since(started), selfCPU()-cpu
	return r, nil
}

// Latency is a load at a fixed rate from producer to consumer through
// franz-go. Each record carries the time at which it was due, whether or not
// the producer could send it then, so a stall is felt by all records that it
// delays.
type Latency struct {
	Topic      string
	Partitions int
	ValueSize  int           // bytes, at least 8
	Rate       int           // records a second
	WarmUp     time.Duration // sent, not counted
	Time       time.Duration // counted
}

// tick is how often the producer wakes up; what has come due since goes out
// together, each record with its own time.
const tick = time.Millisecond

// Run produces and consumes and returns the latencies of the records that were
// due after the warm-up.
func (l Latency) Run(ctx context.Context, addr string) (*Result, error) {
	from := map[int32]kgo.Offset{}
	for p := range l.Partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID(clientID+"-consumer"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.Topic: from}))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID(clientID+"-producer"), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	total := int64((l.WarmUp + l.Time).Seconds() * float64(l.Rate))
	ctx, cancel := context.WithTimeoutCause(ctx, l.WarmUp+l.Time+grace, fmt.Errorf("not all of %d records arrived within %v", total, grace))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	start, cpu := time.Now(), selfCPU()
	var wg sync.WaitGroup
	wg.Go(func() { l.produce(ctx, producer, start, total, fail) })
	r, err := l.consume(ctx, consumer, start, total)
	fail(nil)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	r.CPU = selfCPU() - cpu
	return r, nil
}

func (l Latency) produce(ctx context.Context, cl *kgo.Client, start time.Time, total int64, fail context.CancelCauseFunc) {
	t := time.NewTicker(tick)
	defer t.Stop()
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			fail(err)
		}
	}
	for sent := int64(0); sent < total; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for due := int64(time.Since(start).Seconds() * float64(l.Rate)); sent < min(due, total); sent++ {
			cl.Produce(ctx, &kgo.Record{Topic: l.Topic, Value: stamp(l.ValueSize, l.due(sent))}, promise)
		}
	}
}

// due is when record i is to be sent, since the start.
func (l Latency) due(i int64) time.Duration {
	return time.Duration(float64(i) / float64(l.Rate) * float64(time.Second))
}

func (l Latency) consume(ctx context.Context, cl *kgo.Client, start time.Time, total int64) (*Result, error) {
	r := &Result{Elapsed: l.Time}
	for seen := int64(0); seen < total; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		now := time.Since(start)
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, rec := range p.Records {
				seen++
				due := stamped(rec.Value)
				if due < l.WarmUp {
					continue
				}
				r.Records++
				r.Bytes += int64(len(rec.Value))
				r.Latency.Record(now - due)
			}
		})
	}
	return r, nil
}
