package groups

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/gregor-mq/gregor/cli/reach"
)

// span are a partition's first offset and the one after its last.
type span struct{ begin, end int64 }

// logs are what is known of the logs of topics.
type logs struct {
	spans map[part]span
	// faults are why nothing is known of partitions that there are; a partition -1
	// stands for all of its topic.
	faults map[part]error
	// missing are topics that do not exist.
	missing map[string]bool
}

// readLogs asks for the logs of topics.
func (p *place) readLogs(ctx context.Context, topics []string) (logs, error) {
	l := logs{spans: map[part]span{}, faults: map[part]error{}, missing: map[string]bool{}}
	if len(topics) == 0 {
		return l, nil
	}
	if p.absent != nil {
		return l, fmt.Errorf("where logs begin and end is not known: %w", p.absent)
	}
	begins, err := reach.Offsets(ctx, p.adm.ListStartOffsets, topics...)
	if err != nil {
		return l, fmt.Errorf("ask where logs begin: %w", err)
	}
	ends, err := reach.Offsets(ctx, p.adm.ListEndOffsets, topics...)
	if err != nil {
		return l, fmt.Errorf("ask where logs end: %w", err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		q := partition(end.Topic, end.Partition)
		begin, ok := begins.Lookup(end.Topic, end.Partition)
		err := cmp.Or(end.Err, begin.Err)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition) && end.Partition < 0:
			l.missing[end.Topic] = true
		case err != nil:
			l.faults[q] = err
		case ok:
			l.spans[q] = span{begin.Offset, end.Offset}
		}
	})
	return l, nil
}

// fault returns why nothing is known of a partition's log, nil when it is known or
// when there is no such partition.
func (l logs) fault(p part) error {
	err := cmp.Or(l.faults[partition(p.topic, p.partition)], l.faults[partition(p.topic, -1)])
	if err == nil {
		return nil
	}
	return fmt.Errorf("where the log of %s begins and ends is not known: %w", p, err)
}

// need returns the log of a partition, or why there is none.
func (l logs) need(p part) (span, error) {
	s, ok := l.spans[p]
	if ok {
		return s, nil
	}
	if l.missing[p.topic] {
		return s, fmt.Errorf("topic %s does not exist", p.topic)
	}
	return s, cmp.Or(l.fault(p), fmt.Errorf("partition %s does not exist", p))
}
