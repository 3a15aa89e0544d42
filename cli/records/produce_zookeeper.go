package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/client"
)

// zkSink produces with ZooKeeper as the guide.
type zkSink struct {
	producer *client.Producer
	term     term.Term
	flags    produceFlags
	// stuck says that what is on its way is not waited for.
	stuck atomic.Bool
}

// zkAcks are the values of --acks, zkCodecs those of --compression.
var (
	zkAcks   = map[string]client.RequiredAcks{"all": client.AcksAll, "-1": client.AcksAll, "1": client.AcksLeader, "0": client.AcksNone}
	zkCodecs = map[string]client.Codec{
		"none": client.Uncompressed, "gzip": client.Gzip, "snappy": client.Snappy, "lz4": client.LZ4, "zstd": client.Zstd,
	}
)

// stickyBytes is after how many bytes records without a key go to another
// partition, where lines may name theirs; it is what Java's producer fills.
const stickyBytes = 16 << 10

func openZkSink(ctx context.Context, t term.Term, f produceFlags) (*zkSink, error) {
	a, ok := zkAcks[f.acks]
	if !ok {
		return nil, badAcks(f.acks)
	}
	codec, ok := zkCodecs[f.compression]
	if !ok {
		return nil, badCodec(f.compression)
	}
	common, err := guide(ctx, t, f.zk)
	if err != nil {
		return nil, err
	}
	opts := []client.ProducerOption{
		client.Acks(a), client.Compression(codec), client.BatchBytes(int(f.batchBytes)), client.DeliveryTimeout(f.timeout + lookTimeout),
		client.Partitioner(f.strategy()),
	}
	for _, o := range common {
		opts = append(opts, o)
	}
	if a != client.AcksAll {
		opts = append(opts, client.Idempotent(false))
	}
	if f.layerFour {
		opts = append(opts, client.LayerFour())
	}
	connecting, cancel := context.WithTimeout(ctx, reach.ConnectTimeout)
	defer cancel()
	p, err := client.NewProducer(connecting, f.zk.Connect, opts...)
	if err != nil {
		return nil, err
	}
	return &zkSink{producer: p, term: t, flags: f}, nil
}

// strategy is how partitions are chosen.
func (f *produceFlags) strategy() client.Strategy {
	switch {
	case f.partition != anyPartition:
		return client.Manual()
	case f.format != jsonFormat || f.repartition || f.layerFour:
		return client.KeyHash()
	}
	named := newNamed()
	return client.PartitionBy(func(topic string) func(*client.Record, int) int {
		choose := named.forTopic(topic)
		filled := 0
		return func(r *client.Record, n int) int {
			if filled += len(r.Value); filled >= stickyBytes {
				choose.OnNewBatch()
				filled = 0
			}
			return choose.Partition(&kgo.Record{Key: r.Key, Value: r.Value, Partition: r.Partition}, n)
		}
	})
}

// errNotItsOwn is why a line cannot name its partition with --layer-four: the choice
// is among those that the one broker leads, and those are not known beforehand.
var errNotItsOwn = errors.New("the line names it, but --layer-four writes to whatever its broker leads: add --repartition, or name one partition for all with --partition")

func (s *zkSink) send(ctx context.Context, r *kgo.Record, done func(error)) {
	if s.flags.layerFour && s.flags.partition == anyPartition && r.Partition != anyPartition {
		done(fmt.Errorf("partition %d: %w", r.Partition, errNotItsOwn))
		return
	}
	out := &client.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, client.Header{Key: h.Key, Value: h.Value})
	}
	s.producer.SendAsync(ctx, out, func(r *client.Record, err error) {
		if name := "topic " + r.Topic; err != nil && !strings.HasPrefix(err.Error(), name) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		done(err)
	})
}

func (s *zkSink) flush(ctx context.Context) error { return s.producer.Flush(ctx) }

func (s *zkSink) stalled(ctx context.Context, topics []string) error {
	s.stuck.Store(true)
	guide, err := s.flags.zk.Dial(ctx, s.term.Env)
	if err != nil {
		return err
	}
	brokers, err := reach.Brokers(ctx, guide)
	_ = guide.Close(ctx) // it has read what it could
	if err != nil {
		return err
	}
	client, err := (&reach.Kafka{Bootstrap: brokers}).Client(ctx, s.term.Env)
	if err != nil {
		return err
	}
	defer client.Close()
	return stalled(ctx, s.term.Env.Net, kadm.NewClient(client), topics, s.flags.partition)
}

// close gives up what is still on its way: flush has waited for it.
func (s *zkSink) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.stuck.Load() {
		cancel()
	}
	_ = s.producer.Close(ctx) // each record's outcome is known by itself
}
