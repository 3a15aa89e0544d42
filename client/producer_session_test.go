package client

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk/session"
)

// A producer whose ZooKeeper session ended follows leaders in the next one, and
// finds those that changed in between.
func TestProducerOutlivesItsSession(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(2))
	ctx := limited(t)
	createOn(t, c, "t", [][]int32{{0, 1}})
	p, err := NewProducer(ctx, c.ZooKeeper())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	g, ok := p.guide.(*zkGuide)
	if !ok {
		t.Fatalf("the guide is a %T", p.guide)
	}
	r := &Record{Topic: "t"}
	for round := range int64(3) {
		if err := p.Send(ctx, r); err != nil {
			t.Fatal(err)
		}
		if r.Offset != round {
			t.Errorf("at %d, want %d", r.Offset, round)
		}
		s, err := g.conn.Session()
		if err != nil {
			t.Fatal(err)
		}
		cfg := session.Config{Servers: []string{c.ZooKeeper()}}
		if ended, err := session.CloseOther(ctx, cfg, env.Real(), s.ID(), s.Password()); err != nil || !ended {
			t.Fatal(ended, err)
		}
		// The leader changes while nobody may be watching.
		c.Broker(int(round % 2)).Stop()
		c.Broker(int(round % 2)).Restart()
		for {
			topics, err := kadm.NewClient(c.Client()).ListTopics(ctx, "t")
			if err != nil {
				t.Fatal(err)
			}
			if d := topics["t"].Partitions[0]; d.Leader == int32(1-round%2) && len(d.ISR) == 2 {
				break
			}
		}
	}
}

// BenchmarkProduce sends records of 1 KB to one broker, acknowledged in batches.
func BenchmarkProduce(b *testing.B) {
	c := gregortest.Start(b)
	ctx := b.Context()
	if _, err := kadm.NewClient(c.Client()).CreateTopic(ctx, 4, 1, nil, "t"); err != nil {
		b.Fatal(err)
	}
	p, err := NewProducer(ctx, c.ZooKeeper())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(ctx)
	value := make([]byte, 1000)
	b.SetBytes(1000)
	b.ReportAllocs()
	for b.Loop() {
		p.SendAsync(ctx, &Record{Topic: "t", Value: value}, func(_ *Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := p.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}
