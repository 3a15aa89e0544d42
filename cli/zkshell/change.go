package zkshell

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

func (sh *shell) set() *cobra.Command {
	var version int32
	cmd := &cobra.Command{
		Use:   "set PATH DATA",
		Short: "Replace what a node holds; DATA - is the standard input",
		Example: "  gregor zk set /config/topics/t '{\"version\":1,\"config\":{}}' --version 3\n" +
			"  gregor zk set /kept - < content",
		Args: cobra.ExactArgs(2),
		RunE: sh.run("", func(ctx context.Context, s *session.Session, path string, args []string) error {
			data, err := sh.content(args[0])
			if err != nil {
				return err
			}
			stat, err := s.Set(ctx, path, data, version)
			if err != nil {
				return explain(tooLarge(err, path, data))
			}
			if sh.json {
				return sh.term.JSON(statOf(stat))
			}
			_, err = fmt.Fprintf(sh.term.Out, "%s has version %d\n", path, stat.Version)
			return err
		}),
	}
	versionFlag(cmd, &version)
	return cmd
}

func (sh *shell) create() *cobra.Command {
	var parents, sequential bool
	cmd := &cobra.Command{
		Use:   "create PATH [DATA]",
		Short: "Make a persistent node that everybody may change; DATA - is the standard input, none is null",
		Example: "  gregor zk create /admin/delete_topics/old\n" +
			"  gregor zk create -p /kept/here value",
		Args: cobra.RangeArgs(1, 2),
		RunE: sh.run("", func(ctx context.Context, s *session.Session, path string, args []string) (err error) {
			var data []byte
			if len(args) > 0 {
				if data, err = sh.content(args[0]); err != nil {
					return err
				}
			}
			mode := zk.Persistent
			if sequential {
				mode = zk.PersistentSequential
			}
			open := func(string) []zk.ACL { return zk.OpenACL() }
			var made string
			if parents {
				made, _, err = s.CreateRecursive(ctx, path, data, open, mode)
			} else {
				made, _, err = s.Create(ctx, path, data, open(path), mode)
			}
			if err != nil {
				return explain(tooLarge(err, path, data))
			}
			if sh.json {
				return sh.term.JSON(map[string]string{"path": made})
			}
			_, err = fmt.Fprintln(sh.term.Out, made)
			return err
		}),
	}
	cmd.Flags().BoolVarP(&parents, "parents", "p", false, "make missing parents too, without data")
	cmd.Flags().BoolVarP(&sequential, "sequential", "s", false, "the server appends a number to the name")
	return cmd
}

func (sh *shell) delete() *cobra.Command {
	var version int32
	var recursive bool
	cmd := &cobra.Command{
		Use:     "delete PATH",
		Short:   "Delete a node, or with -R all below it too",
		Example: "  gregor zk delete /admin/delete_topics/old\n  gregor zk delete -R /consumers/gone",
		Args:    cobra.ExactArgs(1),
		RunE: sh.run("", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			if !recursive {
				return explain(s.Delete(ctx, path, version))
			}
			if path == "/" || path == "/zookeeper" {
				return fmt.Errorf("delete -R %s: it holds everything, or ZooKeeper's own nodes", path)
			}
			return deleteTree(ctx, s, path)
		}),
	}
	versionFlag(cmd, &version)
	cmd.Flags().BoolVarP(&recursive, "recursive", "R", false, "all nodes below it too, children first")
	cmd.MarkFlagsMutuallyExclusive("version", "recursive")
	return cmd
}

// deleteTree deletes children before their parents. What has gone meanwhile is
// as good as deleted; what was added makes its parent not empty.
func deleteTree(ctx context.Context, s *session.Session, root string) error {
	var paths []string
	err := walk(ctx, s, root, func(path string, _ zk.Stat) error {
		paths = append(paths, path)
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(paths)
	for batch := range slices.Chunk(paths, walkBatch) {
		reqs := make([]zk.Request, len(batch))
		for i, path := range batch {
			reqs[i] = &zk.DeleteRequest{Path: path, Version: -1}
		}
		for i, r := range s.Do(ctx, reqs) {
			if r.Err != nil && !errors.Is(r.Err, zk.ErrNoNode) {
				return explain(fmt.Errorf("delete %s: %w", batch[i], r.Err))
			}
		}
	}
	return nil
}
