package clients

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/gregor-mq/gregor/test/gregor"
)

// saramaConfig makes sarama speak as a client of that Kafka version does.
func saramaConfig(v sarama.KafkaVersion) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = v
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Metadata.Retry.Backoff = 50 * time.Millisecond
	return c
}

func saramaClient(t *testing.T, c *sarama.Config) sarama.Client {
	t.Helper()
	cl, err := sarama.NewClient([]string{gregor.Shared(t).Kafka}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !cl.Closed() {
			_ = cl.Close() // the test is over
		}
	})
	// sarama opens connections in the background; a request that comes before
	// may fail, and then closes them under other requests, which are sent twice.
	for _, b := range cl.Brokers() {
		_ = b.Open(c) // an error says that it is open, or comes again from Connected
		if ok, err := b.Connected(); !ok || err != nil {
			t.Fatalf("broker %d: connected %v, error %v", b.ID(), ok, err)
		}
	}
	return cl
}

// saramaRead reads n messages of one partition from its start.
func saramaRead(t *testing.T, cl sarama.Client, topic string, partition int32, n int) []*sarama.ConsumerMessage {
	t.Helper()
	consumer, err := sarama.NewConsumerFromClient(cl)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	pc, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	var out []*sarama.ConsumerMessage
	for len(out) < n {
		select {
		case m := <-pc.Messages():
			out = append(out, m)
		case err := <-pc.Errors():
			t.Fatalf("%s-%d: %v", topic, partition, err)
		case <-within(t).Done():
			t.Fatalf("%s-%d: %d of %d messages came", topic, partition, len(out), n)
		}
	}
	return out
}

// Every generation of the protocol that sarama knows, over all that its records
// can carry. The old ones make the broker convert between record formats.
func TestSaramaVersions(t *testing.T) {
	t.Parallel()
	for _, v := range []sarama.KafkaVersion{
		sarama.V0_8_2_0, sarama.V0_9_0_0, sarama.V0_10_0_0, sarama.V0_10_2_0, sarama.V0_11_0_0, sarama.V1_0_0_0,
		sarama.V2_0_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0, sarama.V3_9_0_0,
	} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			codecs := []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy}
			if v.IsAtLeast(sarama.V0_10_0_0) {
				codecs = append(codecs, sarama.CompressionLZ4)
			}
			if v.IsAtLeast(sarama.V2_1_0_0) {
				codecs = append(codecs, sarama.CompressionZSTD)
			}
			for _, codec := range codecs {
				t.Run(codec.String(), func(t *testing.T) { saramaRoundTrip(t, v, codec) })
			}
		})
	}
}

func saramaRoundTrip(t *testing.T, v sarama.KafkaVersion, codec sarama.CompressionCodec) {
	topic := topic(t, 2, keep...)
	c := saramaConfig(v)
	c.Producer.Compression = codec
	cl := saramaClient(t, c)
	producer, err := sarama.NewSyncProducerFromClient(cl)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_600_000_000_123)
	long := strings.Repeat("compress me ", 100)
	var sent []*sarama.ProducerMessage
	for i := range 6 {
		m := &sarama.ProducerMessage{
			Topic: topic, Partition: int32(i / 3), Timestamp: at.Add(time.Duration(i) * time.Second),
			Key: sarama.StringEncoder(fmt.Sprint("key ", i)), Value: sarama.StringEncoder(fmt.Sprint(long, i)),
		}
		switch {
		case i == 1:
			m.Key = nil
		case i == 2:
			m.Value = nil
		}
		if v.IsAtLeast(sarama.V0_11_0_0) {
			m.Headers = []sarama.RecordHeader{{Key: []byte("h"), Value: []byte{byte(i)}}, {Key: []byte("h"), Value: nil}}
		}
		sent = append(sent, m)
	}
	if err := producer.SendMessages(sent); err != nil {
		t.Fatal(err)
	}
	encode := func(e sarama.Encoder) string {
		if e == nil {
			return "null"
		}
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%q", b)
	}
	// What counts is that each message is where it was acknowledged.
	slices.SortFunc(sent, func(a, b *sarama.ProducerMessage) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for p := range 2 {
		for i, m := range saramaRead(t, cl, topic, int32(p), 3) {
			want := sent[3*p+i]
			equal(t, "offset", m.Offset, i)
			equal(t, "acknowledged place", fmt.Sprint(want.Partition, want.Offset), fmt.Sprint(p, i))
			equal(t, "key", nullable(m.Key), encode(want.Key))
			equal(t, "value", nullable(m.Value), encode(want.Value))
			if v.IsAtLeast(sarama.V0_10_0_0) {
				equal(t, "timestamp", m.Timestamp.UnixMilli(), want.Timestamp.UnixMilli())
			}
			equal(t, "headers", len(m.Headers), len(want.Headers))
			for j, h := range m.Headers {
				equal(t, "header", fmt.Sprintf("%q %q", h.Key, h.Value), fmt.Sprintf("%q %q", want.Headers[j].Key, want.Headers[j].Value))
			}
		}
	}
	// A modern reader sees the same records, whatever format they came in.
	for i, r := range readAll(t, topic, len(sent)) {
		equal(t, "key for a modern reader", nullable(r.Key), encode(sent[i].Key))
		equal(t, "value for a modern reader", nullable(r.Value), encode(sent[i].Value))
	}
}

// Records of today, read by clients of all ages.
func TestSaramaReadsNewRecords(t *testing.T) {
	t.Parallel()
	for _, codec := range codecs[:4] { // zstd came with 2.1: older clients are refused it
		topic := topic(t, 1, keep...)
		cl := client(t, codecOpt(codec.codec)...)
		sent := varied(topic)[:4]
		produce(t, cl, sent...)
		for _, v := range []sarama.KafkaVersion{sarama.V0_8_2_0, sarama.V0_10_0_0, sarama.V0_11_0_0, sarama.V2_8_0_0} {
			if codec.name == "lz4" && !v.IsAtLeast(sarama.V0_10_0_0) {
				continue // before 0.10 clients computed the checksum of lz4 frames in their own way
			}
			t.Run(codec.name+"/"+v.String(), func(t *testing.T) {
				t.Parallel()
				for i, m := range saramaRead(t, saramaClient(t, saramaConfig(v)), topic, 0, len(sent)) {
					equal(t, "offset", m.Offset, i)
					equal(t, "key", nullable(m.Key), nullable(sent[i].Key))
					equal(t, "value", nullable(m.Value), nullable(sent[i].Value))
					if v.IsAtLeast(sarama.V0_10_0_0) {
						equal(t, "timestamp", m.Timestamp.UnixMilli(), sent[i].Timestamp.UnixMilli())
					}
				}
			})
		}
	}
}

func TestSaramaAsyncProducer(t *testing.T) {
	t.Parallel()
	const n = 2000
	for _, idempotent := range []bool{false, true} {
		t.Run(fmt.Sprintf("idempotent=%v", idempotent), func(t *testing.T) {
			t.Parallel()
			topic := topic(t, 3)
			c := saramaConfig(sarama.V2_8_0_0)
			c.Producer.Partitioner = sarama.NewHashPartitioner
			if c.Producer.Idempotent = idempotent; idempotent {
				c.Net.MaxOpenRequests = 1
			}
			producer, err := sarama.NewAsyncProducerFromClient(saramaClient(t, c))
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for i := range n {
					producer.Input() <- &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint(i % 50)), Value: sarama.StringEncoder(fmt.Sprint(i))}
				}
			}()
			var want []string
			for range n {
				select {
				case m := <-producer.Successes():
					v, _ := m.Value.Encode()
					want = append(want, fmt.Sprintf("%d/%d=%s", m.Partition, m.Offset, v))
				case err := <-producer.Errors():
					t.Fatal(err)
				case <-within(t).Done():
					t.Fatalf("%d of %d messages were acknowledged", len(want), n)
				}
			}
			if err := producer.Close(); err != nil {
				t.Fatal(err)
			}
			rs := readAll(t, topic, n)
			got := places(rs)
			slices.Sort(got)
			slices.Sort(want)
			equal(t, "messages", got, want)
			if !idempotent {
				return
			}
			// Messages of one key stay in order, retries or not.
			last := map[string]int{}
			for _, r := range rs {
				var i int
				if _, err := fmt.Sscan(string(r.Value), &i); err != nil {
					t.Fatal(err)
				}
				if prev, ok := last[string(r.Key)]; ok && i <= prev {
					t.Fatalf("key %s: %d after %d", r.Key, i, prev)
				}
				last[string(r.Key)] = i
			}
		})
	}
}

func TestSaramaOffsets(t *testing.T) {
	t.Parallel()
	topic := topic(t, 1)
	fill(t, topic, 1, 5)
	for _, v := range []sarama.KafkaVersion{sarama.V0_8_2_0, sarama.V0_10_1_0, sarama.V2_8_0_0, sarama.V3_6_0_0} {
		cl := saramaClient(t, saramaConfig(v))
		for at, want := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: 5} {
			got, err := cl.GetOffset(topic, 0, at)
			equal(t, fmt.Sprint("offset ", at, " at ", v), fmt.Sprint(got, err), fmt.Sprint(want, nil))
		}
		group := name(t)
		manage := func(use func(sarama.OffsetManager, sarama.PartitionOffsetManager)) {
			t.Helper()
			om, err := sarama.NewOffsetManagerFromClient(group, cl)
			if err != nil {
				t.Fatal(err)
			}
			pom, err := om.ManagePartition(topic, 0)
			if err != nil {
				t.Fatal(err)
			}
			use(om, pom)
			if err := errors.Join(pom.Close(), om.Close()); err != nil {
				t.Fatal(err)
			}
		}
		manage(func(om sarama.OffsetManager, pom sarama.PartitionOffsetManager) {
			pom.MarkOffset(3, "so far")
			om.Commit()
		})
		manage(func(_ sarama.OffsetManager, pom sarama.PartitionOffsetManager) {
			at, metadata := pom.NextOffset()
			equal(t, fmt.Sprint("committed by ", v), fmt.Sprint(at, " ", metadata), "3 so far")
		})
	}
}
