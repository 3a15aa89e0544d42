//go:build interop

package old

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// topics runs kafka-topics of 0.8.2.2, which must print this line.
func (s *stage) topics(want string, args ...string) []string {
	s.t.Helper()
	printed, _ := s.run("kafka-0.8.2.2", peer.OldTools["kafka-topics"], append([]string{"--zookeeper", s.Ensemble.Addr}, args...)...)
	if !slices.Contains(printed, want) {
		s.t.Errorf("kafka-topics %s: no %q in %q", strings.Join(args, " "), want, printed)
	}
	return printed
}

// TestTopicsByTheOldestTool makes, changes and deletes a topic by the znodes of
// 0.8.2.2. Its notification of a changed config is of a form that nobody reads
// any more: brokers go on past it, and find what it told of with the next.
func TestTopicsByTheOldestTool(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const topic = "oldest"
	large := strings.Repeat("x", 5000)
	refused := func(cl *kgo.Client, partition int32) error {
		if err := s.tryWrite(cl, topic, partition, large); !errors.Is(err, kerr.MessageTooLarge) {
			return fmt.Errorf("5,000 bytes: %v", err)
		}
		return nil
	}
	s.topics(`Created topic "oldest".`, "--create", "--topic", topic, "--replica-assignment", "0:1:2,1:2:0", "--config", "max.message.bytes=1000")
	s.known(topic, 2)
	peer.Eventually(t, patience, func() error { return refused(s.kafka, 0) })
	s.write(s.kafka, topic, 1, "small")

	s.topics("Adding partitions succeeded!", "--alter", "--topic", topic, "--partitions", "3")
	s.known(topic, 3)
	grown := s.client(kgo.ProducerBatchCompression(kgo.NoCompression())) // knows of the third
	s.write(grown, topic, 2, "small")
	peer.Eventually(t, patience, func() error { return refused(grown, 2) })
	printed := s.topics("Topic:oldest PartitionCount:3 ReplicationFactor:3 Configs:max.message.bytes=1000", "--describe", "--topic", topic)
	for p, replicas := range s.assigned(topic) {
		if p < 2 && replicas[0] != p {
			t.Errorf("partition %d is assigned to %v", p, replicas)
		}
		want := fmt.Sprintf("Topic: oldest Partition: %d Leader: %d Replicas: %d,%d,%d Isr: ", p, replicas[0], replicas[0], replicas[1], replicas[2])
		if !slices.ContainsFunc(printed, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("no %q in %q", want, printed)
		}
	}

	s.topics(`Updated config for topic "oldest".`, "--alter", "--topic", topic, "--config", "max.message.bytes=100000")
	retention := "3600000"
	if _, err := s.admin.AlterTopicConfigs(s.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &retention}}, topic); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"max.message.bytes": "100000", "retention.ms": retention}
	if got := s.config(znode.Entity{Topic: znode.Named(topic)}); !maps.Equal(got, want) {
		t.Errorf("the topic is configured %v, want %v", got, want)
	}
	for p := range int32(3) {
		peer.Eventually(t, patience, func() error { return s.tryWrite(grown, topic, p, large) })
	}

	s.topics("Topic oldest is marked for deletion.", "--delete", "--topic", topic)
	peer.Eventually(t, patience, func() error {
		if _, err := s.zk.Exists(s.ctx, znode.TopicPath(topic), false); !errors.Is(err, zk.ErrNoNode) {
			return fmt.Errorf("the topic is still there: %w", err)
		}
		return nil
	})
	if printed, _ := s.run("kafka-0.8.2.2", peer.OldTools["kafka-topics"], "--zookeeper", s.Ensemble.Addr, "--list"); slices.Contains(printed, topic) {
		t.Errorf("the topic is listed: %q", printed)
	}
}

// assigned are the replicas of the partitions of a topic on three brokers.
func (s *stage) assigned(topic string) map[int32][]int32 {
	s.t.Helper()
	path := znode.TopicPath(topic)
	data, _, err := s.zk.Get(s.ctx, path, false)
	if err != nil {
		s.t.Fatal(err)
	}
	node, err := znode.DecodeTopic(path, data)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[int32][]int32{}
	for p, a := range node.Partitions {
		if len(a.Replicas) != 3 {
			s.t.Fatalf("%s-%d is assigned to %v", topic, p, a.Replicas)
		}
		out[p] = a.Replicas
	}
	return out
}
