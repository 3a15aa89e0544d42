//go:build interop

package producers

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// name is the client id by which the brokers' request logs tell the producer.
const name = "guided-by-zookeeper"

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestProducerOnApache writes to two Apache brokers, of which each is killed and
// comes back: what is acknowledged is there, once and in order, and no broker was
// asked for metadata.
func TestProducerOnApache(t *testing.T) {
	c := peer.StartCluster(t, peer.ClusterOptions{Brokers: []peer.Kind{peer.KindApache, peer.KindApache}, Keeper: peer.KindApache, Requests: true})
	ctx := bounded(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...), kgo.ClientID("other"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 2, 2, nil, "t"); err != nil {
		t.Fatal(err)
	}
	p, err := client.NewProducer(ctx, c.Ensemble.Addr, client.ClientID(name), client.Partitioner(client.Manual()), client.Compression(client.Zstd))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	history := check.NewHistory()
	send := func(count int) {
		t.Helper()
		for i := range count {
			at := check.Partition{Topic: "t", Index: int32(i % 2)}
			v := history.Next(0, at)
			p.SendAsync(ctx, &client.Record{Topic: "t", Partition: at.Index, Value: v.Encode(at, 20)}, func(r *client.Record, err error) {
				if err != nil {
					history.Refused(at, v, err)
				} else if r.Offset >= 0 {
					history.Acked(at, v, r.Offset)
				}
			})
		}
	}
	flush := func() {
		t.Helper()
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	send(1000)
	flush()
	var logs strings.Builder
	for _, b := range c.Brokers {
		send(1000) // some of them are on their way now
		logs.WriteString(b.Stdout())
		b.Kill(t)
		send(1000)
		flush() // by the other one
		b.Start(t)
		inSync(ctx, t, cl)
	}
	send(1000)
	flush()
	big := make([]byte, 2<<20)
	rand.NewChaCha8([32]byte{}).Read(big) // which compression does not make smaller
	if err := p.Send(ctx, &client.Record{Topic: "t", Value: big}); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record of 2 MiB: %v", err)
	}
	if err := p.Send(ctx, &client.Record{Topic: "none"}); !errors.Is(err, client.ErrNoTopic) {
		t.Errorf("a topic that is not there: %v", err)
	}
	for _, b := range c.Brokers {
		logs.WriteString(b.Stdout())
	}
	judge(ctx, t, cl, history)
	asked(t, logs.String())
}

func inSync(ctx context.Context, t *testing.T, cl *kgo.Client) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		topics, err := kadm.NewClient(cl).ListTopics(ctx, "t")
		if ctx.Err() != nil {
			t.Fatal("never in sync")
		}
		if err != nil || errors.Is(topics["t"].Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if p := topics["t"].Partitions; len(p[0].ISR) == 2 && len(p[1].ISR) == 2 {
			return
		}
	}
}

// judge reads the topic and compares it with what was acknowledged.
func judge(ctx context.Context, t *testing.T, cl *kgo.Client, history *check.History) {
	t.Helper()
	logs := map[int32][]check.Record{}
	left := func() (n int64) {
		for _, at := range history.Partitions() {
			n += max(history.AckedEnd(at)-int64(len(logs[at.Index])), 0)
		}
		return n
	}
	for left() > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records are missing: %v", left(), fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			logs[r.Partition] = append(logs[r.Partition], check.Record{Offset: r.Offset, Value: r.Value})
		})
	}
	errs := history.Problems()
	for _, at := range history.Partitions() {
		errs = append(errs, history.Log(at, logs[at.Index], history.AckedEnd(at))...)
	}
	for _, err := range errs {
		t.Error(err)
	}
	t.Logf("%d records acknowledged", history.AckedCount())
}

// asked looks through the brokers' request logs. A broker that has no block of
// producer ids yet is asked for one more than once.
func asked(t *testing.T, log string) {
	t.Helper()
	seen := map[string]int{}
	for line := range strings.Lines(log) {
		if _, rest, ok := strings.Cut(line, "Completed request:"); ok && strings.Contains(rest, `"clientId":"`+name+`"`) {
			for _, api := range []string{"PRODUCE", "INIT_PRODUCER_ID", "METADATA", "API_VERSIONS"} {
				if strings.Contains(rest, `"requestApiKeyName":"`+api+`"`) {
					seen[api]++
				}
			}
		}
	}
	if seen["PRODUCE"] == 0 || seen["INIT_PRODUCER_ID"] == 0 || seen["METADATA"] != 0 {
		t.Errorf("the brokers were sent %v", seen)
	}
	t.Logf("the brokers were sent %v", seen)
}
