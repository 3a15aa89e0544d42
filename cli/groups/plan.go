package groups

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

// change is an offset to set.
type change struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Old is null where the group has no offset.
	Old *int64 `json:"old"`
	New int64  `json:"new"`
}

// planJSON is a line of --json of verbs that change something.
type planJSON struct {
	Group    string   `json:"group"`
	Kind     string   `json:"kind"`
	Executed bool     `json:"executed"`
	Changes  []change `json:"changes,omitempty"`
}

// executeFlag adds --execute, without which nothing is changed, and --dry-run,
// which says so.
func executeFlag(cmd *cobra.Command, execute *bool) {
	cmd.Flags().BoolVar(execute, "execute", false, "do it, and not only tell what would be done")
	cmd.Flags().BoolFunc("dry-run", "tell what would be done: so it is without --execute", func(s string) error {
		if dry, err := strconv.ParseBool(s); err != nil || !dry {
			return errors.New("--execute is what changes something")
		}
		return nil
	})
	cmd.MarkFlagsMutuallyExclusive("execute", "dry-run")
}

// changes lists what a plan sets, beside what g has; g may be nil.
func changes(g *group, to map[part]int64) []change {
	var out []change
	for _, p := range sortedParts(to) {
		c := change{Topic: p.topic, Partition: p.partition, New: to[p]}
		if g != nil {
			if old, ok := g.offsets[p]; ok {
				c.Old = &old
			}
		}
		out = append(out, c)
	}
	return out
}

// tell prints a plan that was carried out, or is not to be.
func (v *verbs) tell(group, kind string, list []change, execute bool) error {
	if v.json {
		return v.term.JSON(planJSON{group, kind, execute, list})
	}
	var rows [][]string
	for _, c := range list {
		rows = append(rows, []string{c.Topic, strconv.Itoa(int(c.Partition)), orDash(c.Old), strconv.FormatInt(c.New, 10)})
	}
	if err := v.term.Table([]string{"TOPIC", "PARTITION", "OLD", "NEW"}, rows); err != nil {
		return err
	}
	if !execute {
		fmt.Fprintln(v.term.Err, "nothing was changed: --execute does it")
	}
	return nil
}
