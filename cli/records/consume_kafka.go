package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// kafkaSource consumes as Kafka's clients do, with a group or without.
type kafkaSource struct {
	client *kgo.Client
	warn   func(error)
	group  string
	// ends has the offsets at which to stop; nil for none. Partitions that are
	// done are taken out.
	ends map[string]map[int32]int64
	// unread are why partitions are left out that have no known end to stop at.
	unread []error
}

func openKafkaSource(ctx context.Context, t term.Term, f consumeFlags) (*kafkaSource, error) {
	opts := []kgo.Opt{kgo.KeepControlRecords()} // a position moves over them too
	if f.isolation == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	at, err := f.start()
	if err != nil {
		return nil, err
	}
	if f.pattern != "" {
		if _, err := regexp.Compile(f.pattern); err != nil {
			return nil, fmt.Errorf("--pattern %q: %w", f.pattern, err)
		}
		opts = append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+f.pattern+")$"))
	} else if !f.chooses(at) {
		opts = append(opts, kgo.ConsumeTopics(f.topics...))
	}
	if f.group != "" {
		opts = append(opts, kgo.ConsumerGroup(f.group), kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll())
	}
	opts = append(opts, kgo.ConsumeStartOffset(at.offset()), kgo.ConsumeResetOffset(resetOffset(at)))
	client, err := f.kafka.Client(ctx, t.Env, opts...)
	if err != nil {
		return nil, err
	}
	s := &kafkaSource{client: client, group: f.group, warn: warner(t)}
	if err := s.begin(ctx, f, at); err != nil {
		client.CloseAllowingRebalance()
		return nil, err
	}
	return s, nil
}

// resetOffset is where to go when records at the position are gone: on at the
// first that is there, unless only new ones are wanted.
func resetOffset(at start) kgo.Offset {
	if at.kind == fromEnd {
		return kgo.NewOffset().AtEnd()
	}
	return kgo.NewOffset().AtStart()
}

func (f *consumeFlags) start() (start, error) {
	switch {
	case f.beginning:
		return start{kind: fromStart}, nil
	case f.offset != "":
		return parseStart(f.offset)
	}
	return start{kind: fromEnd}, nil
}

// chooses reports whether the partitions are chosen by their numbers or offsets: a
// client left to itself would go to the first record from an offset that the log
// does not have.
func (f *consumeFlags) chooses(at start) bool {
	return len(f.partitions) > 0 || f.atEnd || at.kind == fromOffset
}

// begin checks that what is named exists, and chooses partitions and ends.
func (s *kafkaSource) begin(ctx context.Context, f consumeFlags, at start) error {
	if f.pattern != "" {
		return nil
	}
	adm := kadm.NewClient(s.client)
	meta, err := adm.Metadata(ctx, f.topics...)
	if err != nil {
		return err
	}
	for _, topic := range f.topics {
		d := meta.Topics[topic]
		if d.Err != nil {
			return fmt.Errorf("topic %s: %w", topic, d.Err)
		}
		for _, p := range f.partitions {
			if _, ok := d.Partitions[p]; !ok {
				return fmt.Errorf("--partition %d: topic %s has %s, numbered from 0", p, topic, term.Count(len(d.Partitions), "partition"))
			}
		}
	}
	if !f.chooses(at) {
		return nil
	}
	return s.choose(ctx, adm, f, at)
}

// choose adds partitions, with offsets found out now.
func (s *kafkaSource) choose(ctx context.Context, adm *kadm.Client, f consumeFlags, at start) error {
	begins, err := reach.Offsets(ctx, adm.ListStartOffsets, f.topics...)
	if err != nil {
		return err
	}
	listEnds := adm.ListEndOffsets
	if f.isolation == "read_committed" {
		listEnds = adm.ListCommittedOffsets
	}
	ends, err := reach.Offsets(ctx, listEnds, f.topics...)
	if err != nil {
		return err
	}
	instants := ends
	if at.kind == fromInstant {
		after := func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return adm.ListOffsetsAfterMilli(ctx, at.n, topics...)
		}
		if instants, err = reach.Offsets(ctx, after, f.topics...); err != nil {
			return err
		}
	}
	if f.atEnd {
		s.ends = map[string]map[int32]int64{}
	}
	chosen := map[string]map[int32]kgo.Offset{}
	wanted := kadm.TopicsSet{}
	for _, topic := range f.topics {
		wanted.Add(topic, f.partitions...)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if len(f.partitions) > 0 && !wanted.Lookup(end.Topic, end.Partition) {
			return
		}
		begin, _ := begins.Lookup(end.Topic, end.Partition)
		instant, _ := instants.Lookup(end.Topic, end.Partition)
		if err := cmp.Or(end.Err, begin.Err, instant.Err); err != nil {
			s.leaveOut(f, at, end, err, chosen)
			return
		}
		from := at.in(bounds{begin.Offset, end.Offset, instant.Offset})
		if at.kind == fromOffset && from != at.n {
			s.warn(fmt.Errorf("--offset %d: %s-%d has %d to %d, beginning at %d", at.n, end.Topic, end.Partition, begin.Offset, end.Offset, from))
		}
		if f.atEnd && from >= end.Offset {
			return
		}
		setAt(chosen, end.Topic, end.Partition, kgo.NewOffset().At(from))
		if f.atEnd {
			setAt(s.ends, end.Topic, end.Partition, end.Offset)
		}
	})
	s.client.AddConsumePartitions(chosen)
	return nil
}

// leaveOut is choose for a partition of which no offsets are known. To follow it
// they are not needed: the client finds them when it can.
func (s *kafkaSource) leaveOut(f consumeFlags, at start, p kadm.ListedOffset, why error, chosen map[string]map[int32]kgo.Offset) {
	why = fmt.Errorf("%s-%d is not read: %w", p.Topic, p.Partition, why)
	if !f.atEnd {
		setAt(chosen, p.Topic, p.Partition, at.offset())
		s.warn(fmt.Errorf("%w (yet)", why))
		return
	}
	s.warn(why)
	s.unread = append(s.unread, why)
}

func setAt[V any](m map[string]map[int32]V, topic string, partition int32, v V) {
	if m[topic] == nil {
		m[topic] = map[int32]V{}
	}
	m[topic][partition] = v
}

// poll implements source.
func (s *kafkaSource) poll(ctx context.Context) ([]*kgo.Record, error) {
	for s.ends == nil || len(s.ends) > 0 {
		if s.group != "" {
			s.client.AllowRebalance()
		}
		fetches := s.client.PollFetches(ctx)
		if ctx.Err() != nil && fetches.NumRecords() == 0 {
			return nil, nil
		}
		if err := fetchError(fetches); err != nil {
			return nil, err
		}
		var out []*kgo.Record
		fetches.EachRecord(func(r *kgo.Record) {
			if !s.past(r) && !r.Attrs.IsControl() {
				out = append(out, r)
			}
		})
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, errors.Join(s.unread...)
}

// past keeps account of the ends, and reports whether r lies behind its own.
func (s *kafkaSource) past(r *kgo.Record) bool {
	if s.ends == nil {
		return false
	}
	end, ok := s.ends[r.Topic][r.Partition]
	if !ok {
		return true
	}
	if r.Offset+1 >= end {
		delete(s.ends[r.Topic], r.Partition)
		if len(s.ends[r.Topic]) == 0 {
			delete(s.ends, r.Topic)
		}
	}
	return r.Offset >= end
}

// fetchError names what cannot be read.
func fetchError(fetches kgo.Fetches) error {
	var wrong []string
	var first error
	fetches.EachError(func(topic string, partition int32, err error) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if first == nil {
			first = err
		}
		wrong = append(wrong, fmt.Sprintf("%s-%d", topic, partition))
	})
	if first == nil {
		return nil
	}
	return fmt.Errorf("read %s: %w", strings.Join(wrong, ", "), first)
}

// printed implements source.
func (s *kafkaSource) printed(records []*kgo.Record) {
	if s.group != "" {
		s.client.MarkCommitRecords(records...)
	}
}

// close implements source.
func (s *kafkaSource) close(ctx context.Context) (err error) {
	if s.group != "" {
		if err = s.client.CommitMarkedOffsets(ctx); err != nil {
			err = fmt.Errorf("commit the offsets of group %s: %w", s.group, err)
		}
	}
	s.client.CloseAllowingRebalance()
	return err
}
