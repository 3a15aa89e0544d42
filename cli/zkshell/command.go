package zkshell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// shell is what all verbs share.
type shell struct {
	term term.Term
	zk   reach.ZooKeeper
	json bool
}

// Command returns `gregor zk`.
func Command(t term.Term) *cobra.Command {
	sh := &shell{term: t}
	cmd := &cobra.Command{
		Use:   "zk",
		Short: "Look into ZooKeeper, with Kafka's nodes in words",
		Long: "Look into ZooKeeper, and change what is there. Paths are below the chroot of --zookeeper.\n" +
			"What Kafka keeps in a node is told in words; what is malformed is shown as it is, with what is wrong.",
		Example: "  gregor zk ls -R /brokers\n" +
			"  gregor zk get /controller\n" +
			"  gregor zk --zookeeper zk1:2181,zk2:2181/kafka watch -R /brokers/topics",
	}
	sh.zk.Flags(cmd, reach.DefaultZooKeeper)
	cmd.PersistentFlags().BoolVar(&sh.json, "json", false, "print JSON, a line per node or event")
	cmd.AddCommand(sh.ls(), sh.get(), sh.stat(), sh.set(), sh.create(), sh.delete(), sh.watch(), sh.acl(), sh.du())
	term.Verbs(cmd)
	return cmd
}

// run returns what cobra calls for a verb: it checks the path, which is the
// first argument or byDefault, and opens a session for its time.
func (sh *shell) run(byDefault string, f func(ctx context.Context, s *session.Session, path string, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		path := byDefault
		if len(args) > 0 {
			path, args = args[0], args[1:]
		}
		if err := zk.ValidatePath(path); err != nil {
			return err
		}
		ctx, stop := sh.term.UntilInterrupted(cmd.Context())
		defer stop()
		s, err := sh.zk.Dial(ctx, sh.term.Env)
		if err != nil {
			return err
		}
		defer func() {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), reach.ConnectTimeout)
			defer cancel()
			// A session that was not closed ends by itself: no reason to fail.
			_ = s.Close(closing)
		}()
		if err = f(ctx, s, path, args); errors.Is(err, zk.ErrNoNode) {
			err = cmp.Or(sh.zk.CheckChroot(ctx, s), err)
		}
		return err
	}
}

// content is a new node's data from an argument; "-" is the standard input.
func (sh *shell) content(arg string) ([]byte, error) {
	if arg != "-" {
		return []byte(arg), nil
	}
	// One byte more than can be written makes the server refuse what is too
	// large, not this program cut it.
	data, err := io.ReadAll(io.LimitReader(sh.term.In, zk.MaxReply+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return data, nil
}

// packetLimit is jute.maxbuffer as servers have it by default, in bytes: a request
// as long as that is the first that they do not read.
const packetLimit = 1<<20 - 1

// tooLarge adds to the loss of a connection that a server does not take requests of
// such a size: it closes the connection, and gives no reason.
func tooLarge(err error, path string, data []byte) error {
	if size := len(path) + len(data); errors.Is(err, zk.ErrConnectionLoss) && size > packetLimit-requestShare {
		return fmt.Errorf("%s: %d bytes are more than ZooKeeper takes in a node, unless its jute.maxbuffer was raised above %d: %w", path, len(data), packetLimit, err)
	}
	return err
}

// requestShare is what a request takes besides the path and the content, at most:
// header, lengths, an ACL of one entry, flags.
const requestShare = 64

// versionFlag adds --version, which makes a change conditional.
func versionFlag(cmd *cobra.Command, version *int32) {
	cmd.Flags().Int32Var(version, "version", -1, "the version that the node must have, -1 for any (see stat)")
}

// explain adds to an error of ZooKeeper what follows from it.
func explain(err error) error {
	if errors.Is(err, zk.ErrNoAuth) {
		return reach.Denied(err)
	}
	for _, e := range []struct {
		code zk.Err
		why  string
	}{
		{zk.ErrNoNode, "no such node, or no parent"}, {zk.ErrNodeExists, "it exists already"},
		{zk.ErrNotEmpty, "it has children: delete -R deletes them too"},
		{zk.ErrBadVersion, "the node has another version: somebody changed it"},
		{zk.ErrNoChildrenForEphemerals, "an ephemeral node has no children"},
	} {
		if errors.Is(err, e.code) {
			return fmt.Errorf("%w: %s", err, e.why)
		}
	}
	return err
}
