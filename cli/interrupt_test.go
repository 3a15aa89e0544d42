package cli_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/gregor-mq/gregor/test/verb"
)

// TestSignals: SIGINT and SIGTERM end the verbs of clients cleanly, with code 0,
// and what a group's member printed is committed.
func TestSignals(t *testing.T) {
	t.Parallel()
	c := gregortest.Start(t)
	brokers, zookeeper := c.Addrs()[0], c.ZooKeeper()
	verb.Must(t, "1\n2\n3\n", "produce", "--bootstrap-server", brokers, "--topic", "t")
	f := func(s os.Signal, await string, args ...string) {
		t.Helper()
		p := gregor.Run(t, t.TempDir(), args...)
		if err := p.Await(t.Context(), await, patience); err != nil {
			t.Fatal(err)
		}
		if err := p.Signal(s); err != nil {
			t.Fatal(err)
		}
		if code, err := p.Wait(t.Context(), patience); err != nil || code != 0 {
			t.Errorf("%v: code %d, %v\n%s", args, code, err, p.Output())
		}
	}
	f(syscall.SIGINT, "3\n", "consume", "--bootstrap-server", brokers, "--topic", "t", "--group", "new", "--from-beginning")
	f(syscall.SIGTERM, "3\n", "consume", "--zookeeper", zookeeper, "--topic", "t", "--group", "old", "--from-beginning")
	f(syscall.SIGINT, "watching /", "zk", "--zookeeper", zookeeper, "watch", "-R", "/")
	for _, group := range []string{"new", "old"} {
		out := verb.Must(t, "", "groups", "--zookeeper", zookeeper, "reset", "--group", group, "--topic", "t", "--to-latest")
		verb.Same(t, group, out, "TOPIC  PARTITION  OLD  NEW\nt      0          3    3\n")
	}
}
