package cli_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/test/verb"
)

// TestKeeperData walks a keeper's data to ZooKeeper's form and back.
func TestKeeperData(t *testing.T) {
	root := t.TempDir()
	k, err := keeper.Start(t.Context(), keeper.Config{DataDir: root + "/keeper"}, env.Real(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f := func(code int, want string, args ...string) {
		t.Helper()
		out, errs, got := verb.Do(t, "", append([]string{"keeper"}, args...)...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", args, got, code, want, out, errs)
		}
	}
	f(1, "stop the other keeper", "check", "--dir", root+"/keeper")
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	f(0, "all is whole", "check", "--dir", root+"/keeper")
	f(1, `required flag(s) "from", "to" not set`, "export")
	f(0, "znodes:      4", "export", "--from", root+"/keeper", "--to", root+"/zk")
	f(1, "is not empty", "export", "--from", root+"/keeper", "--to", root+"/zk")
	f(0, "all is whole", "check", "--dir", root+"/zk")
	f(1, "--config or --to", "import", "--from", root+"/zk")
	f(0, "made:        "+root+"/again", "import", "--from", root+"/zk", "--to", root+"/again")
	config := filepath.Join(root, "zoo.cfg")
	if err := os.WriteFile(config, []byte("dataDir="+root+"/third\ndataLogDir="+root+"/third-log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(0, "last zxid:   0x100000000", "import", "--from", root+"/zk", "--config", config)
	f(0, "all is whole", "check", "--dir", root+"/third", "--log-dir", root+"/third-log")
	f(1, "(dataLogDir)", "check", "--dir", root+"/third")
	f(1, "holds no keeper's data", "check", "--dir", root)
}
