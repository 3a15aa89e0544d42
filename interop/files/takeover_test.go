//go:build interop

package files

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
)

// TestTakeOver passes one directory and one ensemble from Apache to gregor and
// back. Each must find all that the other wrote, offsets of groups included.
// The ensemble is gregor's keeper or Apache's ZooKeeper.
func TestTakeOver(t *testing.T) {
	ensembles := map[string]func(peer.Scope) *peer.Ensemble{
		"keeper":    func(s peer.Scope) *peer.Ensemble { return peer.GregorKeeper(s, peer.ZooKeeperOptions{}) },
		"zookeeper": func(s peer.Scope) *peer.Ensemble { return peer.ZooKeeper(s, "3.8.4", peer.ZooKeeperOptions{}) },
	}
	for name, ensemble := range ensembles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zk, dir := ensemble(t), t.TempDir()
			options := peer.Options{ZooKeeper: zk.Addr, LogDir: dir, Properties: map[string]string{"log.retention.ms": "-1", "zookeeper.session.timeout.ms": "6000"}}
			old := options
			old.Properties = oldBroker
			apache := peer.Kafka(t, "3.9.1", old)
			topics := writeEverything(t, apache)
			commitTo(t, apache, "readers", "plain")
			all := everything(t, apache, topics)
			apache.Stop(t)

			gregor := peer.Gregor(t, options)
			compareAll(t, "gregor after Apache", all, everything(t, gregor, topics))
			if got := committedOf(t, gregor, "readers", "plain"); got != "1000" {
				t.Errorf("gregor found %s committed", got)
			}
			fill(t, gregor, "plain", "plain")
			createTopic(t, gregor, "fresh", "segment.bytes=3000")
			fill(t, gregor, "fresh", "plain")
			topics = append(topics, "fresh")
			commitTo(t, gregor, "readers", "plain")
			all = everything(t, gregor, topics)
			gregor.Stop(t)

			apache = peer.Kafka(t, "3.9.1", options)
			compareAll(t, "Apache after gregor", all, everything(t, apache, topics))
			if got := committedOf(t, apache, "readers", "plain"); got != "2000" {
				t.Errorf("Apache found %s committed", got)
			}
			fill(t, apache, "fresh", "plain")
			all = everything(t, apache, topics)
			apache.Kill(t)

			gregor = peer.Gregor(t, options)
			compareAll(t, "gregor after a killed Apache", all, everything(t, gregor, topics))
			fill(t, gregor, "fresh", "plain")
			all = everything(t, gregor, topics)
			gregor.Kill(t)
			sessionEnds(t, zk) // Apache does not wait for it

			apache = peer.Kafka(t, "3.9.1", options)
			compareAll(t, "Apache after a killed gregor", all, everything(t, apache, topics))
		})
	}
}

// sessionEnds waits until a killed broker's session has expired.
func sessionEnds(t *testing.T, zk *peer.Ensemble) {
	t.Helper()
	peer.Eventually(t, 30*time.Second, func() error {
		dump, err := zk.Word("dump")
		if err == nil && strings.Contains(dump, "/brokers/ids/0") {
			err = errors.New("the broker is still registered")
		}
		return err
	})
}

func everything(t *testing.T, b *peer.Broker, topics []string) map[string]contents {
	t.Helper()
	out := map[string]contents{}
	for _, topic := range topics {
		for p := range int32(2) {
			out[fmt.Sprintf("%s-%d", topic, p)] = read(t, b, topic, p)
		}
	}
	return out
}

func compareAll(t *testing.T, what string, want, got map[string]contents) {
	t.Helper()
	for name, w := range want {
		same(t, what+": "+name, w, got[name])
	}
}

// commitTo reads a topic to its end as a member of a group.
func commitTo(t *testing.T, b *peer.Broker, group, topic string) {
	t.Helper()
	out, errs, exit := peer.Kcat(t, "", "-b", b.Addr, "-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", topic)
	if exit != 0 || len(out) == 0 {
		t.Fatalf("read %s: exit %d, %s", topic, exit, errs)
	}
}

// committedOf sums the offsets of a group up, as Apache's tool shows them.
func committedOf(t *testing.T, b *peer.Broker, group, topic string) string {
	t.Helper()
	out, errs, exit := peer.Tool(t, "kafka-consumer-groups", "--bootstrap-server", b.Addr, "--timeout", "60000", "--describe", "--group", group)
	if exit != 0 {
		t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
	}
	total := 0
	for l := range strings.Lines(out) {
		f := strings.Fields(l)
		if slices.Contains(f, topic) && len(f) > 3 {
			var n int
			fmt.Sscan(f[3], &n)
			total += n
		}
	}
	return fmt.Sprint(total)
}
