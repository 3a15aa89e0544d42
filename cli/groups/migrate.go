package groups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// migration are the flags of `groups migrate`.
type migration struct {
	group, from, to    string
	topics             []string
	overwrite, execute bool
}

func (v *verbs) migrate() *cobra.Command {
	var m migration
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy a group's offsets from ZooKeeper to Kafka, or back",
		Long: "Copy a group's offsets from ZooKeeper to Kafka, or back. What is copied from stays as it is, and `delete` removes\n" +
			"it. The group may have members on neither side. Where the other side has other offsets already, nothing is\n" +
			"copied without --overwrite.",
		Example: "  gregor groups migrate --group g --from zookeeper --to kafka\n" +
			"  gregor groups migrate --group g --from zookeeper --to kafka --execute\n" +
			"  gregor groups migrate --group g --from kafka --to zookeeper --topic orders --overwrite --execute",
		Args: cobra.NoArgs,
		RunE: v.run(func(ctx context.Context, p *place) error { return p.migrate(ctx, m) }),
	}
	groupFlag(cmd, &m.group)
	cmd.Flags().StringVar(&m.from, "from", "", "zookeeper or kafka")
	cmd.Flags().StringVar(&m.to, "to", "", "zookeeper or kafka")
	cmd.Flags().StringSliceVarP(&m.topics, "topic", "t", nil, "only the offsets of these topics, by commas")
	cmd.Flags().BoolVar(&m.overwrite, "overwrite", false, "replace other offsets that the other side has")
	executeFlag(cmd, &m.execute)
	return cmd
}

func (p *place) migrate(ctx context.Context, m migration) error {
	if err := checkName(m.group); err != nil {
		return err
	}
	if m.from == m.to || m.from == "" || m.to == "" {
		return fmt.Errorf("--from %q --to %q: want zookeeper and kafka, or kafka and zookeeper", m.from, m.to)
	}
	_, g, err := p.one(ctx, m.group, m.from)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	targets, err := p.of(m.to)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	target := targets[0]
	there, err := target.read(ctx, m.group)
	if err != nil {
		return err
	}
	if err := g.idle(); err != nil {
		return err
	}
	if there != nil {
		if err := there.idle(); err != nil {
			return err
		}
	}
	to, err := p.planMigration(ctx, m, g, there)
	if err != nil {
		return err
	}
	if m.execute {
		if err := target.commit(ctx, m.group, there, to); err != nil {
			return err
		}
	}
	return p.verbs.tell(m.group, m.to, changes(there, to), m.execute)
}

// planMigration returns the offsets to copy. Whatever cannot be copied as it is
// refuses the whole.
func (p *place) planMigration(ctx context.Context, m migration, g, there *group) (map[part]int64, error) {
	to := map[part]int64{}
	topics := map[string]bool{}
	for q, at := range g.offsets {
		if len(m.topics) == 0 || slices.Contains(m.topics, q.topic) {
			to[q], topics[q.topic] = at, true
		}
	}
	wrong := slices.Clone(g.faults)
	for _, t := range m.topics {
		if !topics[t] {
			wrong = append(wrong, fmt.Errorf("--topic %s: the group has no offsets of it", t))
		}
	}
	l, err := p.readLogs(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, err
	}
	var differ []string
	for _, q := range sortedParts(to) {
		if q.broker >= 0 {
			wrong = append(wrong, fmt.Errorf("%s is a partition of Kafka 0.7, numbered on its broker: it has no offset elsewhere", q))
			continue
		}
		s, err := l.need(q)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%w (--topic chooses others)", err))
			continue
		}
		if at := to[q]; at < s.begin || at > s.end {
			fmt.Fprintf(p.verbs.term.Err, "warning: %s: offset %d is outside of the log, which has %d to %d\n", q, at, s.begin, s.end)
		}
		if there != nil {
			if old, ok := there.offsets[q]; ok && old != to[q] {
				differ = append(differ, fmt.Sprintf("%s at %d, not %d", q, old, to[q]))
			}
		}
	}
	if len(differ) > 0 && !m.overwrite {
		wrong = append(wrong, fmt.Errorf("group %s in %s has other offsets already: %s; --overwrite replaces them", m.group, m.to, strings.Join(differ, ", ")))
	}
	if len(to) == 0 && len(wrong) == 0 {
		wrong = append(wrong, fmt.Errorf("group %s in %s has no offsets", m.group, m.from))
	}
	return to, errors.Join(wrong...)
}
