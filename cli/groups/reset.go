package groups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// resetting are the flags of `groups reset`.
type resetting struct {
	group, kind string
	topics      []string // T or T:0,1
	allTopics   bool
	execute     bool

	earliest, latest bool
	offset, shift    int64
	datetime, by     string
	// given names the one of the last six that is set.
	given string
}

// targets are the flags of which one says where to.
var targets = []string{"to-earliest", "to-latest", "to-offset", "to-datetime", "by-duration", "shift-by"}

func (v *verbs) reset() *cobra.Command {
	var r resetting
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Set the offsets of a group that has no members",
		Example: "  gregor groups reset --group g --topic orders --to-earliest\n" +
			"  gregor groups reset --group g --topic orders:0,1 --to-offset 100 --execute\n" +
			"  gregor groups reset --group g --all-topics --to-datetime 2026-01-31T12:00:00Z --execute\n" +
			"  gregor groups reset --group g --all-topics --by-duration 2h --execute",
		Args: cobra.NoArgs,
		PreRun: func(cmd *cobra.Command, _ []string) {
			for _, name := range targets {
				if cmd.Flags().Changed(name) {
					r.given = name
				}
			}
		},
		RunE: v.run(func(ctx context.Context, p *place) error { return p.reset(ctx, r) }),
	}
	groupFlag(cmd, &r.group)
	cmd.Flags().StringVar(&r.kind, "kind", "", "where the group is, or shall be: zookeeper or kafka")
	cmd.Flags().StringArrayVarP(&r.topics, "topic", "t", nil, "a topic, or some of its partitions: `TOPIC[:P,…]` (may be repeated)")
	cmd.Flags().BoolVar(&r.allTopics, "all-topics", false, "all partitions of which the group has offsets")
	cmd.Flags().BoolVar(&r.earliest, "to-earliest", false, "to the first record")
	cmd.Flags().BoolVar(&r.latest, "to-latest", false, "behind the last record")
	cmd.Flags().Int64Var(&r.offset, "to-offset", 0, "to an offset, or the nearest that the log has")
	cmd.Flags().StringVar(&r.datetime, "to-datetime", "", "to the first record at or after a time: milliseconds since 1970 or 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&r.by, "by-duration", "", "to the first record of the last so much time: 1h30m, PT1H30M")
	cmd.Flags().Int64Var(&r.shift, "shift-by", 0, "by so many offsets on, or back when it is negative, as far as the log goes")
	executeFlag(cmd, &r.execute)
	cmd.MarkFlagsMutuallyExclusive("topic", "all-topics")
	cmd.MarkFlagsOneRequired("topic", "all-topics")
	cmd.MarkFlagsMutuallyExclusive(targets...)
	cmd.MarkFlagsOneRequired(targets...)
	return cmd
}

func (p *place) reset(ctx context.Context, r resetting) error {
	if err := checkName(r.group); err != nil {
		return err
	}
	s, g, err := p.toReset(ctx, r)
	if err != nil {
		return err
	}
	parts, l, err := p.chosen(ctx, r, g)
	if err != nil {
		return err
	}
	to, err := p.aims(ctx, r, g, parts, l)
	if err != nil {
		return err
	}
	if err := p.idleBeside(ctx, s, r.group); err != nil {
		return err
	}
	if r.execute {
		if err := s.commit(ctx, r.group, g, to); err != nil {
			return err
		}
	}
	return p.verbs.tell(r.group, s.kind(), changes(g, to), r.execute)
}

// toReset finds the group, which may be one to make where --kind says so.
func (p *place) toReset(ctx context.Context, r resetting) (store, *group, error) {
	if r.kind != "" {
		stores, err := p.of(r.kind)
		if err != nil {
			return nil, nil, fmt.Errorf("--kind: %w", err)
		}
		g, err := stores[0].read(ctx, r.group)
		if err != nil || g == nil {
			return stores[0], nil, err
		}
		return stores[0], g, g.idle()
	}
	s, g, err := p.one(ctx, r.group, "")
	if errors.Is(err, errNoGroup) {
		err = fmt.Errorf("%w; --kind says where to make it", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return s, g, g.idle()
}

// chosen returns the partitions to reset, and their logs.
func (p *place) chosen(ctx context.Context, r resetting, g *group) ([]part, logs, error) {
	if r.allTopics {
		return p.chosenAll(ctx, g)
	}
	topics := map[string]bool{}
	var named []part // partition -1 for all of a topic
	for _, t := range r.topics {
		topic, numbers, some := strings.Cut(t, ":")
		if err := reach.CheckTopic(topic); err != nil {
			return nil, logs{}, fmt.Errorf("--topic: %w", err)
		}
		topics[topic] = true
		if !some {
			named = append(named, partition(topic, -1))
			continue
		}
		for n := range strings.SplitSeq(numbers, ",") {
			id, err := strconv.ParseInt(n, 10, 32)
			if err != nil || id < 0 {
				return nil, logs{}, fmt.Errorf("--topic %q: want TOPIC or TOPIC:0,1", t)
			}
			named = append(named, partition(topic, int32(id)))
		}
	}
	l, err := p.readLogs(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, l, err
	}
	chosen := map[part]bool{}
	for _, n := range named {
		if n.partition >= 0 {
			chosen[n] = true
			continue
		}
		if l.missing[n.topic] {
			return nil, l, fmt.Errorf("topic %s does not exist", n.topic)
		}
		for _, q := range append(sortedParts(l.spans), sortedParts(l.faults)...) {
			if q.topic == n.topic {
				chosen[q] = true
			}
		}
	}
	return sortedParts(chosen), l, nil
}

// chosenAll is chosen for --all-topics. Partitions of Kafka 0.7 are told and
// left as they are.
func (p *place) chosenAll(ctx context.Context, g *group) ([]part, logs, error) {
	if g == nil || len(g.offsets) == 0 {
		return nil, logs{}, errors.New("--all-topics: the group has no offsets")
	}
	topics := map[string]bool{}
	var out []part
	for _, q := range sortedParts(g.offsets) {
		if q.broker >= 0 {
			fmt.Fprintf(p.verbs.term.Err, "warning: %s is a partition of Kafka 0.7 and stays as it is\n", q)
			continue
		}
		topics[q.topic] = true
		out = append(out, q)
	}
	l, err := p.readLogs(ctx, slices.Sorted(maps.Keys(topics)))
	return out, l, err
}

// aims returns where each partition goes.
func (p *place) aims(ctx context.Context, r resetting, g *group, parts []part, l logs) (map[part]int64, error) {
	instant, err := p.instants(ctx, r, parts)
	if err != nil {
		return nil, err
	}
	to := map[part]int64{}
	var wrong []error
	for _, q := range parts {
		s, err := l.need(q)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%w (--topic chooses others)", err))
			continue
		}
		aim := s.begin // to-earliest
		switch r.given {
		case "to-latest":
			aim = s.end
		case "to-offset":
			aim = r.offset
		case "to-datetime", "by-duration":
			if aim, err = instant(q, s); err != nil {
				wrong = append(wrong, fmt.Errorf("find an offset of %s by time: %w", q, err))
				continue
			}
		case "shift-by":
			var old int64
			ok := g != nil
			if ok {
				old, ok = g.offsets[q]
			}
			if !ok {
				return nil, fmt.Errorf("--shift-by %d: the group has no offset of %s to shift", r.shift, q)
			}
			aim = shifted(old, r.shift)
		}
		if to[q] = min(max(aim, s.begin), s.end); to[q] != aim {
			fmt.Fprintf(p.verbs.term.Err, "warning: %s: offset %d is outside of the log, which has %d to %d: %d is the nearest\n", q, aim, s.begin, s.end, to[q])
		}
	}
	return to, errors.Join(wrong...)
}

// shifted is at + by without overflow; at is not negative.
func shifted(at, by int64) int64 {
	if sum := at + by; by <= 0 || sum > at {
		return sum
	}
	return 1<<63 - 1
}

// instants returns what finds the first offset at or after the wanted time.
func (p *place) instants(ctx context.Context, r resetting, parts []part) (func(part, span) (int64, error), error) {
	var ms int64
	switch r.given {
	case "to-datetime":
		t, err := term.ParseTime(r.datetime)
		if err != nil {
			return nil, fmt.Errorf("--to-datetime: %w", err)
		}
		ms = t.UnixMilli()
	case "by-duration":
		d, err := parseDuration(r.by)
		if err != nil {
			return nil, fmt.Errorf("--by-duration %w", err)
		}
		ms = max(0, p.verbs.term.Env.Clock.Now().Add(-d).UnixMilli())
	default:
		return nil, nil
	}
	topics := map[string]bool{}
	for _, q := range parts {
		topics[q.topic] = true
	}
	after := func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return p.adm.ListOffsetsAfterMilli(ctx, ms, topics...)
	}
	listed, err := reach.Offsets(ctx, after, slices.Sorted(maps.Keys(topics))...)
	if err != nil {
		return nil, fmt.Errorf("find offsets by time: %w", err)
	}
	return func(q part, s span) (int64, error) {
		o, ok := listed.Lookup(q.topic, q.partition)
		switch {
		case o.Err != nil:
			return 0, o.Err
		case ok && o.Offset >= 0:
			return o.Offset, nil
		}
		return s.end, nil // no record is that new
	}, nil
}
