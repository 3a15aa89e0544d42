package zkshell

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// eventJSON is a line of `watch --json`.
type eventJSON struct {
	Time  string `json:"time"`
	Event string `json:"event"` // the type, or the session's state
	Path  string `json:"path,omitempty"`
	What  string `json:"what,omitempty"`
}

func (sh *shell) watch() *cobra.Command {
	var recursive bool
	cmd := &cobra.Command{
		Use:   "watch [PATH]",
		Short: "Print what happens to a node, or with -R to all below it, until interrupted",
		Long: "Print what happens to a node and its list of children, or with -R to all nodes below it, until interrupted.\n" +
			"The node need not exist. When the connection is lost and found again, what happened in between is told too,\n" +
			"several changes of one node as one.",
		Example: "  gregor zk watch /controller\n  gregor zk watch -R /brokers --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: sh.run("/", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			mode := zk.WatchPersistent
			if recursive {
				mode = zk.WatchRecursive
			}
			if err := s.AddWatch(ctx, path, mode); err != nil {
				return explain(err)
			}
			if err := sh.zk.CheckChroot(ctx, s); err != nil {
				fmt.Fprintf(sh.term.Err, "gregor: warning: %v\n", err)
			}
			fmt.Fprintf(sh.term.Err, "watching %s until interrupted\n", path)
			return sh.follow(ctx, s)
		}),
	}
	cmd.Flags().BoolVarP(&recursive, "recursive", "R", false, "all nodes below it too")
	return cmd
}

// follow prints events until ctx ends, which is no error, or the session does.
func (sh *shell) follow(ctx context.Context, s *session.Session) error {
	for {
		ev, err := s.Events().Get(ctx)
		switch {
		case term.Interrupted(ctx, err):
			return nil
		case errors.Is(err, run.ErrClosed):
			return zk.ErrSessionExpired
		case err != nil:
			return err
		}
		if err := sh.event(ev); err != nil {
			return err
		}
	}
}

func (sh *shell) event(ev zk.Event) error {
	e := eventJSON{Time: sh.term.Env.Clock.Now().UTC().Format(time.RFC3339Nano), Event: ev.Type.String(), Path: ev.Path}
	if ev.Type == zk.EventNone {
		e.Event = ev.State.String()
	} else {
		e.What = znode.Describe(ev.Path, nil).What
	}
	if sh.json {
		return sh.term.JSON(e)
	}
	_, err := fmt.Fprintf(sh.term.Out, "%s  %-20s %s%s\n", e.Time, e.Event, e.Path, after(e.What))
	return err
}

// after puts words in parentheses behind something.
func after(words string) string {
	if words == "" {
		return ""
	}
	return "  (" + words + ")"
}
