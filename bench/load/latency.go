package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

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

// minPause bounds how often the producer wakes up: at high rates what has come
// due since goes out together, each record with its own time.
const minPause = 500 * time.Microsecond

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
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			fail(err)
		}
	}
	for sent := int64(0); sent < total && ctx.Err() == nil; {
		for now := time.Since(start); sent < total && l.due(sent) <= now; sent++ {
			cl.Produce(ctx, &kgo.Record{Topic: l.Topic, Value: stamp(l.ValueSize, l.due(sent))}, promise)
		}
		doze(max(minPause, l.due(sent)-time.Since(start)))
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
