package records

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// named takes the partition that a record names, and lets the partitioner of
// Java's producer choose for those that name none: keys by their hash, records
// without a key stay on a partition for a batch.
type named struct {
	kgo.Partitioner
	// counts has the number of partitions by topic.
	counts *sync.Map
}

// newNamed returns the partitioner of produce.
func newNamed() named { return named{kgo.StickyKeyPartitioner(nil), new(sync.Map)} }

// ForTopic implements kgo.Partitioner.
func (n named) ForTopic(topic string) kgo.TopicPartitioner { return n.forTopic(topic) }

func (n named) forTopic(topic string) *namedTopic {
	return &namedTopic{n.Partitioner.ForTopic(topic), topic, n.counts}
}

// fault returns why a record that was not taken could not be, nil when that is
// not a matter of its partition.
func (n named) fault(topic string, partition int32) error {
	count, ok := n.counts.Load(topic)
	if !ok || partition < int32(count.(int)) {
		return nil
	}
	return fmt.Errorf("partition %d: the topic has %d, numbered from 0", partition, count)
}

type namedTopic struct {
	kgo.TopicPartitioner
	topic  string
	counts *sync.Map
}

// RequiresConsistency implements kgo.TopicPartitioner.
func (t *namedTopic) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != anyPartition || t.TopicPartitioner.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner. A number that the topic does not
// have fails the record.
func (t *namedTopic) Partition(r *kgo.Record, n int) int {
	if r.Partition != anyPartition {
		t.counts.Store(t.topic, n)
		return int(r.Partition)
	}
	return t.TopicPartitioner.Partition(r, n)
}

// OnNewBatch implements kgo.TopicPartitionerOnNewBatch.
func (t *namedTopic) OnNewBatch() {
	if b, ok := t.TopicPartitioner.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
