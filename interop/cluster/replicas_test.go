//go:build interop

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/test/check"
)

// replicaDir returns the directory of a replica, "" when the broker has none.
func replicaDir(b *peer.Broker, p check.Partition) string {
	for _, dir := range b.LogDirs {
		path := filepath.Join(dir, p.String())
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
	}
	return ""
}

// replicaLog reads the batches of a replica from its files.
func replicaLog(b *peer.Broker, p check.Partition) ([]byte, error) {
	dir := replicaDir(b, p)
	if dir == "" {
		return nil, fmt.Errorf("broker %d has no %s", b.ID, p)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files) // the names are base offsets with leading zeros
	var out []byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, text...)
	}
	return out, nil
}

// sameReplicas waits until the logs of all replicas of a partition hold the
// same bytes, and returns their records.
func (c *cluster) sameReplicas(t *testing.T, p check.Partition) []check.Record {
	t.Helper()
	var log []byte
	peer.Eventually(t, patience, func() error {
		assignment, err := c.topic(p.Topic)
		if err != nil {
			return err
		}
		replicas := assignment.Partitions[p.Index].Replicas
		for i, id := range replicas {
			got, err := replicaLog(c.Brokers[id], p)
			if err != nil {
				return err
			}
			if i == 0 {
				log = got
			}
			if !bytes.Equal(log, got) {
				return fmt.Errorf("%s: %d bytes on broker %d, %d on broker %d, the first %d are equal",
					p, len(log), replicas[0], len(got), id, common(log, got))
			}
		}
		return nil
	})
	records, err := recordsOf(log)
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return records
}

// allSame is sameReplicas of all partitions of a topic.
func (c *cluster) allSame(t *testing.T, topic string) map[int32][]check.Record {
	t.Helper()
	assignment, err := c.topic(topic)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int32][]check.Record{}
	for p := range assignment.Partitions {
		out[p] = c.sameReplicas(t, check.Partition{Topic: topic, Index: p})
	}
	return out
}

func common(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// recordsOf reads the records of whole batches.
func recordsOf(log []byte) ([]check.Record, error) {
	var out []check.Record
	for len(log) > 0 {
		size, magic, err := record.Peek(log)
		if err != nil || size > len(log) || magic != 2 {
			return nil, errors.Join(fmt.Errorf("after %d records: %d bytes that are no batch of magic 2", len(out), len(log)), err)
		}
		b := record.Batch(log[:size])
		if err := b.Verify(); err != nil {
			return nil, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
		for r, err := range b.Records() {
			if err != nil {
				return nil, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
			}
			out = append(out, check.Record{Offset: r.Offset, Value: bytes.Clone(r.Value)})
		}
		log = log[size:]
	}
	return out, nil
}

// removed waits until a broker has no directory of a partition.
func removed(t *testing.T, b *peer.Broker, p check.Partition) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		if dir := replicaDir(b, p); dir != "" {
			return fmt.Errorf("broker %d still has %s", b.ID, dir)
		}
		return nil
	})
}
