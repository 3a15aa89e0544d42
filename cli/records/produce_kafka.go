package records

import (
	"cmp"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/internal/env"
)

// kafkaSink produces as Kafka's clients do: brokers tell where partitions are.
type kafkaSink struct {
	client     *kgo.Client
	partitions named
	net        env.Net
	only       int32 // --partition
}

// maxBuffered and maxBufferedBytes bound what waits to be acknowledged: enough
// short lines for several batches, and no more memory than that.
const (
	maxBuffered      = 1 << 18
	maxBufferedBytes = 64 << 20
)

// acks are the values of --acks.
var acks = map[string]kgo.Acks{"all": kgo.AllISRAcks(), "-1": kgo.AllISRAcks(), "1": kgo.LeaderAck(), "0": kgo.NoAck()}

// codecs are the values of --compression.
var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func openKafkaSink(ctx context.Context, t term.Term, f produceFlags) (*kafkaSink, error) {
	a, ok := acks[f.acks]
	if !ok {
		return nil, badAcks(f.acks)
	}
	codec, ok := codecs[f.compression]
	if !ok {
		return nil, badCodec(f.compression)
	}
	partitions := newNamed()
	opts := []kgo.Opt{
		kgo.RequiredAcks(a), kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(f.batchBytes),
		kgo.MaxBufferedRecords(maxBuffered), kgo.MaxBufferedBytes(maxBufferedBytes), kgo.RecordPartitioner(partitions), kgo.AllowAutoTopicCreation(),
	}
	if a != kgo.AllISRAcks() {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	client, err := f.kafka.Client(ctx, t.Env, opts...)
	if err != nil {
		return nil, err
	}
	return &kafkaSink{client, partitions, t.Env.Net, f.partition}, nil
}

func badAcks(s string) error { return fmt.Errorf("--acks %q: want all, 1 or 0", s) }

func badCodec(s string) error {
	return fmt.Errorf("--compression %q: want none, gzip, snappy, lz4 or zstd", s)
}

func (s *kafkaSink) send(ctx context.Context, r *kgo.Record, done func(error)) {
	partition := r.Partition
	s.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("topic %s: %w", r.Topic, cmp.Or(s.partitions.fault(r.Topic, partition), err))
		}
		done(err)
	})
}

func (s *kafkaSink) flush(ctx context.Context) error { return s.client.Flush(ctx) }

func (s *kafkaSink) stalled(ctx context.Context, topics []string) error {
	return stalled(ctx, s.net, kadm.NewClient(s.client), topics, s.only)
}

func (s *kafkaSink) close() { s.client.Close() }
