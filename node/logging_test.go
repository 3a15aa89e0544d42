package node

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	var out bytes.Buffer
	l := NewLevels(&out, slog.LevelWarn)
	server, api := l.Logger("server").With("peer", "p").WithGroup("g"), l.Logger("api")
	shown := func() string {
		out.Reset()
		server.Debug("from server", "k", "v")
		api.Debug("from api")
		return out.String()
	}
	f := func(logger, level, contains string) {
		t.Helper()
		if err := l.SetLevel(logger, level); err != nil {
			t.Fatal(err)
		}
		if got := shown(); contains == "" && got != "" || !strings.Contains(got, contains) {
			t.Errorf("%s at %s shows %q", logger, level, got)
		}
	}
	f("server", "INFO", "")
	f("server", "debug", "subsystem=server peer=p g.k=v")
	f("server", "FATAL", "")
	f("root", "TRACE", "from api")
	if strings.Contains(shown(), "from server") {
		t.Error("a logger with its own level follows root")
	}
	if err := l.ResetLevel("server"); err != nil || !strings.Contains(shown(), "from server") {
		t.Errorf("reset: %v", err)
	}
	if err := l.ResetLevel("root"); err != nil || shown() != "" {
		t.Errorf("reset root: %v", err)
	}
	for _, name := range []string{"root", "api", "server"} {
		if level, ok := l.Level(name); level != "WARN" || !ok {
			t.Errorf("%s is at %s", name, level)
		}
	}
	if got := l.Names(); !slices.Equal(got, []string{"api", "root", "server"}) {
		t.Errorf("names %v", got)
	}
	if _, ok := l.Level("nobody"); ok || l.SetLevel("nobody", "INFO") == nil || l.ResetLevel("nobody") == nil || l.SetLevel("api", "LOUD") == nil {
		t.Error("a logger or level that does not exist")
	}
	if slices.Contains(l.Names(), "nobody") {
		t.Error("asking made a logger")
	}
}
