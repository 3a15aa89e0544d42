package zkshell

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// listedJSON is a line of `ls --json`.
type listedJSON struct {
	Path     string `json:"path"`
	Children int32  `json:"children"`
	Bytes    int32  `json:"bytes"`
	Version  int32  `json:"version"`
}

func (sh *shell) ls() *cobra.Command {
	var recursive bool
	cmd := &cobra.Command{
		Use:     "ls [PATH]",
		Short:   "List the children of a node, or with -R all below it",
		Example: "  gregor zk ls /brokers/ids\n  gregor zk ls -R /consumers",
		Args:    cobra.MaximumNArgs(1),
		RunE: sh.run("/", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			if recursive {
				return walk(ctx, s, path, sh.list)
			}
			return sh.children(ctx, s, path)
		}),
	}
	cmd.Flags().BoolVarP(&recursive, "recursive", "R", false, "all nodes below, with the whole path of each")
	return cmd
}

// list prints a node that a walk found.
func (sh *shell) list(path string, stat zk.Stat) error {
	if sh.json {
		return sh.term.JSON(listedJSON{path, stat.NumChildren, stat.DataLength, stat.Version})
	}
	_, err := fmt.Fprintln(sh.term.Out, path)
	return err
}

func (sh *shell) children(ctx context.Context, s *session.Session, path string) error {
	names, _, err := s.Children(ctx, path, false)
	if err != nil {
		return explain(err)
	}
	slices.Sort(names)
	for _, name := range names {
		if !sh.json {
			fmt.Fprintln(sh.term.Out, name)
			continue
		}
		child := join(path, name)
		stat, err := s.Exists(ctx, child, false)
		if err != nil {
			return explain(err)
		}
		if err := sh.list(child, stat); err != nil {
			return err
		}
	}
	return nil
}
