package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/cli/groups"
	"github.com/gregor-mq/gregor/cli/records"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/cli/topics"
	"github.com/gregor-mq/gregor/cli/zkshell"
	"github.com/gregor-mq/gregor/internal/env"
)

// Program is what the verbs run with.
type Program struct {
	Env env.Env
	In  io.Reader
	Out io.Writer // what the user asked for
	Err io.Writer // logs and errors
	// Live says that Err is a terminal, Typed that In is one.
	Live, Typed bool
	// Exit ends the process at once: a second signal during shutdown.
	Exit func(code int)
}

// Default is the program on this machine.
func Default() Program {
	return Program{
		Env: env.Real(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Live: isTerminal(os.Stderr), Typed: isTerminal(os.Stdin), Exit: os.Exit,
	}
}

// isTerminal takes every character device for a terminal: nobody minds progress
// on /dev/null.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// term is what the verbs of clients get of the program.
func (p Program) term() term.Term {
	return term.Term{Env: p.Env, In: p.In, Out: p.Out, Err: p.Err, Live: p.Live, Typed: p.Typed}
}

// Run runs the verb that args name and returns the exit code.
func (p Program) Run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:           "gregor",
		Short:         "An Apache Kafka 3.9 broker in ZooKeeper mode, and the ZooKeeper it needs, in one program",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       versions(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetArgs(args)
	root.AddCommand(p.serverCommand(), p.keeperCommand(), p.clusterCommand(), p.versionCommand())
	root.AddCommand(zkshell.Command(p.term()), records.ProduceCommand(p.term()), records.ConsumeCommand(p.term()), groups.Command(p.term()), topics.Command(p.term()))
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(p.Err, "gregor: %v%s\n", reword(err), mend(err))
		return 1
	}
	return 0
}

func (p Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and those of Kafka and ZooKeeper it stands for",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.Out, versions())
			return err
		},
	}
}

// versions is the line that `gregor version` and `gregor --version` print.
func versions() string {
	return fmt.Sprintf("gregor %s (Kafka 3.9.1 in ZooKeeper mode, ZooKeeper 3.9.4)", version())
}

// version is the module's, as the go command recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
