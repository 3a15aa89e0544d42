package gregortest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/gregortest"
)

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, c *gregortest.Cluster, name string, partitions int32, copies int16) {
	t.Helper()
	adm := kadm.NewClient(c.Client())
	if _, err := adm.CreateTopic(bounded(t), partitions, copies, nil, name); err != nil {
		t.Fatal(err)
	}
}

// produce writes values, one record each, to partition 0.
func produce(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(v)})
	}
	if err := cl.ProduceSync(bounded(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// wantRecords reads a topic of one partition from its start.
func wantRecords(t *testing.T, c *gregortest.Cluster, topic string, want ...string) {
	t.Helper()
	cl := c.Client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	for len(got) < len(want) {
		fetches := cl.PollFetches(bounded(t))
		if err := fetches.Err(); err != nil {
			t.Fatalf("got %q, then %v", got, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestProduceAndConsume(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3))
	createTopic(t, c, "greetings", 1, 1)
	cl := c.Client()
	produce(t, cl, "greetings", "hello", "world")
	wantRecords(t, c, "greetings", "hello", "world")
	seen := map[string]bool{}
	for i, addr := range c.Addrs() {
		if seen[addr] || c.Broker(i).Addr() != addr || c.Broker(i).ID() != i {
			t.Errorf("broker %d at %s, of %v", c.Broker(i).ID(), c.Broker(i).Addr(), c.Addrs())
		}
		seen[addr] = true
	}
}

func TestKillAndRestart(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "t", 1, 1)
	cl := c.Client()
	produce(t, cl, "t", "one")
	b := c.Broker(0)
	for round, end := range []func(){b.Kill, b.Stop, func() {}} {
		end()
		if round < 2 {
			if conn, err := net.Dial("tcp", b.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("round %d: somebody answers: %v %v", round, conn, err)
			}
		}
		addr := b.Addr()
		b.Restart()
		if b.Addr() != addr {
			t.Errorf("was at %s, is at %s", addr, b.Addr())
		}
		produce(t, cl, "t", fmt.Sprint("round ", round))
	}
	wantRecords(t, c, "t", "one", "round 0", "round 1", "round 2")
}
