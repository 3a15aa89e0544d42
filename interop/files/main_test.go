//go:build interop

package files

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

//go:embed testdata/fill.py
var fillScript string

// fill writes to a topic of two partitions, "plain" or "txn".
func fill(t *testing.T, b *peer.Broker, topic, how string) {
	t.Helper()
	out, errs, exit := peer.Python(t, fillScript, b.Addr, topic, how)
	if exit != 0 || !strings.Contains(out, "all is well") {
		t.Fatalf("fill %s: exit %d\n%s\n%s", topic, exit, out, errs)
	}
}

// createTopic makes a topic of two partitions and waits for their leaders.
func createTopic(t *testing.T, b *peer.Broker, topic string, configs ...string) {
	t.Helper()
	c := dial(t, b)
	req := wire.NewCreateTopicsRequest()
	ct := wire.CreateTopicsRequestCreatableTopic{Name: topic, NumPartitions: 2, ReplicationFactor: 1}
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		ct.Configs = append(ct.Configs, wire.CreateTopicsRequestCreatableTopicConfig{Name: k, Value: &v})
	}
	req.Topics = append(req.Topics, ct)
	if code := call[*wire.CreateTopicsResponse](t, c, req, 5).Topics[0].ErrorCode; code != wire.CodeNone {
		t.Fatalf("create %s: %v", topic, code)
	}
	peer.Eventually(t, 20*time.Second, func() error {
		m := wire.NewMetadataRequest()
		m.Topics = []wire.MetadataRequestTopic{{Name: &topic}}
		got := call[*wire.MetadataResponse](t, c, m, 5).Topics[0]
		if got.ErrorCode != wire.CodeNone || len(got.Partitions) != 2 {
			return fmt.Errorf("%v, %d partitions", got.ErrorCode, len(got.Partitions))
		}
		return nil
	})
}

func dial(t *testing.T, b *peer.Broker) *peer.Conn {
	t.Helper()
	c, err := peer.Dial(b.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func call[R wire.Body](t *testing.T, c *peer.Conn, req wire.Body, version int16) R {
	t.Helper()
	resp, err := c.Call(req, version)
	if err != nil {
		t.Fatalf("%v: %v", req.Key(), err)
	}
	return resp.(R)
}

// put appends a batch to a partition.
func put(t *testing.T, c *peer.Conn, topic string, partition int32, version int16, records []byte) {
	t.Helper()
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = -1, 10_000
	req.TopicData = []wire.ProduceRequestTopicData{{Name: topic, PartitionData: []wire.ProduceRequestPartitionData{{Index: partition, Records: wire.Records{Bytes: records}}}}}
	if code := call[*wire.ProduceResponse](t, c, req, version).Responses[0].PartitionResponses[0].ErrorCode; code != wire.CodeNone {
		t.Fatalf("put into %s: %v", topic, code)
	}
}

// contents is all of a partition as consumers get it.
type contents struct {
	start, end int64
	bytes      []byte
	aborted    []wire.FetchResponseAbortedTransaction
}

// read fetches a partition from its start to its end, with the aborted
// transactions that a committed reader must skip.
func read(t *testing.T, b *peer.Broker, topic string, partition int32) contents {
	t.Helper()
	c := dial(t, b)
	var out contents
	at := func(special int64) (offset int64) {
		peer.Eventually(t, 30*time.Second, func() error {
			req := wire.NewListOffsetsRequest()
			req.ReplicaID, req.IsolationLevel = -1, 1
			req.Topics = []wire.ListOffsetsRequestTopic{{Name: topic, Partitions: []wire.ListOffsetsRequestPartition{
				{PartitionIndex: partition, CurrentLeaderEpoch: -1, Timestamp: special, MaxNumOffsets: 1}}}}
			p := call[*wire.ListOffsetsResponse](t, c, req, 5).Topics[0].Partitions[0]
			offset = p.Offset
			if p.ErrorCode != wire.CodeNone {
				return p.ErrorCode
			}
			return nil
		})
		return offset
	}
	out.start, out.end = at(-2), at(-1)
	seen := map[wire.FetchResponseAbortedTransaction]bool{}
	for next := out.start; next < out.end; {
		req := wire.NewFetchRequest()
		req.MaxWaitMs, req.MinBytes, req.MaxBytes, req.IsolationLevel = 1000, 1, 1<<20, 1
		req.Topics = []wire.FetchRequestTopic{{Topic: topic, Partitions: []wire.FetchRequestPartition{
			{Partition: partition, CurrentLeaderEpoch: -1, FetchOffset: next, LastFetchedEpoch: -1, LogStartOffset: -1, PartitionMaxBytes: 1 << 20}}}}
		var p wire.FetchResponsePartitionData
		peer.Eventually(t, 30*time.Second, func() error { // a broker that starts may lead before it knows the topic
			p = call[*wire.FetchResponse](t, c, req, 11).Responses[0].Partitions[0]
			if p.ErrorCode != wire.CodeNone {
				return fmt.Errorf("fetch %s-%d at %d: %w", topic, partition, next, p.ErrorCode)
			}
			return nil
		})
		for _, a := range p.AbortedTransactions {
			if !seen[a] {
				seen[a] = true
				out.aborted = append(out.aborted, a)
			}
		}
		whole, last, err := wholeBatches(p.Records.Bytes)
		if err != nil || len(whole) == 0 {
			t.Fatalf("fetch %s-%d at %d: %d bytes, %v", topic, partition, next, len(whole), err)
		}
		out.bytes = append(out.bytes, whole...)
		next = last + 1
	}
	return out
}

// wholeBatches cuts off a batch that did not fit.
func wholeBatches(b []byte) (whole []byte, last int64, err error) {
	rest := b
	for len(rest) > 0 {
		size, magic, err := record.Peek(rest)
		if err != nil && !errors.Is(err, record.ErrShort) {
			return nil, 0, err
		}
		if err != nil || size > len(rest) {
			break
		}
		if magic == 2 {
			last = record.Batch(rest[:size]).LastOffset()
		} else {
			last = record.Entry(rest[:size]).Offset()
		}
		rest = rest[size:]
	}
	return b[:len(b)-len(rest)], last, nil
}

// same compares what two brokers gave of a partition.
func same(t *testing.T, what string, want, got contents) {
	t.Helper()
	if want.start != got.start || want.end != got.end {
		t.Errorf("%s: offsets %d to %d, want %d to %d", what, got.start, got.end, want.start, want.end)
	}
	if !bytes.Equal(want.bytes, got.bytes) {
		t.Errorf("%s: %d bytes, want %d, first difference at %d", what, len(got.bytes), len(want.bytes), firstDifference(want.bytes, got.bytes))
	}
	if fmt.Sprint(want.aborted) != fmt.Sprint(got.aborted) {
		t.Errorf("%s: aborted %v, want %v", what, got.aborted, want.aborted)
	}
	if len(want.bytes) == 0 {
		t.Errorf("%s: nothing to compare", what)
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// segments lists the files of a partition with that ending.
func segments(t *testing.T, dir, partition, ending string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, partition, "*"+ending))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
