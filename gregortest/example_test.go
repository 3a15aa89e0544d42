package gregortest_test

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/gregortest"
)

var t *testing.T // a test's own

func ExampleStart() {
	cluster := gregortest.Start(t, gregortest.Brokers(3))
	producer := cluster.Client()
	err := producer.ProduceSync(context.Background(), kgo.StringRecord("hello")).FirstErr()
	if err != nil {
		t.Fatal(err)
	}
}

func ExampleBroker_Isolate() {
	cluster := gregortest.Start(t, gregortest.Brokers(3),
		gregortest.Property("min.insync.replicas", "2"), gregortest.Racks("a", "b", "c"))
	// Broker 2 believes that it is still a member until its session ends.
	cluster.Broker(2).Isolate(gregortest.Peers, gregortest.ZooKeeper)
	// ...
	cluster.Broker(2).Heal()
}
