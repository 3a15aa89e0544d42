package clients

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Where a direct consumer starts. Records 0 to 9 carry the times 1000 to 1900.
func TestConsumeFrom(t *testing.T) {
	t.Parallel()
	topic := topic(t, 1, keep...)
	rs := numbered(topic, 1, 10)
	for i, r := range rs {
		r.Timestamp = time.UnixMilli(int64(1000 + 100*i))
		r.Headers = []kgo.RecordHeader{{Key: "filler", Value: bytes.Repeat([]byte{'x'}, 100)}}
	}
	produce(t, client(t, kgo.ProducerBatchMaxBytes(512), kgo.ProducerBatchCompression(kgo.NoCompression())), rs...) // a few batches
	for _, c := range []struct {
		name string
		at   kgo.Offset
		want int // the first record
	}{
		{"start", kgo.NewOffset().AtStart(), 0},
		{"offset", kgo.NewOffset().At(7), 7},
		{"relative to start", kgo.NewOffset().AtStart().Relative(3), 3},
		{"relative to end", kgo.NewOffset().AtEnd().Relative(-2), 8},
		{"time of a record", kgo.NewOffset().AfterMilli(1500), 5},
		{"time between records", kgo.NewOffset().AfterMilli(1501), 6},
		{"time before all", kgo.NewOffset().AfterMilli(1), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl := client(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: c.at}}))
			equal(t, "records", places(read(t, cl, 10-c.want)), places(rs[c.want:]))
		})
	}
}

func TestConsumeOutOfRange(t *testing.T) {
	t.Parallel()
	topic := topic(t, 1)
	rs := fill(t, topic, 1, 5)
	at := kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(100)}})
	t.Run("reset to start", func(t *testing.T) {
		t.Parallel()
		equal(t, "records", places(read(t, client(t, at, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 5)), places(rs))
	})
	t.Run("no reset", func(t *testing.T) {
		t.Parallel()
		fs := client(t, at, kgo.ConsumeResetOffset(kgo.NoResetOffset())).PollFetches(within(t))
		code(t, "fetch beyond the end", fs.Err(), kerr.OffsetOutOfRange)
	})
}

// A consumer that waits at the end gets what is produced while it waits.
func TestConsumeWaits(t *testing.T) {
	t.Parallel()
	topic := topic(t, 2)
	fill(t, topic, 2, 4)
	cl := client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(5*time.Second))
	// The consumer finds the end at its first poll, which has nothing to return.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if fs := cl.PollFetches(ctx); fs.NumRecords() > 0 {
		t.Fatalf("%v came before anything was produced", places(fs.Records()))
	}
	producer := client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 6 {
		start := time.Now()
		sent := produce(t, producer, &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: fmt.Append(nil, "late ", i)})
		equal(t, "record", places(read(t, cl, 1)), places(sent))
		if took := time.Since(start); took > 3*time.Second {
			t.Fatalf("a waiting fetch saw a record after %v", took)
		}
	}
}

// A fetch that asks for more bytes than there are gets what there is when its
// time is over, with a fetch session and without.
func TestConsumeMinBytes(t *testing.T) {
	t.Parallel()
	for _, sessions := range []bool{true, false} {
		t.Run(fmt.Sprintf("sessions=%v", sessions), func(t *testing.T) {
			t.Parallel()
			topic := topic(t, 2)
			sent := fill(t, topic, 2, 4)
			opts := []kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMinBytes(1_000_000), kgo.FetchMaxWait(300 * time.Millisecond)}
			if !sessions {
				opts = append(opts, kgo.DisableFetchSessions())
			}
			cl := client(t, opts...)
			equal(t, "records", places(read(t, cl, 4)), places(sorted(sent)))
			late := fill(t, topic, 2, 2)
			equal(t, "records that came later", places(read(t, cl, 2)), places(sorted(late)))
		})
	}
}

// Small fetches over many partitions lose, double and reorder nothing.
func TestConsumeSmallFetches(t *testing.T) {
	t.Parallel()
	const partitions, n = 13, 3000
	topic := topic(t, partitions)
	cl := client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1000))
	sent := produce(t, cl, numbered(topic, partitions, n)...)
	reader := client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(3000), kgo.FetchMaxPartitionBytes(700))
	equal(t, "records", places(read(t, reader, n)), places(sorted(sent)))
}

func TestConsumeRegex(t *testing.T) {
	t.Parallel()
	base := name(t)
	adm := admin(t)
	for _, n := range []string{".yes-1", ".no", ".yes-2"} {
		createTopic(t, adm, base+n, 1)
	}
	cl := client(t, kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+regexp.QuoteMeta(base)+`\.yes-\d$`),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMaxAge(100*time.Millisecond))
	producer := client(t)
	for _, n := range []string{".yes-1", ".no", ".yes-2"} {
		produce(t, producer, &kgo.Record{Topic: base + n, Value: []byte(n)})
	}
	values := func(rs []*kgo.Record) string {
		var out []string
		for _, r := range rs {
			out = append(out, strings.TrimPrefix(r.Topic, base)+"="+string(r.Value))
		}
		return fmt.Sprint(out)
	}
	equal(t, "topics that match", values(read(t, cl, 2)), "[.yes-1=.yes-1 .yes-2=.yes-2]")
	createTopic(t, adm, base+".yes-3", 1)
	produce(t, producer, &kgo.Record{Topic: base + ".yes-3", Value: []byte("new")})
	equal(t, "a topic made later", values(read(t, cl, 1)), "[.yes-3=new]")
}

// A topic that is deleted and made again is another topic.
func TestConsumeAfterTopicWasMadeAgain(t *testing.T) {
	t.Parallel()
	adm, topic := admin(t), topic(t, 1)
	fill(t, topic, 1, 3)
	before, err := adm.ListTopics(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	deleteTopic(t, adm, topic)
	// The metadata goes first, the name is free a moment later.
	eventually(t, "the name is free", func() error {
		_, err := adm.CreateTopic(t.Context(), 1, 1, nil, topic)
		return err
	})
	after, err := admin(t).ListTopics(within(t), topic) // the other client remembers the former one for a moment
	if err != nil {
		t.Fatal(err)
	}
	if before[topic].ID == after[topic].ID || after[topic].ID == (kadm.TopicID{}) {
		t.Fatalf("topic id %v after %v", after[topic].ID, before[topic].ID)
	}
	produce(t, client(t), &kgo.Record{Topic: topic, Value: []byte("anew")})
	equal(t, "records", places(readAll(t, topic, 1)), []string{"0/0=anew"})
}

// With read-committed isolation a plain record is visible at once.
func TestConsumeReadCommitted(t *testing.T) {
	t.Parallel()
	topic := topic(t, 1)
	rs := fill(t, topic, 1, 3)
	cl := client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	equal(t, "records", places(read(t, cl, 3)), places(rs))
}

// deleteTopic returns when the topic's metadata is gone too.
func deleteTopic(t *testing.T, adm *kadm.Client, topics ...string) {
	t.Helper()
	rs, err := adm.DeleteTopics(within(t), topics...)
	if err == nil {
		err = rs.Error()
	}
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	eventually(t, "deleted topics are gone", func() error {
		ts, err := adm.ListTopics(t.Context())
		if err != nil {
			return err
		}
		if left := slices.DeleteFunc(slices.Clone(topics), func(n string) bool { return !ts.Has(n) }); len(left) > 0 {
			return fmt.Errorf("still there: %v", left)
		}
		return nil
	})
}
