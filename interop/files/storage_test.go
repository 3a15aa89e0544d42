//go:build interop

package files

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage"
)

// oldBroker are the settings with which Kafka 3.9 still writes the formats
// before v2.
var oldBroker = map[string]string{"inter.broker.protocol.version": "2.8", "log.retention.ms": "-1"}

// writeEverything lets Apache write all it can: codecs, formats, transactions.
// It returns the topics.
func writeEverything(t *testing.T, b *peer.Broker) []string {
	t.Helper()
	createTopic(t, b, "plain", "segment.bytes=3000")
	createTopic(t, b, "txn", "segment.bytes=3000")
	fill(t, b, "plain", "plain")
	fill(t, b, "txn", "txn")
	topics := []string{"plain", "txn"}
	c := dial(t, b)
	for magic, version := range []string{"0.9.0", "0.10.0"} {
		topic := fmt.Sprintf("magic%d", magic)
		createTopic(t, b, topic, "message.format.version="+version, "segment.bytes=2000")
		topics = append(topics, topic)
		for i, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4} {
			var bl record.Builder
			bl.Reset(record.Spec{Codec: codec})
			for j := range 30 {
				bl.Append(1_700_000_000_000+int64(100*i+j), fmt.Appendf(nil, "k%d", j), fmt.Appendf(nil, "%v value %d", codec, j))
			}
			batch, err := bl.Build()
			if err != nil {
				t.Fatal(err)
			}
			set, err := record.Downconvert(nil, batch, int8(magic), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for p := range int32(2) {
				put(t, c, topic, p, int16(magic)+1, set)
			}
		}
	}
	return topics
}

// TestStorageReadsApache opens a directory that Apache wrote with the package
// alone, after a clean stop and after kill -9.
func TestStorageReadsApache(t *testing.T) {
	for _, end := range []string{"stopped", "killed"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			b := peer.Kafka(t, "3.9.1", peer.Options{Properties: oldBroker})
			topics := writeEverything(t, b)
			want := map[string]contents{}
			for _, topic := range topics {
				for p := range int32(2) {
					want[fmt.Sprintf("%s-%d", topic, p)] = read(t, b, topic, p)
				}
			}
			if end == "stopped" {
				b.Stop(t)
			} else {
				b.Kill(t)
			}
			dir, err := storage.OpenDir(env.Real(), b.LogDir, storage.DirOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			if dir.WasClean() != (end == "stopped") {
				t.Errorf("clean: %v", dir.WasClean())
			}
			parts, err := dir.Partitions()
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range parts {
				if w, ok := want[part.Name]; ok {
					compareLog(t, dir, part, w)
					delete(want, part.Name)
				}
			}
			for name := range want {
				t.Errorf("%s is not listed", name)
			}
		})
	}
}

// compareLog reads a partition through package storage.
func compareLog(t *testing.T, dir *storage.Dir, part storage.PartitionDir, want contents) {
	t.Helper()
	cfg := storage.DefaultConfig()
	l, err := dir.OpenLog(part, storage.LogOptions{Config: &cfg})
	if err != nil {
		t.Errorf("open %s: %v", part.Name, err)
		return
	}
	defer l.Close()
	got := contents{start: l.StartOffset(), end: l.EndOffset()}
	for next := got.start; next < got.end; {
		span, err := l.Read(next, got.end, 1<<20, true)
		if err != nil {
			t.Fatalf("read %s at %d: %v", part.Name, next, err)
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if err != nil {
			t.Fatal(err)
		}
		whole, last, err := wholeBatches(b)
		if err != nil || len(whole) == 0 {
			t.Fatalf("read %s at %d: %d of %d bytes, %v", part.Name, next, len(whole), len(b), err)
		}
		got.bytes = append(got.bytes, whole...)
		next = last + 1
	}
	aborted, err := l.AbortedTxns(got.start, got.end)
	if err != nil {
		t.Errorf("aborted in %s: %v", part.Name, err)
	}
	if len(aborted) != len(want.aborted) {
		t.Errorf("%s: %d aborted transactions, want %d", part.Name, len(aborted), len(want.aborted))
	}
	for i := range min(len(aborted), len(want.aborted)) {
		if a, w := aborted[i], want.aborted[i]; a.ProducerID != w.ProducerID || a.FirstOffset != w.FirstOffset {
			t.Errorf("%s: aborted %+v, want %+v", part.Name, a, w)
		}
	}
	got.aborted = want.aborted
	same(t, part.Name, want, got)
}
