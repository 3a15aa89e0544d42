package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/zk"
)

// zkSource consumes as the consumer of Kafka 0.8 does: its group meets in
// ZooKeeper.
type zkSource struct {
	consumer *client.GroupConsumer
	warn     func(error)
	// owed is set while records were handed out that are not printed yet.
	owed bool
}

// offsetStores are the values of --offset-storage.
var offsetStores = map[string]client.ConsumerOption{
	"zookeeper": client.OffsetsInZooKeeper(), "kafka": client.OffsetsInKafka(), "both": client.OffsetsInBoth(),
}

func openZkSource(ctx context.Context, t term.Term, f consumeFlags) (*zkSource, error) {
	where, ok := offsetStores[f.storage]
	if !ok {
		return nil, fmt.Errorf("--offset-storage %q: want zookeeper, kafka or both", f.storage)
	}
	common, err := guide(ctx, t, f.zk)
	if err != nil {
		return nil, err
	}
	opts := []client.ConsumerOption{where}
	for _, o := range common {
		opts = append(opts, o)
	}
	if f.pattern != "" {
		opts = append(opts, client.WhiteList(f.pattern))
	} else {
		opts = append(opts, client.Topics(f.topics...))
	}
	if f.member != "" {
		opts = append(opts, client.ConsumerID(f.member))
	}
	if f.oldNames {
		opts = append(opts, client.LegacyPartitionNames())
	}
	if f.beginning {
		opts = append(opts, client.StartAt(client.Earliest))
	}
	if f.isolation == "read_committed" {
		opts = append(opts, client.ReadCommitted())
	}
	if f.max > 0 {
		// What Poll returned is committed at the end, so no more than is printed
		// may be.
		opts = append(opts, client.PollRecords(1))
	}
	connecting, cancel := context.WithTimeout(ctx, reach.ConnectTimeout)
	defer cancel()
	c, err := client.NewGroupConsumer(connecting, f.zk.Connect, f.group, opts...)
	if err != nil {
		return nil, err
	}
	return &zkSource{consumer: c, warn: warner(t)}, nil
}

// guide makes sure that ZooKeeper answers and knows a Kafka cluster, so that the
// error is a clear one, and returns what producers and consumers share.
func guide(ctx context.Context, t term.Term, z reach.ZooKeeper) ([]client.Option, error) {
	s, err := z.Dial(ctx, t.Env)
	if err != nil {
		return nil, err
	}
	_, err = reach.Brokers(ctx, s)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		err = cmp.Or(z.CheckChroot(ctx, s), err)
	case err != nil && !errors.Is(err, zk.ErrNoAuth):
		warner(t)(fmt.Errorf("%w: waiting for one", err))
		err = nil
	}
	closing, cancel := context.WithTimeout(ctx, reach.ConnectTimeout)
	defer cancel()
	if err := cmp.Or(err, s.Close(closing)); err != nil {
		return nil, err
	}
	opts := []client.Option{client.Dialer(t.Env.Net.Dial)}
	ids, err := z.Ids()
	for _, a := range ids {
		opts = append(opts, client.ZooKeeperAuth(a.Scheme, a.Auth))
	}
	return opts, err
}

// poll implements source. Trouble in the group is told, and waited out, as the
// old consumer did.
func (s *zkSource) poll(ctx context.Context) ([]*kgo.Record, error) {
	for {
		got, err := s.consumer.Poll(ctx)
		if ctx.Err() != nil && len(got) == 0 {
			return nil, nil
		}
		if err != nil {
			s.warn(err)
		}
		if len(got) == 0 {
			continue
		}
		s.owed = true
		out := make([]*kgo.Record, len(got))
		for i, r := range got {
			out[i] = &kgo.Record{
				Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
				Timestamp: r.Timestamp, LeaderEpoch: r.LeaderEpoch,
			}
			for _, h := range r.Headers {
				out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
		}
		return out, nil
	}
}

// printed implements source: the next poll, or close, says so to the group.
func (s *zkSource) printed([]*kgo.Record) { s.owed = false }

// close implements source. What was not printed is not committed.
func (s *zkSource) close(ctx context.Context) error {
	if s.owed {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		ctx = ended
	}
	err := s.consumer.Close(ctx)
	if s.owed {
		return nil // why is told elsewhere
	}
	return err
}
