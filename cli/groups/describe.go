package groups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// groupJSON is a line of `describe --json`.
type groupJSON struct {
	listed
	Assignor   string     `json:"assignor,omitempty"`
	Members    []member   `json:"members"`
	Partitions []partJSON `json:"partitions"`
	Faults     []string   `json:"faults,omitempty"`
}

// partJSON is a partition with what a group has of it. What is not known is
// null.
type partJSON struct {
	Topic     string `json:"topic"`
	Partition string `json:"partition"`
	Offset    *int64 `json:"offset"`
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	Owner     string `json:"owner,omitempty"`
}

func (v *verbs) describe() *cobra.Command {
	var names []string
	var kind string
	cmd := &cobra.Command{
		Use:   "describe",
		Short: "Print members, owners, offsets and lag of groups",
		Long: "Print members, owners, offsets and lag of groups. A lag is how many offsets lie between the group's and the\n" +
			"log's end.",
		Example: "  gregor groups describe --group g\n  gregor groups describe --group g,h --json",
		Args:    cobra.NoArgs,
		RunE: v.run(func(ctx context.Context, p *place) error {
			stores, err := p.of(kind)
			if err != nil {
				return err
			}
			var missing []error
			for _, name := range names {
				if err := checkName(name); err != nil {
					return err
				}
				missing = append(missing, p.describe(ctx, stores, name))
			}
			return errors.Join(missing...)
		}),
	}
	cmd.Flags().StringSliceVarP(&names, "group", "g", nil, "the groups, by commas")
	kindFlag(cmd, &kind)
	if err := cmd.MarkFlagRequired("group"); err != nil {
		panic(err) // the flag is of the line above
	}
	return cmd
}

// describe prints a group of each store that has it. The error names what of it is
// not known.
func (p *place) describe(ctx context.Context, stores []store, name string) error {
	var unknown []error
	found := false
	for _, s := range stores {
		g, err := s.read(ctx, name)
		if err != nil {
			unknown = append(unknown, err)
			continue
		}
		if g == nil {
			continue
		}
		found = true
		parts, err := p.parts(ctx, g)
		unknown = append(unknown, err, reach.Unreadable(g.denied))
		if err := p.verbs.show(g, parts); err != nil {
			return err
		}
	}
	err := errors.Join(unknown...)
	if !found && err == nil {
		return noGroup(name, stores)
	}
	return err
}

// parts returns what a group has of its partitions, in order. The error names those
// whose log is not known.
func (p *place) parts(ctx context.Context, g *group) ([]partJSON, error) {
	known := map[part]bool{}
	topics := map[string]bool{}
	for _, q := range append(sortedParts(g.offsets), sortedParts(g.owners)...) {
		known[q], topics[q.topic] = true, true
	}
	var l logs // empty when no broker answers, which was told
	var unknown []error
	if p.absent == nil {
		var err error
		l, err = p.readLogs(ctx, slices.Sorted(maps.Keys(topics)))
		unknown = append(unknown, err)
	}
	out := []partJSON{}
	for _, q := range sortedParts(known) {
		j := partJSON{Topic: q.topic, Partition: q.number(), Owner: g.owners[q]}
		if at, ok := g.offsets[q]; ok {
			j.Offset = &at
		}
		if s, ok := l.spans[partition(q.topic, q.partition)]; ok {
			j.End = &s.end
		}
		if j.Offset != nil && j.End != nil {
			if j.Lag = new(*j.End - *j.Offset); *j.Lag < 0 {
				j.Lag = nil
				g.notes = append(g.notes, fmt.Sprintf("%s: offset %d lies behind the end of the log, %d", q, *j.Offset, *j.End))
			}
		}
		unknown = append(unknown, l.fault(q))
		out = append(out, j)
	}
	return out, errors.Join(unknown...)
}

func (v *verbs) show(g *group, parts []partJSON) error {
	if v.json {
		j := groupJSON{listed: listed{g.name, g.kind, g.state}, Assignor: g.assignor, Members: g.members, Partitions: parts}
		if j.Members == nil {
			j.Members = []member{}
		}
		for _, f := range g.faults {
			j.Faults = append(j.Faults, f.Error())
		}
		for i := range g.litter {
			j.Faults = append(j.Faults, g.rubbish(i))
		}
		j.Faults = append(j.Faults, g.notes...)
		return v.term.JSON(j)
	}
	words := g.state
	if g.assignor != "" {
		words += ", " + g.assignor
	}
	fmt.Fprintf(v.term.Out, "group %s in %s: %s, %s\n\n", g.name, g.kind, words, term.Count(len(g.members), "member"))
	var rows [][]string
	for _, p := range parts {
		rows = append(rows, []string{p.Topic, p.Partition, orDash(p.Offset), orDash(p.End), orDash(p.Lag), or(term.Text(p.Owner))})
	}
	if err := v.term.Table([]string{"TOPIC", "PARTITION", "OFFSET", "END", "LAG", "OWNER"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(v.term.Out)
	if len(g.members) > 0 {
		rows = nil
		for _, m := range g.members {
			rows = append(rows, []string{term.Text(m.ID), or(term.Text(m.Client)), or(m.Host), or(term.Text(m.Wants))})
		}
		if err := v.term.Table([]string{"MEMBER", "CLIENT", "HOST", "WANTS"}, rows); err != nil {
			return err
		}
		fmt.Fprintln(v.term.Out)
	}
	for _, f := range g.faults {
		fmt.Fprintf(v.term.Out, "malformed: %v\n", f)
	}
	for i := range g.litter {
		fmt.Fprintf(v.term.Out, "left behind: %s\n", g.rubbish(i))
	}
	for _, n := range g.notes {
		fmt.Fprintln(v.term.Out, n)
	}
	return nil
}

func orDash(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
