package zkshell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// usage is how much lies at and below a node.
type usage struct {
	Path  string `json:"path"`
	Nodes int64  `json:"nodes"`
	// Bytes are those of contents; names, ACLs and times cost a server more.
	Bytes int64 `json:"bytes"`
}

func (u *usage) add(stat zk.Stat) {
	u.Nodes++
	u.Bytes += int64(stat.DataLength)
}

func (sh *shell) du() *cobra.Command {
	return &cobra.Command{
		Use:     "du [PATH]",
		Short:   "Count nodes and bytes of content below each child, and in all",
		Example: "  gregor zk du\n  gregor zk du /consumers",
		Args:    cobra.MaximumNArgs(1),
		RunE: sh.run("/", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			all, err := measure(ctx, s, path)
			if err != nil && !errors.Is(err, zk.ErrNoAuth) || all == nil {
				return err
			}
			return cmp.Or(sh.printUsage(all), err)
		}),
	}
}

// measure returns the usage of root's children, in order, and of root last; none
// when root itself cannot be read, and that of what can be with the error of what
// cannot.
func measure(ctx context.Context, s *session.Session, root string) ([]usage, error) {
	total := usage{Path: root}
	var all []usage
	prefix := strings.TrimSuffix(root, "/") + "/"
	err := walk(ctx, s, root, func(path string, stat zk.Stat) error {
		total.add(stat)
		if path == root {
			return nil
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(path, prefix), "/")
		// A walk finishes one child before it begins the next.
		if child := prefix + name; len(all) == 0 || all[len(all)-1].Path != child {
			all = append(all, usage{Path: child})
		}
		all[len(all)-1].add(stat)
		return nil
	})
	if total.Nodes == 0 {
		return nil, err
	}
	return append(all, total), err
}

func (sh *shell) printUsage(all []usage) error {
	var rows [][]string
	for _, u := range all {
		if sh.json {
			if err := sh.term.JSON(u); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{fmt.Sprint(u.Nodes), fmt.Sprint(u.Bytes), u.Path})
	}
	if sh.json {
		return nil
	}
	return sh.term.Table([]string{"NODES", "BYTES", "PATH"}, rows)
}
