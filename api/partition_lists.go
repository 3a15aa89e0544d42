package api

import (
	"cmp"
	"slices"

	"github.com/gregor-mq/gregor/controller/decide"
)

func comparePartitions(a, b decide.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// sortedOnce sorts partitions by topic and number and drops repetitions: Kafka
// keeps what requests name in sets.
func sortedOnce(partitions []decide.TopicPartition) []decide.TopicPartition {
	slices.SortFunc(partitions, comparePartitions)
	return slices.Compact(partitions)
}

// textOrNull is a message of an answer: none is null.
func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
