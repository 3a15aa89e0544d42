package gregortest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// offered reads how many partitions of a topic each broker says it offers in the
// layout of Kafka 0.7; nil when the topic is gone.
func offered(t *testing.T, z *session.Session, topic string) map[int]int64 {
	t.Helper()
	if _, err := z.Exists(bounded(t), znode.TopicPath(topic), false); errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	out := map[int]int64{}
	for id := range 3 {
		path := znode.OldTopicBrokerPath(topic, int32(id))
		data, stat, err := z.Get(bounded(t), path, false)
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[id], err = znode.DecodeOffset(path, data); err != nil || stat.EphemeralOwner == 0 {
			t.Fatalf("%s: %q %+v, %v", path, data, stat, err)
		}
	}
	return out
}

func TestRegistrationOfKafka07(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3), gregortest.Property("gregor.zookeeper.legacy.registration", "true"),
		gregortest.Property("zookeeper.session.timeout.ms", "2000"), gregortest.Property("auto.leader.rebalance.enable", "false"))
	z, err := session.Dial(bounded(t), session.Config{Servers: []string{c.ZooKeeper()}}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close(t.Context())
	wait := func(what string, right func(map[int]int64) bool) {
		t.Helper()
		for ctx := bounded(t); ; {
			now := offered(t, z, "t")
			if right(now) {
				return
			}
			if err := env.Sleep(ctx, env.Real().Clock, 5*time.Millisecond); err != nil {
				t.Fatalf("never %s: %v", what, now)
			}
		}
	}
	createTopic(t, c, "t", 6, 3)
	wait("two partitions each", func(now map[int]int64) bool { return now[0] == 2 && now[1] == 2 && now[2] == 2 })
	c.Broker(1).Kill()
	wait("the dead broker's partitions with the others", func(now map[int]int64) bool {
		_, there := now[1]
		return !there && now[0]+now[2] == 6
	})
	c.Broker(1).Restart()
	if _, err := kadm.NewClient(c.Client()).DeleteTopic(bounded(t), "t"); err != nil {
		t.Fatal(err)
	}
	wait("gone", func(now map[int]int64) bool { return now == nil })
}
