package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/zk"
)

// zkSource consumes as the consumer of Kafka 0.8 does: its group meets in
// ZooKeeper.
type zkSource struct {
	term     term.Term
	flags    consumeFlags
	consumer *client.GroupConsumer
	outage   outage
	warn     func(error)
	// trouble is what the group told last.
	trouble error
	// assigned says that the member has had partitions.
	assigned atomic.Bool
	// owed is how many records were handed out that are not printed yet.
	owed atomic.Int64
	// reached are the offsets after what was printed since the last commit.
	reached map[string]map[int32]int64
	// due is when the next commit is.
	due time.Time
}

const (
	// commitEvery is the pause between commits, that of Kafka's consumers since 0.9
	// (auto.commit.interval.ms).
	commitEvery = 5 * time.Second
	// leaveTimeout bounds the last commit and the leave where ZooKeeper alone is
	// needed for that, which takes some milliseconds.
	leaveTimeout = 3 * time.Second
)

// offsetStores are the values of --offset-storage.
var offsetStores = map[string]client.ConsumerOption{
	"zookeeper": client.OffsetsInZooKeeper(), "kafka": client.OffsetsInKafka(), "both": client.OffsetsInBoth(),
}

func openZkSource(ctx context.Context, t term.Term, f consumeFlags) (*zkSource, error) {
	f.storage = cmp.Or(f.storage, "zookeeper")
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
		opts = append(opts, client.PollRecords(1)) // to hand out no more than is printed
	}
	warn := warner(t)
	s := &zkSource{term: t, flags: f, warn: warn, outage: newOutage(warn), reached: map[string]map[int32]int64{}}
	opts = append(opts, s.options()...)
	connecting, cancel := context.WithTimeout(ctx, reach.ConnectTimeout)
	defer cancel()
	if s.consumer, err = client.NewGroupConsumer(connecting, f.zk.Connect, f.group, opts...); err != nil {
		return nil, err
	}
	return s, nil
}

// options are those that tell the source what happens. Offsets are committed by
// itself, since it alone knows what was printed.
func (s *zkSource) options() []client.ConsumerOption {
	return []client.ConsumerOption{
		client.Logger(slog.New(s.outage)), client.ManualCommit(),
		client.OnAssigned(func(_ context.Context, owned map[string][]int32) {
			if len(owned) > 0 {
				s.assigned.Store(true)
			}
		}),
		client.OnRevoked(func(ctx context.Context, _ map[string][]int32) {
			// With records half printed there is nothing to commit that is sure.
			if s.owed.Load() > 0 {
				return
			}
			if err := s.consumer.Commit(ctx); err != nil {
				s.warn(err)
			}
		}),
		// The first failure is told, and not the fourth alone; what depends on their
		// number stays as it is by default.
		client.RebalanceRetries(1), client.HandOverWithin(handOver),
	}
}

// handOver is how long others wait for what is being printed.
const handOver = 4 * time.Second

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
		got, err := s.next(ctx)
		if ctx.Err() != nil && len(got) == 0 {
			return nil, s.idle()
		}
		if err != nil && (s.trouble == nil || err.Error() != s.trouble.Error()) {
			s.trouble = err
			s.warn(err)
		}
		if len(got) == 0 {
			continue
		}
		s.trouble = nil
		s.owed.Store(int64(len(got)))
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

// next is Poll, for as long as no commit is due.
func (s *zkSource) next(ctx context.Context) ([]*client.Record, error) {
	if len(s.reached) == 0 {
		return s.consumer.Poll(ctx)
	}
	waiting, cancel := context.WithDeadline(ctx, s.due)
	defer cancel()
	if waiting.Err() == nil {
		got, err := s.consumer.Poll(waiting)
		if len(got) > 0 || !errors.Is(err, context.DeadlineExceeded) {
			return got, err
		}
	}
	within, cancel := context.WithTimeout(ctx, commitEvery)
	defer cancel()
	err := s.consumer.Commit(within)
	if err == nil {
		clear(s.reached)
	}
	s.due = s.term.Env.Clock.Now().Add(commitEvery)
	return nil, err
}

// idle is why there was nothing to print, if it is more than that no record came.
func (s *zkSource) idle() error {
	switch {
	case s.assigned.Load():
		return nil
	case s.trouble != nil:
		return fmt.Errorf("group %s gave this member no partition: %w", s.flags.group, s.trouble)
	case s.outage.on.Load():
		return fmt.Errorf("group %s gave this member no partition: %w", s.flags.group, errAway)
	}
	return fmt.Errorf("group %s gave this member no partition: others own them all, or there are none", s.flags.group)
}

// printed implements source.
func (s *zkSource) printed(records []*kgo.Record) {
	if len(s.reached) == 0 {
		s.due = s.term.Env.Clock.Now().Add(commitEvery)
	}
	for _, r := range records {
		setAt(s.reached, r.Topic, r.Partition, r.Offset+1)
	}
	s.owed.Add(-int64(len(records)))
}

// close implements source. What was not printed is not committed.
func (s *zkSource) close(ctx context.Context) error {
	if s.outage.on.Load() || s.flags.storage == "zookeeper" {
		within, cancel := context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
		ctx = within
	}
	commit := s.consumer.Commit
	if s.owed.Load() > 0 {
		commit = s.commitReached
	}
	err := commit(ctx)
	if err != nil {
		err = fmt.Errorf("commit the offsets of group %s: %w", s.flags.group, err)
	}
	err = errors.Join(err, s.consumer.Close(ctx))
	if err != nil && s.outage.on.Load() {
		return fmt.Errorf("ZooKeeper does not answer, so that the member is gone with its session only, and what was printed since the last commit comes again: %w", err)
	}
	return err
}
