package cli

import (
	"errors"
	"testing"

	"github.com/spf13/cobra"
)

// TestReword: what cobra says of flags that do not go together, as this version of
// it says it, and nothing else is told in other words.
func TestReword(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		cmd := &cobra.Command{Use: "x", SilenceUsage: true, SilenceErrors: true, Run: func(*cobra.Command, []string) {}}
		for _, name := range []string{"group", "offset", "zookeeper"} {
			cmd.Flags().Bool(name, false, "")
		}
		cmd.MarkFlagsMutuallyExclusive("group", "offset", "zookeeper")
		cmd.MarkFlagsOneRequired("group", "offset", "zookeeper")
		cmd.SetArgs(args)
		if err := reword(cmd.Execute()); err.Error() != want {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
	f("--group, --offset or --zookeeper is needed")
	f("--group and --offset: choose one", "--group", "--offset")
	f("--group, --offset and --zookeeper: choose one", "--group", "--offset", "--zookeeper")
	f("unknown flag: --none", "--none")
	if err := errors.New("x"); reword(err) != err {
		t.Error("another error is reworded")
	}
}
