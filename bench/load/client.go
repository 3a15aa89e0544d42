package load

import (
	"context"
	"fmt"
	"math/rand/v2"
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
