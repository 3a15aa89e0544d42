package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// patience bounds every wait of these tests; what takes longer is broken, not
// slow.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if seeds := os.Getenv(memberSeeds); seeds != "" {
		os.Exit(memberMain(seeds))
	}
	os.Exit(gregor.Main(m))
}

// within is the test's context with the patience of this package, which begins
// when there is a broker: the first to ask builds it.
func within(t *testing.T) context.Context {
	t.Helper()
	gregor.Shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// client connects to the broker that all tests share; later options win.
func client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	return clientOf(t, gregor.Shared(t).Kafka, opts...)
}

func clientOf(t *testing.T, kafka string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(kafka), kgo.MetadataMinAge(50 * time.Millisecond), kgo.FetchMaxWait(500 * time.Millisecond),
		// The client waits out a rebalance in steps of this.
		kgo.HeartbeatInterval(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func admin(t *testing.T) *kadm.Client {
	t.Helper()
	return kadm.NewClient(client(t))
}

// keep is the setting of topics whose records carry old timestamps.
var keep = []string{"retention.ms", "-1"}

// unique numbers names: a test may run more than once in one binary.
var unique atomic.Int64

// name is a legal name for a topic or group, new for each call.
func name(t *testing.T) string {
	return fmt.Sprintf("%s-%d-%d", strings.NewReplacer("/", ".", " ", "_", "=", "_").Replace(t.Name()), os.Getpid(), unique.Add(1))
}

// topic creates a topic; configs are names and values in turn.
func topic(t *testing.T, partitions int32, configs ...string) string {
	t.Helper()
	topic := name(t)
	createTopic(t, admin(t), topic, partitions, configs...)
	return topic
}

func createTopic(t *testing.T, adm *kadm.Client, topic string, partitions int32, configs ...string) {
	t.Helper()
	if _, err := adm.CreateTopic(within(t), partitions, 1, pairs(configs), topic); err != nil {
		t.Fatalf("create %s: %v", topic, err)
	}
}

func pairs(configs []string) map[string]*string {
	out := map[string]*string{}
	for kv := range slices.Chunk(configs, 2) {
		out[kv[0]] = &kv[1]
	}
	return out
}

// produce writes records and returns them with the offsets that they got.
func produce(t *testing.T, cl *kgo.Client, rs ...*kgo.Record) []*kgo.Record {
	t.Helper()
	if err := cl.ProduceSync(within(t), rs...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	return rs
}

// numbered makes n records with the values "0" and up, spread over partitions.
func numbered(topic string, partitions, n int) []*kgo.Record {
	rs := make([]*kgo.Record, n)
	for i := range rs {
		rs[i] = &kgo.Record{Topic: topic, Partition: int32(i % partitions), Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%d", i)}
	}
	return rs
}

// fill writes n numbered records to a topic.
func fill(t *testing.T, topic string, partitions, n int) []*kgo.Record {
	t.Helper()
	return produce(t, client(t, kgo.RecordPartitioner(kgo.ManualPartitioner())), numbered(topic, partitions, n)...)
}

// read polls until n records have come and returns them by partition and
// offset; more than n is a failure. A group member bears that its coordinator
// is away for a while, as the client does.
func read(t *testing.T, cl *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx := within(t)
	var out []*kgo.Record
	var away error
	for len(out) < n {
		fs := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("got %d of %d records: %v", len(out), n, errors.Join(err, away))
		}
		for _, e := range fs.Errors() {
			if session, ok := errors.AsType[*kgo.ErrGroupSession](e.Err); ok {
				away = session
				continue
			}
			t.Fatalf("got %d of %d records: %s-%d: %v", len(out), n, e.Topic, e.Partition, e.Err)
		}
		out = append(out, fs.Records()...)
	}
	if len(out) > n {
		t.Fatalf("got %d records, want %d", len(out), n)
	}
	slices.SortStableFunc(out, byPlace)
	return out
}

// readAll reads a topic from its start.
func readAll(t *testing.T, topic string, n int) []*kgo.Record {
	t.Helper()
	return read(t, client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), n)
}

func byPlace(a, b *kgo.Record) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// places writes records as "partition/offset=value", in the given order.
func places(rs []*kgo.Record) []string {
	var out []string
	for _, r := range rs {
		out = append(out, fmt.Sprintf("%d/%d=%s", r.Partition, r.Offset, r.Value))
	}
	return out
}

func sorted(rs []*kgo.Record) []*kgo.Record {
	rs = slices.Clone(rs)
	slices.SortStableFunc(rs, byPlace)
	return rs
}

// equal fails the test unless two printable values are the same.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// code fails the test unless err is Kafka's error of that code.
func code(t testing.TB, what string, err error, want *kerr.Error) {
	t.Helper()
	if err == nil || codeOf(err) != want.Code {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

// codeOf is Kafka's error code in err, 0 when there is none.
func codeOf(err error) int16 {
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Code
	}
	return 0
}
