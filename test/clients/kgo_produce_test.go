package clients

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var codecs = []struct {
	name  string
	codec kgo.CompressionCodec
	want  uint8
}{
	{"none", kgo.NoCompression(), 0}, {"gzip", kgo.GzipCompression(), 1}, {"snappy", kgo.SnappyCompression(), 2},
	{"lz4", kgo.Lz4Compression(), 3}, {"zstd", kgo.ZstdCompression(), 4},
}

// varied makes records that differ in all that a record can hold.
func varied(topic string) []*kgo.Record {
	at := time.UnixMilli(1_600_000_000_123)
	long := bytes.Repeat([]byte("compress me "), 200)
	return []*kgo.Record{
		{Topic: topic, Key: []byte("key"), Value: long, Timestamp: at},
		{Topic: topic, Key: nil, Value: []byte("no key"), Timestamp: at.Add(time.Millisecond)},
		{Topic: topic, Key: []byte{}, Value: []byte{}, Timestamp: at.Add(2 * time.Millisecond)},
		{Topic: topic, Key: []byte("tombstone"), Value: nil, Timestamp: at.Add(-time.Hour)},
		{Topic: topic, Partition: 1, Key: []byte{0, 255, 128}, Value: long, Timestamp: at, Headers: []kgo.RecordHeader{
			{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte("2")}, {Key: "null", Value: nil}, {Key: "", Value: []byte{}}, {Key: "ü", Value: []byte{0}},
		}},
		{Topic: topic, Partition: 1, Key: []byte("ключ"), Value: []byte("значение"), Timestamp: at},
	}
}

// whole writes all of a record that a reader can see; null and empty differ.
func whole(r *kgo.Record) string {
	var h []string
	for _, x := range r.Headers {
		h = append(h, fmt.Sprintf("%q:%s", x.Key, nullable(x.Value)))
	}
	return fmt.Sprintf("%d key=%s value=%s at=%d headers=[%s]", r.Partition, nullable(r.Key), nullable(r.Value), r.Timestamp.UnixMilli(), strings.Join(h, " "))
}

func nullable(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

func TestProduceKeepsRecords(t *testing.T) {
	t.Parallel()
	for _, acks := range []struct {
		name string
		acks kgo.Acks
	}{{"all", kgo.AllISRAcks()}, {"leader", kgo.LeaderAck()}, {"none", kgo.NoAck()}} {
		for _, c := range codecs {
			t.Run("acks="+acks.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				topic := topic(t, 2, keep...)
				opts := []kgo.Opt{kgo.RequiredAcks(acks.acks), kgo.ProducerBatchCompression(c.codec), kgo.RecordPartitioner(kgo.ManualPartitioner())}
				if acks.name != "all" {
					opts = append(opts, kgo.DisableIdempotentWrite())
				}
				sent := varied(topic)
				produce(t, client(t, opts...), sent...)
				got := readAll(t, topic, len(sent))
				offsets := map[int32]int64{}
				for i, r := range got {
					equal(t, "record", whole(r), whole(sent[i]))
					equal(t, "offset", r.Offset, offsets[r.Partition])
					equal(t, "codec", r.Attrs.CompressionType(), c.want)
					equal(t, "timestamp type", r.Attrs.TimestampType(), 0)
					offsets[r.Partition]++
					if acks.name != "none" {
						equal(t, "acknowledged offset", sent[i].Offset, r.Offset)
					}
				}
			})
		}
	}
}

func TestProduceManyBatches(t *testing.T) {
	t.Parallel()
	const partitions, n = 5, 20_000
	topic := topic(t, partitions)
	cl := client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4096))
	sent := produce(t, cl, numbered(topic, partitions, n)...)
	got := readAll(t, topic, n)
	equal(t, "records", places(got), places(sorted(sent)))
	for i, r := range got {
		if want := int64(i % (n / partitions)); r.Offset != want {
			t.Fatalf("partition %d: offset %d, want %d: a hole", r.Partition, r.Offset, want)
		}
	}
}

func TestProduceLogAppendTime(t *testing.T) {
	t.Parallel()
	topic := topic(t, 1, "message.timestamp.type", "LogAppendTime")
	before := time.Now().Add(-time.Second)
	produce(t, client(t, kgo.ProducerBatchCompression(kgo.ZstdCompression())), varied(topic)[:3]...)
	for _, r := range readAll(t, topic, 3) {
		equal(t, "timestamp type", r.Attrs.TimestampType(), 1)
		if r.Timestamp.Before(before) || r.Timestamp.After(time.Now().Add(time.Second)) {
			t.Fatalf("timestamp %v is not the broker's", r.Timestamp)
		}
	}
}

func TestProduceRefusals(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	big := []byte(strings.Repeat("x", 3000))
	small := topic(t, 1, "max.message.bytes", "2000")
	compacted := topic(t, 1, "cleanup.policy", "compact")
	early := topic(t, 1, "message.timestamp.before.max.ms", "1000", "message.timestamp.after.max.ms", "1000")
	old := kgo.Record{Topic: early, Value: []byte("x"), Timestamp: time.Now().Add(-time.Hour)}
	future := kgo.Record{Topic: early, Value: []byte("x"), Timestamp: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		what   string
		record kgo.Record
		want   *kerr.Error
	}{
		{"batch over max.message.bytes", kgo.Record{Topic: small, Value: big}, kerr.MessageTooLarge},
		{"no key in a compacted topic", kgo.Record{Topic: compacted, Value: []byte("x")}, kerr.InvalidRecord},
		{"timestamp too old", old, kerr.InvalidTimestamp},
		{"timestamp in the future", future, kerr.InvalidTimestamp},
	} {
		cl := client(t, kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
		code(t, c.what, cl.ProduceSync(ctx, &c.record).FirstErr(), c.want)
	}
	ends, err := admin(t).ListEndOffsets(ctx, small, compacted, early)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { equal(t, "end of "+o.Topic, o.Offset, 0) })
	produce(t, client(t), &kgo.Record{Topic: small, Value: []byte("fits")}, &kgo.Record{Topic: compacted, Key: []byte("k"), Value: []byte("v")})
	equal(t, "what fits", places(readAll(t, small, 1)), []string{"0/0=fits"})
}

func TestProduceUnknownTopic(t *testing.T) {
	t.Parallel()
	cl := client(t, kgo.UnknownTopicRetries(1), kgo.MetadataMinAge(10*time.Millisecond))
	code(t, "topic that was never made", cl.ProduceSync(within(t), &kgo.Record{Topic: name(t), Value: []byte("x")}).FirstErr(), kerr.UnknownTopicOrPartition)
}

func TestProduceMakesTopic(t *testing.T) {
	t.Parallel()
	topic := name(t)
	produce(t, client(t, kgo.AllowAutoTopicCreation()), &kgo.Record{Topic: topic, Value: []byte("first")})
	equal(t, "records", places(readAll(t, topic, 1)), []string{"0/0=first"})
}

// An idempotent producer may send a batch twice; the log keeps it once, and the
// second answer is that of the first.
func TestIdempotentProducer(t *testing.T) {
	t.Parallel()
	ctx, topic := within(t), topic(t, 1)
	cl := client(t)
	id, epoch, err := cl.ProducerID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "epoch of a new producer", epoch, 0)
	for i := range 3 {
		produce(t, cl, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)})
	}
	send := func(seq int32, epoch int16) (int16, int64) {
		t.Helper()
		batch := idempotentBatch(id, epoch, seq, fmt.Sprintf("seq %d", seq))
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 10_000
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch}}}}
		resp, err := cl.Broker(0).Request(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		return p.ErrorCode, p.BaseOffset
	}
	for _, c := range []struct {
		what  string
		seq   int32
		epoch int16
		code  int16
		at    int64
	}{
		{"the next one", 3, 0, 0, 3},
		{"the same again", 3, 0, 0, 3},
		{"an older one again", 1, 0, 0, 1},
		{"one left out", 5, 0, kerr.OutOfOrderSequenceNumber.Code, -1},
		{"the one left out", 4, 0, 0, 4},
		{"a newer epoch", 0, 1, 0, 5},
		{"the old epoch", 5, 0, kerr.InvalidProducerEpoch.Code, -1},
	} {
		got, at := send(c.seq, c.epoch)
		if got != c.code || at != c.at {
			t.Fatalf("%s: code %d at %d, want %d at %d", c.what, got, at, c.code, c.at)
		}
	}
	equal(t, "log", places(readAll(t, topic, 6)), []string{"0/0=0", "0/1=1", "0/2=2", "0/3=seq 3", "0/4=seq 4", "0/5=seq 0"})

	described, err := admin(t).DescribeProducers(ctx, kadm.TopicsSet{topic: {0: {}}})
	if err != nil {
		t.Fatal(err)
	}
	ps := described.SortedProducers()
	if len(ps) != 1 {
		t.Fatalf("%d producers, want 1", len(ps))
	}
	equal(t, "producer id", ps[0].ProducerID, id)
	equal(t, "producer epoch", ps[0].ProducerEpoch, 1)
	equal(t, "last sequence", ps[0].LastSequence, 0)
	equal(t, "open transaction", ps[0].CurrentTxnStartOffset, -1)
}

// idempotentBatch is a batch of one record as a producer with that id sends it.
func idempotentBatch(id int64, epoch int16, seq int32, value string) []byte {
	var b record.Builder
	b.Reset(record.Spec{HasProducer: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq})
	b.Append(time.Now().UnixMilli(), nil, []byte(value))
	batch, err := b.Build()
	if err != nil {
		panic(err)
	}
	return batch
}

func codecOpt(c kgo.CompressionCodec) []kgo.Opt {
	return []kgo.Opt{kgo.ProducerBatchCompression(c), kgo.RecordPartitioner(kgo.ManualPartitioner())}
}
