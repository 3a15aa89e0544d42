package cli_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/test/verb"
)

// TestKeeperBackup fetches a snapshot of a keeper that runs, and puts it back.
func TestKeeperBackup(t *testing.T) {
	cfg := keeper.Config{DataDir: filepath.Join(t.TempDir(), "keeper"), Listen: []string{"127.0.0.1:0"}}
	cfg.Operate.Admin.Listen = "127.0.0.1:0"
	k, err := keeper.Start(t.Context(), cfg, env.Real(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	file, server := filepath.Join(t.TempDir(), "backup"), k.SiteAddr("admin").String()
	f := func(code int, want string, args ...string) {
		t.Helper()
		out, errs, got := verb.Do(t, "", args...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", args, got, code, want, out, errs)
		}
	}
	zk := func(verbs ...string) []string {
		return append([]string{"zk", "--zookeeper", k.Addrs()[0].String()}, verbs...)
	}
	f(1, `required flag(s) "to" not set`, "keeper", "backup")
	f(0, "", zk("create", "/kept", "x")...)
	f(0, " bytes, up to transaction 0x1000000", "keeper", "backup", "--server", server, "--to", file)
	f(0, "", zk("create", "/later", "x")...)
	f(1, "--auth proves nothing", "keeper", "backup", "--server", server, "--to", file, "--auth", "sasl:me")
	f(1, "--command-url", "keeper", "backup", "--server", server, "--to", file, "--command-url", "/other")
	f(1, "begin like a snapshot", "keeper", "restore", "--server", server, "--from", cfgFile(t, cfg))
	f(0, "transactions go on behind 0x1000000", "keeper", "restore", "--server", server, "--from", file)
	f(0, "kept", zk("ls", "/")...)
	f(1, "/later", zk("get", "/later")...)
	f(1, "refused", "keeper", "backup", "--server", "127.0.0.1:1", "--to", file)
	if _, err := os.Stat(file + ".tmp"); err == nil {
		t.Error("a backup that failed left a file")
	}
}

// cfgFile is a file that is no snapshot.
func cfgFile(t *testing.T, cfg keeper.Config) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(name, []byte("dataDir="+cfg.DataDir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestBackupThatIsCut finds an answer that is not what it says.
func TestBackupThatIsCut(t *testing.T) {
	ln, err := env.Real().Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		size := 9
		if strings.HasPrefix(r.URL.Path, "/whole") {
			size = 8
		}
		w.Header().Set("snapshot_size", fmt.Sprint(size))
		_, _ = io.WriteString(w, "nonsense")
	})}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	file := filepath.Join(t.TempDir(), "backup")
	for url, want := range map[string]string{"/cut": "8 bytes came of 9", "/whole": "no snapshot of ZooKeeper"} {
		out, errs, code := verb.Do(t, "", "keeper", "backup", "--server", ln.Addr().String(), "--command-url", url, "--to", file)
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d\n%s%s", url, code, out, errs)
		}
	}
}
