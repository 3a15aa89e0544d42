//go:build interop

package clients

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

var broker = peer.Once(func(s peer.Scope) *peer.Broker { return peer.Target(s, peer.Options{}) })

// name returns a name of a topic or group for this test.
func name(t *testing.T, suffix string) string {
	return strings.NewReplacer("/", ".", "#", "-").Replace(t.Name()) + "." + suffix
}

// tool runs one of Kafka's scripts, which must succeed, and returns what it
// printed.
func tool(t *testing.T, script string, args ...string) string {
	t.Helper()
	return toolWithInput(t, "", script, args...)
}

func toolWithInput(t *testing.T, stdin, script string, args ...string) string {
	t.Helper()
	out, errs, exit := peer.ToolWithInput(t, stdin, script, args...)
	if exit != 0 {
		t.Fatalf("%s %s: exit %d\n%s\n%s", script, strings.Join(args, " "), exit, out, errs)
	}
	return out
}

// createTopic makes a topic with the tool of Apache.
func createTopic(t *testing.T, b *peer.Broker, topic string, partitions int, configs ...string) {
	t.Helper()
	args := []string{"--bootstrap-server", b.Addr, "--create", "--topic", topic, "--partitions", fmt.Sprint(partitions)}
	for _, c := range configs {
		args = append(args, "--config", c)
	}
	if out := tool(t, "kafka-topics", args...); !strings.Contains(out, "Created topic "+topic+".") {
		t.Fatalf("create %s: %s", topic, out)
	}
}

// lines splits output into lines, without blank ones.
func lines(out string) []string {
	all := strings.Split(out, "\n")
	return slices.DeleteFunc(all, func(l string) bool { return strings.TrimSpace(l) == "" })
}

// numbered returns n distinct lines, larger than a batch when n is.
func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("line %06d of %d", i, n)
	}
	return out
}

// row returns the fields of the first line that has all of the words.
func row(t *testing.T, out string, words ...string) []string {
	t.Helper()
	for _, l := range lines(out) {
		f := strings.Fields(l)
		if !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(f, w) }) {
			return f
		}
	}
	t.Fatalf("no line with %q in\n%s", words, out)
	return nil
}
