package gregortest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/gregortest"
)

// brokersKnown asks one broker for its picture of the cluster.
func brokersKnown(ctx context.Context, cl *kgo.Client) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	resp, err := cl.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.MetadataResponse), nil
}

// eventually asks one broker until the answer is right.
func eventually(t *testing.T, c *gregortest.Cluster, ask int, what string, right func(*kmsg.MetadataResponse) bool) {
	t.Helper()
	cl := c.Client(kgo.SeedBrokers(c.Broker(ask).Addr()))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := bounded(t); ctx.Err() == nil; <-tick.C {
		if m, err := brokersKnown(ctx, cl); err == nil && right(m) {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// controller returns the id of the controller.
func controller(t *testing.T, c *gregortest.Cluster) int {
	t.Helper()
	id := -1
	eventually(t, c, 0, "a controller", func(m *kmsg.MetadataResponse) bool {
		id = int(m.ControllerID)
		return id >= 0
	})
	return id
}

// Clients do not reach a broker that is cut off from them; its peers do.
func TestIsolateFromClients(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(2))
	ctx := bounded(t)
	other := c.Broker(1 - controller(t, c))
	cl := c.Client(kgo.SeedBrokers(other.Addr()))
	if _, err := brokersKnown(ctx, cl); err != nil {
		t.Fatal(err)
	}
	other.Isolate(gregortest.Clients)
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := brokersKnown(short, cl); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it answers: %v", err)
	}
	// What the controller tells the other broker arrives all the same: it will
	// know the new topic.
	adm := kadm.NewClient(c.Client(kgo.SeedBrokers(c.Broker(1 - other.ID()).Addr())))
	if _, err := adm.CreateTopic(ctx, 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	other.Heal()
	eventually(t, c, other.ID(), "the topic", func(m *kmsg.MetadataResponse) bool { return len(m.Topics) == 1 })
}

func TestExternalKeeper(t *testing.T) {
	first := gregortest.Start(t)
	createTopic(t, first, "t", 1, 1)
	second := gregortest.Start(t, gregortest.ExternalKeeper(first.ZooKeeper()+"/apart"), gregortest.Racks("east", "west"), gregortest.Brokers(2))
	topics, err := kadm.NewClient(second.Client()).ListTopics(bounded(t))
	if err != nil || len(topics) != 0 {
		t.Errorf("another chroot, the same topics: %v %v", topics.Names(), err)
	}
	m, err := kadm.NewClient(second.Client()).BrokerMetadata(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"east", "west"} {
		if got := m.Brokers[i].Rack; got == nil || *got != want {
			t.Errorf("broker %d is in rack %v", i, got)
		}
	}
	second.Broker(0).Isolate(gregortest.ZooKeeper)
	second.Heal()
}
