package topics_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/test/verb"
)

// TestTopics: a topic's life by all verbs.
func TestTopics(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(2), gregortest.Property("default.replication.factor", "2"))
	args := func(args ...string) []string {
		return append([]string{"topics", "--bootstrap-server", c.Addrs()[0]}, args...)
	}
	must := func(a ...string) string {
		t.Helper()
		return verb.Must(t, "", args(a...)...)
	}
	verb.Same(t, "dry", must("create", "a", "--dry-run"), "topic a is fit to be made\n")
	verb.Same(t, "create", must("create", "b", "a", "--partitions", "2", "--config", "retention.ms=5000"), "topic a is made\ntopic b is made\n")
	verb.Same(t, "create", must("create", "c", "--replicas", "1", "--json"), "{\"done\":\"made\",\"topic\":\"c\"}\n")
	verb.Eventually(t, "a is known", func() error { _, err := eventually(t, args("describe", "a", "b", "c")); return err })
	verb.Same(t, "list", must("list"), ""+
		"TOPIC  PARTITIONS  REPLICAS  UNDER-REPLICATED\na      2           2         0\nb      2           2         0\nc      1           1         0\n")
	verb.Fails(t, "", args("alter", "c", "--partitions", "1"), "gregor: topic c: INVALID_PARTITIONS: Topic already has 1 partition")
	verb.Fails(t, "", args("create", ""), `topic "": the name is empty`)
	out := must("describe", "a")
	for _, want := range []string{"topic a: 2 partitions, id ", "\n  retention.ms=5000\n", "PARTITION  LEADER  REPLICAS  IN SYNC  OUT OF SYNC\n0 "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	verb.Same(t, "alter", must("alter", "a", "--partitions", "3", "--delete-config", "retention.ms", "--config", "cleanup.policy=compact"), "topic a is altered\n")
	verb.Eventually(t, "a is altered", func() error {
		out, err := eventually(t, args("describe", "a", "--json"))
		if err != nil {
			return err
		}
		var a struct {
			Partitions []struct {
				Replicas []int32
				InSync   []int32 `json:"in_sync"`
			}
			Config map[string]string
		}
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			return err
		}
		if len(a.Partitions) != 3 || len(a.Partitions[2].InSync) != 2 || len(a.Config) != 1 || a.Config["cleanup.policy"] != "compact" {
			return unlike(out)
		}
		return nil
	})
	verb.Same(t, "delete", must("delete", "a", "c"), "topic a is deleted\ntopic c is deleted\n")
	verb.Eventually(t, "they are gone", func() error {
		if out := must("list", "--json"); strings.Count(out, "\n") != 1 || !strings.Contains(out, `"topic":"b"`) {
			return unlike(out)
		}
		return nil
	})
}

type unlike string

func (u unlike) Error() string { return "not yet: " + string(u) }

func eventually(t *testing.T, args []string) (string, error) {
	t.Helper()
	out, errs, code := verb.Do(t, "", args...)
	if code != 0 {
		return "", unlike(errs)
	}
	return out, nil
}

func TestRefusals(t *testing.T) {
	c := gregortest.Start(t)
	f := func(args []string, texts ...string) {
		t.Helper()
		verb.Fails(t, "", append([]string{"topics", "--bootstrap-server", c.Addrs()[0]}, args...), texts...)
	}
	f([]string{"create", "a", "--replicas", "3"}, "topic a: INVALID_REPLICATION_FACTOR", "larger than available brokers")
	f([]string{"create", "a", "--partitions", "0"}, "--partitions 0")
	f([]string{"create", "a", "--config", "retention.ms"}, `--config "retention.ms": want NAME=VALUE`)
	f([]string{"create", "a", "--config", "retention.ms=soon"}, "topic a: INVALID_CONFIG", "retention.ms")
	f([]string{"create", "a/b"}, "topic a/b: INVALID_TOPIC")
	f([]string{"create"}, "requires at least 1 arg")
	f([]string{"describe", "none"}, "topic none: UNKNOWN_TOPIC_OR_PARTITION")
	f([]string{"delete", "none"}, "topic none: UNKNOWN_TOPIC_OR_PARTITION")
	f([]string{"alter", "none", "--partitions", "3"}, "topic none: UNKNOWN_TOPIC_OR_PARTITION")
	f([]string{"alter", "none"}, "nothing to alter")
	verb.Must(t, "", "topics", "--bootstrap-server", c.Addrs()[0], "create", "a", "--partitions", "2")
	f([]string{"create", "a"}, "topic a: TOPIC_ALREADY_EXISTS")
	f([]string{"alter", "a", "--partitions", "1"}, "topic a: INVALID_PARTITIONS")
}
