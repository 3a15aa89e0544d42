package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// handler collects what a sarama group member reads.
type handler struct {
	mu     sync.Mutex
	got    []string
	claims map[string][]int32
	setup  chan struct{} // gets a value per generation
}

func (h *handler) Setup(s sarama.ConsumerGroupSession) error {
	h.mu.Lock()
	h.claims = s.Claims()
	h.mu.Unlock()
	h.setup <- struct{}{}
	return nil
}

func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for m := range c.Messages() {
		h.mu.Lock()
		h.got = append(h.got, fmt.Sprintf("%d/%d=%s", m.Partition, m.Offset, m.Value))
		h.mu.Unlock()
		s.MarkMessage(m, "read")
	}
	return nil
}

// saramaJoin runs a group member until the test ends or stop is called, which
// commits what was read.
func saramaJoin(t *testing.T, v sarama.KafkaVersion, topic, group string) (h *handler, stop func()) {
	t.Helper()
	c := saramaConfig(v)
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	c.Consumer.Group.Session.Timeout, c.Consumer.Group.Heartbeat.Interval = 6*time.Second, 200*time.Millisecond
	g, err := sarama.NewConsumerGroupFromClient(group, saramaClient(t, c))
	if err != nil {
		t.Fatal(err)
	}
	h = &handler{setup: make(chan struct{}, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, h); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, g.Close()); err != nil {
			t.Errorf("group member: %v", err)
		}
	})
	t.Cleanup(stop)
	return h, stop
}

func (h *handler) values() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Clone(h.got)
	slices.Sort(out)
	return out
}

func (h *handler) owns(topic string) []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.claims[topic]
}

func TestSaramaGroup(t *testing.T) {
	t.Parallel()
	for _, v := range []sarama.KafkaVersion{sarama.V0_10_2_0, sarama.V1_0_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			topic, group := topic(t, 4), name(t)
			want := places(fill(t, topic, 4, 40))
			slices.Sort(want)
			a, stopA := saramaJoin(t, v, topic, group)
			eventually(t, "a reads all", func() error {
				if got := a.values(); !slices.Equal(got, want) {
					return fmt.Errorf("read %v", got)
				}
				return nil
			})
			b, _ := saramaJoin(t, v, topic, group)
			eventually(t, "a and b share", func() error {
				if ca, cb := a.owns(topic), b.owns(topic); len(ca) != 2 || len(cb) != 2 {
					return fmt.Errorf("a has %v, b has %v", ca, cb)
				}
				return nil
			})
			stopA()
			eventually(t, "b has all", func() error {
				if cb := b.owns(topic); len(cb) != 4 {
					return fmt.Errorf("b has %v", cb)
				}
				return nil
			})
			late := places(fill(t, topic, 4, 4))
			eventually(t, "b reads what came late, and nothing twice", func() error {
				if got := b.values(); !slices.Equal(got, late) {
					return fmt.Errorf("read %v, want %v", got, late)
				}
				return nil
			})
		})
	}
}

func TestSaramaAdmin(t *testing.T) {
	t.Parallel()
	for _, v := range []sarama.KafkaVersion{sarama.V1_0_0_0, sarama.V2_0_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			saramaAdmin(t, v)
		})
	}
}

func saramaAdmin(t *testing.T, v sarama.KafkaVersion) {
	adm, err := sarama.NewClusterAdminFromClient(saramaClient(t, saramaConfig(v)))
	if err != nil {
		t.Fatal(err)
	}
	topic := name(t)
	retention, size := "12345", "2000000"
	err = adm.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}, false)
	equal(t, "create", err, nil)
	if err := adm.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		t.Fatalf("created twice: %v", err)
	}
	equal(t, "expand", adm.CreatePartitions(topic, 3, nil, false), nil)
	eventually(t, "listed with three partitions", func() error {
		all, err := adm.ListTopics()
		if err != nil {
			return err
		}
		if d := all[topic]; d.NumPartitions != 3 || d.ReplicationFactor != 1 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != retention {
			return fmt.Errorf("listed as %+v", d)
		}
		return nil
	})
	md, err := adm.DescribeTopics([]string{topic})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "described", fmt.Sprint(md[0].Name, len(md[0].Partitions), md[0].Err == sarama.ErrNoError), fmt.Sprint(topic, 3, true))
	brokers, controller, err := adm.DescribeCluster()
	equal(t, "cluster", fmt.Sprint(len(brokers), controller, err), "1 0 <nil>")

	equal(t, "alter", adm.AlterConfig(sarama.TopicResource, topic, map[string]*string{"segment.bytes": &size}, false), nil)
	setting := func(key string) string {
		t.Helper()
		rs, err := adm.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}}, sarama.DescribeConfigsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rs[0].Configs {
			if e.Name == key {
				return e.Value
			}
		}
		return "none"
	}
	eventually(t, "altered", func() error {
		if a, b := setting("segment.bytes"), setting("retention.ms"); a != size || b == retention {
			return fmt.Errorf("segment.bytes %s, retention.ms %s", a, b)
		}
		return nil
	})

	fill(t, topic, 1, 10)
	equal(t, "delete records", adm.DeleteRecords(topic, map[int32]int64{0: 4}), nil)
	group := name(t)
	h, stop := saramaJoin(t, v, topic, group)
	eventually(t, "the group reads what is left", func() error {
		if n := len(h.values()); n != 6 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})
	ds, err := adm.DescribeConsumerGroups([]string{group})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "group", fmt.Sprint(ds[0].State, len(ds[0].Members), ds[0].Protocol), "Stable1range")
	stop()
	groups, err := adm.ListConsumerGroups()
	equal(t, "listed group", fmt.Sprint(groups[group], " ", err), "consumer <nil>")
	os, err := adm.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "committed", os.GetBlock(topic, 0).Offset, 10)
	equal(t, "metadata of the commit", os.GetBlock(topic, 0).Metadata, "read")
	if v.IsAtLeast(sarama.V1_1_0_0) { // DeleteGroups came with it
		equal(t, "delete the group", adm.DeleteConsumerGroup(group), nil)
	}
	dirs, err := adm.DescribeLogDirs([]int32{0})
	equal(t, "log dirs", fmt.Sprint(len(dirs[0]), err), "1 <nil>")
	equal(t, "delete", adm.DeleteTopic(topic), nil)
	eventually(t, "deleted", func() error {
		all, err := adm.ListTopics()
		if _, ok := all[topic]; ok {
			err = errors.New("still listed")
		}
		return err
	})
}
