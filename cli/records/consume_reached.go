package records

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// commitReached stores how far printing came when it ended within what Poll
// returned: the consumer's own commit takes all of that for done. The partitions
// are still this member's, since it has not left, and none of them is given up
// while it works on records.
func (s *zkSource) commitReached(ctx context.Context) error {
	owned := s.consumer.Assignment()
	maps.DeleteFunc(s.reached, func(topic string, offsets map[int32]int64) bool {
		maps.DeleteFunc(offsets, func(p int32, _ int64) bool { return !slices.Contains(owned[topic], p) })
		return len(offsets) == 0
	})
	if len(s.reached) == 0 {
		return nil
	}
	guide, err := s.flags.zk.Dial(ctx, s.term.Env)
	if err != nil {
		return err
	}
	if s.flags.storage != "zookeeper" {
		err = s.commitToKafka(ctx, guide)
	}
	if err == nil && s.flags.storage != "kafka" {
		err = s.commitToZooKeeper(ctx, guide)
	}
	return errors.Join(err, guide.Close(ctx))
}

func (s *zkSource) commitToZooKeeper(ctx context.Context, guide *session.Session) error {
	open := func(path string) []zk.ACL { return znode.DefaultACL(path, false) }
	for topic, offsets := range s.reached {
		for p, at := range offsets {
			path, data := znode.OffsetPath(s.flags.group, topic, p), znode.EncodeNumber(at)
			_, err := guide.Set(ctx, path, data, -1)
			if errors.Is(err, zk.ErrNoNode) {
				_, _, err = guide.CreateRecursive(ctx, path, data, open, zk.Persistent)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *zkSource) commitToKafka(ctx context.Context, guide *session.Session) error {
	brokers, err := reach.Brokers(ctx, guide)
	if err != nil {
		return err
	}
	client, err := (&reach.Kafka{Bootstrap: brokers}).Client(ctx, s.term.Env)
	if err != nil {
		return err
	}
	defer client.Close()
	var all kadm.Offsets
	for topic, offsets := range s.reached {
		for p, at := range offsets {
			all.AddOffset(topic, p, at, -1)
		}
	}
	if err := kadm.NewClient(client).CommitAllOffsets(ctx, s.flags.group, all); err != nil {
		return fmt.Errorf("in Kafka: %w", err)
	}
	return nil
}
