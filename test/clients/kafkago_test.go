package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

// kafkaGo is kafka-go's client; it asks about topics afresh, as tests make them
// all the time.
func kafkaGo(t *testing.T) *kafka.Client {
	t.Helper()
	transport := &kafka.Transport{MetadataTTL: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(gregor.Shared(t).Kafka), Transport: transport, Timeout: patience}
}

// onePartition balances nothing: partition 1 gets it all.
var onePartition = kafka.BalancerFunc(func(kafka.Message, ...int) int { return 1 })

func TestKafkaGoWriteRead(t *testing.T) {
	t.Parallel()
	for _, acks := range []kafka.RequiredAcks{kafka.RequireAll, kafka.RequireOne, kafka.RequireNone} {
		for _, codec := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
			t.Run(fmt.Sprintf("acks=%v/%v", acks, cmp.Or(codec.String(), "none")), func(t *testing.T) {
				t.Parallel()
				topic := topic(t, 2, keep...)
				w := &kafka.Writer{
					Addr: kafka.TCP(gregor.Shared(t).Kafka), Topic: topic, RequiredAcks: acks, Compression: codec, Balancer: onePartition,
					BatchTimeout: time.Millisecond, Transport: kafkaGo(t).Transport,
				}
				at := time.UnixMilli(1_600_000_000_123)
				sent := []kafka.Message{
					{Key: []byte("k"), Value: []byte("v"), Time: at, Headers: []kafka.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte{}}}},
					{Key: nil, Value: []byte("no key"), Time: at.Add(time.Second)},
					{Key: []byte("tombstone"), Value: nil, Time: at.Add(2 * time.Second)},
				}
				if err := errors.Join(w.WriteMessages(within(t), sent...), w.Close()); err != nil {
					t.Fatal(err)
				}
				r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{gregor.Shared(t).Kafka}, Topic: topic, Partition: 1, MaxWait: 100 * time.Millisecond})
				defer r.Close()
				for i, want := range sent {
					m, err := r.ReadMessage(within(t))
					if err != nil {
						t.Fatal(err)
					}
					equal(t, "offset", m.Offset, i)
					equal(t, "key", string(m.Key), string(want.Key))
					equal(t, "value", string(m.Value), string(want.Value))
					equal(t, "time", m.Time.UnixMilli(), want.Time.UnixMilli())
					equal(t, "headers", fmt.Sprintf("%q", m.Headers), fmt.Sprintf("%q", want.Headers))
				}
				for i, rec := range readAll(t, topic, len(sent)) {
					equal(t, "codec", rec.Attrs.CompressionType(), int(codec))
					equal(t, "null key stays null", rec.Key == nil, sent[i].Key == nil)
					equal(t, "null value stays null", rec.Value == nil, sent[i].Value == nil)
				}
			})
		}
	}
}

func TestKafkaGoGroup(t *testing.T) {
	t.Parallel()
	topic, group := topic(t, 4), name(t)
	want := places(fill(t, topic, 4, 40))
	slices.Sort(want)
	reader := func() *kafka.Reader {
		return kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{gregor.Shared(t).Kafka}, GroupID: group, Topic: topic, MaxWait: 100 * time.Millisecond, StartOffset: kafka.FirstOffset,
			HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond,
		})
	}
	take := func(r *kafka.Reader, n int) []string {
		t.Helper()
		var got []string
		for len(got) < n {
			m, err := r.FetchMessage(within(t))
			if err != nil {
				t.Fatalf("%d of %d messages: %v", len(got), n, err)
			}
			got = append(got, fmt.Sprintf("%d/%d=%s", m.Partition, m.Offset, m.Value))
			if err := r.CommitMessages(within(t), m); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(got)
		return got
	}
	a := reader()
	got := take(a, 25)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := reader()
	defer b.Close()
	got = append(got, take(b, 15)...)
	slices.Sort(got)
	equal(t, "read by one after the other", got, want)
	os, err := admin(t).FetchOffsets(within(t), group)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "committed", committed(os), "0=10 1=10 2=10 3=10")
}

func TestKafkaGoClient(t *testing.T) {
	t.Parallel()
	ctx, cl, topic, group := within(t), kafkaGo(t), name(t), name(t)
	made, err := cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "12345"}},
	}}})
	equal(t, "create", errors.Join(err, made.Errors[topic]), nil)
	again, err := cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}}})
	if err != nil || !errors.Is(again.Errors[topic], kafka.TopicAlreadyExists) {
		t.Fatalf("created twice: %v, %v", err, again.Errors[topic])
	}
	grown, err := cl.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 3}}})
	equal(t, "expand", errors.Join(err, grown.Errors[topic]), nil)
	eventually(t, "three partitions", func() error {
		md, err := cl.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return err
		}
		if tp := md.Topics[0]; tp.Error != nil || len(tp.Partitions) != 3 || tp.Partitions[2].Leader.ID != 0 {
			return fmt.Errorf("topic is %+v", tp)
		}
		return nil
	})
	sent := fill(t, topic, 3, 9)
	produced, err := cl.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: 2, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes([]byte("by hand"))}),
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "produced", fmt.Sprint(produced.BaseOffset, produced.Error), "3 <nil>")
	equal(t, "records", places(readAll(t, topic, 10)), append(places(sorted(sent)), "2/3=by hand"))
	listed, err := cl.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(2), kafka.LastOffsetOf(2)}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "offsets", fmt.Sprint(listed.Topics[topic][0].FirstOffset, listed.Topics[topic][0].LastOffset), "0 4")

	kafkaGoOffsets(ctx, t, cl, topic, group)
	kafkaGoConfigs(ctx, t, cl, topic)

	gone, err := cl.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	equal(t, "delete", errors.Join(err, gone.Errors[topic]), nil)
}

func kafkaGoOffsets(ctx context.Context, t *testing.T, cl *kafka.Client, topic, group string) {
	// The first group of a cluster makes the offsets topic; kafka-go commits to
	// whomever while there is no coordinator yet.
	eventually(t, "there is a coordinator", func() error {
		found, err := cl.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: group, KeyType: kafka.CoordinatorKeyTypeConsumer})
		if err == nil {
			err = found.Error
		}
		return err
	})
	set, err := cl.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{
		topic: {{Partition: 0, Offset: 2, Metadata: "m"}, {Partition: 7, Offset: 1}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Topics[topic] {
		equal(t, "commit", p.Error, map[int]error{0: nil, 7: kafka.UnknownTopicOrPartition}[p.Partition])
	}
	got, err := cl.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Topics[topic] {
		equal(t, "committed", fmt.Sprint(p.CommittedOffset, " ", p.Metadata), map[int]string{0: "2 m", 1: "-1 "}[p.Partition])
	}
	del, err := cl.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	equal(t, "delete the group", errors.Join(err, del.Errors[group]), nil)
}

func kafkaGoConfigs(ctx context.Context, t *testing.T, cl *kafka.Client, topic string) {
	set, err := cl.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "cleanup.policy", Value: "compact", ConfigOperation: kafka.ConfigOperationSet}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "alter", set.Resources[0].Error, nil)
	eventually(t, "altered", func() error {
		ds, err := cl.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"cleanup.policy", "retention.ms"}},
		}})
		if err != nil {
			return err
		}
		got := map[string]string{}
		for _, e := range ds.Resources[0].ConfigEntries {
			got[e.ConfigName] = e.ConfigValue
		}
		if want := (map[string]string{"cleanup.policy": "compact", "retention.ms": "12345"}); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("settings are %v", got)
		}
		return nil
	})
}

// The old interface of kafka-go, a connection to one partition's leader.
func TestKafkaGoConn(t *testing.T) {
	t.Parallel()
	topic := topic(t, 1)
	conn, err := kafka.DialLeader(within(t), "tcp", gregor.Shared(t).Kafka, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := conn.WriteMessages(kafka.Message{Value: fmt.Append(nil, "m", i)}); err != nil {
			t.Fatal(err)
		}
	}
	first, last, err := conn.ReadOffsets()
	equal(t, "offsets", fmt.Sprint(first, last, err), "0 3 <nil>")
	if _, err := conn.Seek(1, kafka.SeekAbsolute); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		m, err := conn.ReadMessage(1000)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "message", fmt.Sprintf("%d %s", m.Offset, m.Value), fmt.Sprintf("%d m%d", i+1, i+1))
	}
	broker := conn.Broker()
	equal(t, "broker", net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port)), gregor.Shared(t).Kafka)
	controller, err := conn.Controller()
	equal(t, "controller", fmt.Sprint(controller.ID, err), "0 <nil>")
	ts, err := admin(t).ListTopics(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "seen by franz-go", ts[topic].Partitions[0].Leader, 0)
}
