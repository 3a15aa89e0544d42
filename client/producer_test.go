package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/gregortest"
)

// bounded returns a context that ends what hangs.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, c *gregortest.Cluster, name string, partitions int32, copies int16, config ...string) {
	t.Helper()
	settings := map[string]*string{}
	for _, kv := range config {
		k, v, _ := strings.Cut(kv, "=")
		settings[k] = &v
	}
	if _, err := kadm.NewClient(c.Client()).CreateTopic(bounded(t), partitions, copies, settings, name); err != nil {
		t.Fatal(err)
	}
}

// producer returns a producer for a cluster; it is closed with the test, before
// the cluster.
func producer(t *testing.T, c *gregortest.Cluster, opts ...client.ProducerOption) *client.Producer {
	t.Helper()
	p, err := client.NewProducer(bounded(t), c.ZooKeeper(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, p) })
	return p
}

func closed(t *testing.T, p *client.Producer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// A partitioner that is wrong is told what it said.
func TestAPartitionerIsWrong(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "six", 6, 1)
	says := func(ask func(*client.Record, int) int) *client.Producer {
		return producer(t, c, client.Partitioner(client.PartitionBy(func(string) func(*client.Record, int) int { return ask })))
	}
	for want, ask := range map[string]func(*client.Record, int) int{
		"says 6, of 0 to 5":  func(_ *client.Record, n int) int { return n },
		"says -1, of 0 to 5": nil,
	} {
		if err := says(ask).Send(bounded(t), &client.Record{Topic: "six"}); !errors.Is(err, client.ErrNoPartition) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// ZooKeeper that is not there, or not in that place, is said so.
func TestNoZooKeeper(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := client.NewProducer(ctx, "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := client.NewGroupConsumer(ctx, "127.0.0.1:1", "g", client.Topics("t"), client.SessionTimeout(-1)); err == nil || !strings.Contains(err.Error(), "session timeout -1ns") {
		t.Errorf("session timeout -1: %v", err)
	}
	c := gregortest.Start(t)
	for name, opts := range map[string][]client.ProducerOption{"zookeeper": nil, "layer four": {client.LayerFour()}} {
		if _, err := client.NewProducer(bounded(t), c.ZooKeeper()+"/nowhere", opts...); !errors.Is(err, client.ErrNoChroot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// readAll reads so many records of a topic from its start.
func readAll(t *testing.T, c *gregortest.Cluster, topic string, n int) []*kgo.Record {
	t.Helper()
	cl := c.Client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var out []*kgo.Record
	for ctx := bounded(t); len(out) < n; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d records of %d, then %v", len(out), n, err)
		}
		out = append(out, fetches.Records()...)
	}
	slices.SortFunc(out, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return out
}

// wire listens to what a client sends to brokers: the API keys of its requests by
// address.
type wire struct {
	mu    sync.Mutex
	keys  map[string]map[int16]int
	dials map[string]int
}

func newWire() *wire { return &wire{keys: map[string]map[int16]int{}, dials: map[string]int{}} }

func (w *wire) option() client.Option {
	return client.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dials[addr]++
		return &tapped{Conn: conn, w: w, addr: addr}, nil
	})
}

// sent returns how many requests of a kind went to an address; to all for "".
func (w *wire) sent(addr string, key int16) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for a, keys := range w.keys {
		if addr == "" || a == addr {
			n += keys[key]
		}
	}
	return n
}

type tapped struct {
	net.Conn
	w    *wire
	addr string
	// rest is what was written of a frame that is not whole; one goroutine writes.
	rest []byte
}

func (c *tapped) Write(b []byte) (int, error) {
	c.rest = append(c.rest, b...)
	for len(c.rest) >= 6 {
		size := 4 + int(binary.BigEndian.Uint32(c.rest))
		if len(c.rest) < size {
			break
		}
		c.w.mu.Lock()
		if c.w.keys[c.addr] == nil {
			c.w.keys[c.addr] = map[int16]int{}
		}
		c.w.keys[c.addr][int16(binary.BigEndian.Uint16(c.rest[4:]))]++
		c.w.mu.Unlock()
		c.rest = c.rest[size:]
	}
	return c.Conn.Write(b)
}

const (
	produceKey  = 0
	metadataKey = 3
	initKey     = 22
)

func TestSend(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3))
	createTopic(t, c, "t", 6, 2)
	w := newWire()
	p := producer(t, c, w.option())
	ctx := bounded(t)
	at := time.UnixMilli(1_700_000_000_123)
	next := map[int32]int64{}
	want := map[string]int32{}
	for i := range 60 {
		key := fmt.Sprint("key ", i%20)
		r := &client.Record{Topic: "t", Key: []byte(key), Value: fmt.Append(nil, i), Timestamp: at,
			Headers: []client.Header{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "null"}}, Offset: 77}
		if err := p.Send(ctx, r); err != nil {
			t.Fatal(err)
		}
		if r.Offset != next[r.Partition] {
			t.Errorf("record %d at %d of partition %d, want %d", i, r.Offset, r.Partition, next[r.Partition])
		}
		next[r.Partition]++
		if before, ok := want[key]; ok && before != r.Partition {
			t.Errorf("%s in partitions %d and %d", key, before, r.Partition)
		}
		want[key] = r.Partition
	}
	java := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for _, r := range readAll(t, c, "t", 60) {
		if place := java.Partition(&kgo.Record{Key: r.Key}, 6); int32(place) != r.Partition {
			t.Errorf("%s in partition %d, Java puts it into %d", r.Key, r.Partition, place)
		}
		if !r.Timestamp.Equal(at) || len(r.Headers) != 2 || r.Headers[0].Key != "n" || !bytes.Equal(r.Headers[0].Value, r.Value) || r.Headers[1].Value != nil {
			t.Errorf("came back as %+v", r)
		}
		if r.ProducerID < 0 {
			t.Error("not idempotent")
		}
	}
	if n := w.sent("", metadataKey); n != 0 {
		t.Errorf("%d Metadata requests", n)
	}
	if w.sent("", produceKey) == 0 || w.sent("", initKey) == 0 {
		t.Errorf("%d Produce and %d InitProducerId requests", w.sent("", produceKey), w.sent("", initKey))
	}
}

func TestAcksAndCodecs(t *testing.T) {
	c := gregortest.Start(t)
	ctx := bounded(t)
	for i, opts := range [][]client.ProducerOption{
		{client.Acks(client.AcksLeader)},
		{client.Acks(client.AcksNone)},
		{client.Idempotent(false)},
		{client.Compression(client.Gzip)},
		{client.Compression(client.Snappy)},
		{client.Compression(client.LZ4)},
		{client.Compression(client.Zstd), client.Linger(20 * time.Millisecond), client.BatchBytes(500)},
	} {
		topic := fmt.Sprint("t", i)
		createTopic(t, c, topic, 1, 1)
		p := producer(t, c, opts...)
		var mu sync.Mutex
		var order []string
		for n := range 100 {
			p.SendAsync(ctx, &client.Record{Topic: topic, Value: fmt.Append(nil, n)}, func(r *client.Record, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", topic, err)
				}
				order = append(order, string(r.Value))
				if known := r.Offset >= 0; known != (i != 1) || known && fmt.Sprint(r.Offset) != string(r.Value) {
					t.Errorf("%s: record %s at %d", topic, r.Value, r.Offset)
				}
			})
		}
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if len(order) != 100 || !slices.IsSortedFunc(order, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) }) {
			t.Errorf("%s: told in the order %v", topic, order)
		}
		mu.Unlock()
		for n, r := range readAll(t, c, topic, 100) {
			if string(r.Value) != fmt.Sprint(n) {
				t.Errorf("%s: %s at %d", topic, r.Value, n)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	c := gregortest.Start(t)
	createTopic(t, c, "small", 2, 1, "max.message.bytes=2000")
	createTopic(t, c, "brokertime", 1, 1, "message.timestamp.type=LogAppendTime")
	ctx := bounded(t)
	p := producer(t, c, client.Partitioner(client.Manual()))
	send := func(r *client.Record, want error) {
		t.Helper()
		if err := p.Send(ctx, r); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	send(&client.Record{Topic: "none"}, client.ErrNoTopic)
	send(&client.Record{Topic: "none"}, client.ErrNoTopic)
	send(&client.Record{Topic: "a/b"}, client.ErrTopicName)
	send(&client.Record{Topic: ".."}, client.ErrTopicName)
	send(&client.Record{Topic: "small", Partition: 2}, client.ErrNoPartition)
	send(&client.Record{Topic: "small", Partition: -1}, client.ErrNoPartition)
	send(&client.Record{Topic: "small", Partition: 1}, nil)
	send(&client.Record{Topic: "small", Partition: 1, Value: make([]byte, 3000)}, kerr.MessageTooLarge)
	r := &client.Record{Topic: "small", Partition: 1}
	send(r, nil)
	if r.Offset != 1 {
		t.Errorf("the record after the one refused is at %d", r.Offset)
	}
	r = &client.Record{Topic: "brokertime", Timestamp: time.UnixMilli(1)}
	if send(r, nil); time.Since(r.Timestamp) > time.Hour {
		t.Errorf("the broker's time is %v", r.Timestamp)
	}
	// A topic that is made later is found.
	createTopic(t, c, "none", 1, 1)
	for {
		if err := p.Send(ctx, &client.Record{Topic: "none"}); err == nil {
			break
		} else if !errors.Is(err, client.ErrNoTopic) {
			t.Fatal(err)
		}
	}
	for _, opts := range [][]client.ProducerOption{
		{client.Acks(2)},
		{client.Acks(client.AcksLeader), client.Idempotent(true)},
		{client.Compression(9)},
		{client.BatchBytes(0)},
		{client.Partitioner(client.Strategy{})},
		{client.Brokers("a:1")},
		{nil},
		{client.Logger(nil)},
		{client.SessionTimeout(-1)},
		{client.Partitioner(client.PartitionBy(nil))},
	} {
		if bad, err := client.NewProducer(ctx, c.ZooKeeper(), opts...); err == nil {
			closed(t, bad)
			t.Errorf("options %d are taken", len(opts))
		}
	}
	if err := p.Send(ctx, nil); err == nil {
		t.Error("no record was taken")
	}
	closed(t, p)
	send(&client.Record{Topic: "small"}, client.ErrClosed)
}
