package groups

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

func (v *verbs) list() *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all groups with where they are and whether they have members",
		Example: "  gregor groups list\n  gregor groups list --kind zookeeper --json",
		Args:    cobra.NoArgs,
		RunE: v.run(func(ctx context.Context, p *place) error {
			stores, err := p.of(kind)
			if err != nil {
				return err
			}
			var rows [][]string
			var unknown []error
			for _, s := range stores {
				all, err := s.list(ctx)
				unknown = append(unknown, err)
				for _, l := range all {
					if v.json {
						if err := v.term.JSON(l); err != nil {
							return err
						}
					}
					rows = append(rows, []string{l.Group, l.Kind, l.State})
				}
			}
			if !v.json {
				if err := v.term.Table([]string{"GROUP", "KIND", "STATE"}, rows); err != nil {
					return err
				}
			}
			return errors.Join(unknown...)
		}),
	}
	kindFlag(cmd, &kind)
	return cmd
}

// kindFlag adds --kind.
func kindFlag(cmd *cobra.Command, kind *string) {
	cmd.Flags().StringVar(kind, "kind", "", "only groups of a kind: zookeeper or kafka")
}

// groupFlag adds --group.
func groupFlag(cmd *cobra.Command, group *string) {
	cmd.Flags().StringVarP(group, "group", "g", "", "the group")
}
