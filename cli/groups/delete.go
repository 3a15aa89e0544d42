package groups

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (v *verbs) delete() *cobra.Command {
	var name, kind string
	var execute bool
	cmd := &cobra.Command{
		Use:     "delete",
		Short:   "Delete a group that has no members, with its offsets",
		Example: "  gregor groups delete --group g\n  gregor groups delete --group g --kind zookeeper --execute",
		Args:    cobra.NoArgs,
		RunE: v.run(func(ctx context.Context, p *place) error {
			if err := checkName(name); err != nil {
				return err
			}
			s, g, err := p.one(ctx, name, kind)
			if err == nil {
				err = g.idle()
			}
			if err == nil {
				err = p.idleBeside(ctx, s, name)
			}
			if err != nil {
				return err
			}
			if execute {
				if err := s.remove(ctx, g); err != nil {
					return err
				}
			}
			switch {
			case v.json:
				return v.term.JSON(planJSON{Group: name, Kind: s.kind(), Executed: execute})
			case execute:
				_, err = fmt.Fprintf(v.term.Out, "group %s in %s is deleted\n", name, s.kind())
			default:
				_, err = fmt.Fprintf(v.term.Out, "group %s in %s would be deleted, with the offsets of %d partitions: --execute does it\n", name, s.kind(), len(g.offsets))
			}
			return err
		}),
	}
	groupFlag(cmd, &name)
	kindFlag(cmd, &kind)
	executeFlag(cmd, &execute)
	return cmd
}
