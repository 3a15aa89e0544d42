package groups

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// span are a partition's first offset and the one after its last.
type span struct{ begin, end int64 }

// logs are what is known of the logs of topics.
type logs struct {
	spans map[part]span
	// missing are topics that do not exist.
	missing map[string]bool
}

// readLogs asks for the logs of topics. Partitions without a leader are left
// out.
func (p *place) readLogs(ctx context.Context, topics []string) (logs, error) {
	l := logs{spans: map[part]span{}, missing: map[string]bool{}}
	if len(topics) == 0 {
		return l, nil
	}
	if p.absent != nil {
		return l, fmt.Errorf("where logs begin and end is not known: %w", p.absent)
	}
	begins, err := p.adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return l, fmt.Errorf("ask where logs begin: %w", err)
	}
	ends, err := p.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return l, fmt.Errorf("ask where logs end: %w", err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		begin, ok := begins.Lookup(end.Topic, end.Partition)
		switch {
		case errors.Is(end.Err, kerr.UnknownTopicOrPartition) && end.Partition < 0:
			l.missing[end.Topic] = true
		case ok && end.Err == nil && begin.Err == nil:
			l.spans[partition(end.Topic, end.Partition)] = span{begin.Offset, end.Offset}
		}
	})
	return l, nil
}

// need returns the log of a partition, or why there is none.
func (l logs) need(p part) (span, error) {
	s, ok := l.spans[p]
	switch {
	case ok:
		return s, nil
	case l.missing[p.topic]:
		return s, fmt.Errorf("topic %s does not exist", p.topic)
	}
	return s, fmt.Errorf("partition %s does not exist, or has no leader", p)
}
