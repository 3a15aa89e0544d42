//go:build interop

package keeper

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

// TestUnderALiveKafka takes ZooKeeper away from a broker that runs, and puts gregor's
// keeper with its data in its place, and then Apache ZooKeeper with the keeper's. The
// broker keeps its session over both; it is started anew on both, too.
func TestUnderALiveKafka(t *testing.T) {
	port := peer.Port(t)
	options := func(dir string) peer.ZooKeeperOptions {
		return peer.ZooKeeperOptions{DataDir: dir, Port: port, Properties: properties(nil)}
	}
	apache := peer.ZooKeeper(t, "3.8.4", options(""))
	broker := peer.Kafka(t, "3.9.1", peer.Options{ZooKeeper: apache.Addr, Properties: map[string]string{"zookeeper.session.timeout.ms": "60000"}})
	out, errs, exit := peer.Tool(t, "kafka-topics", "--bootstrap-server", broker.Addr, "--create", "--topic", "orders", "--partitions", "3", "--config", "retention.ms=-1")
	if exit != 0 {
		t.Fatalf("create a topic: exit %d\n%s%s", exit, out, errs)
	}
	log := &orders{t: t, broker: broker}
	log.more()
	registered := registration(t, apache.Addr)
	apache.Kill(t)

	to := filepath.Join(t.TempDir(), "keeper")
	run(t, "keeper", "check", "--dir", apache.DataDir)
	run(t, "keeper", "import", "--from", apache.DataDir, "--to", to)
	keeper := peer.GregorKeeper(t, options(to))
	createTopic(t, broker, "on-gregor") // the controller writes again
	log.more()
	if now := registration(t, keeper.Addr); now != registered {
		t.Errorf("the broker registered anew: %s, was %s", now, registered)
	}
	broker.Stop(t)
	broker.Start(t)
	registered = registration(t, keeper.Addr)
	log.more()
	keeper.Stop(t)

	back := filepath.Join(t.TempDir(), "zookeeper")
	run(t, "keeper", "check", "--dir", to)
	run(t, "keeper", "export", "--from", to, "--to", back)
	apache = peer.ZooKeeper(t, "3.9.4", options(back))
	createTopic(t, broker, "on-apache")
	log.more()
	if now := registration(t, apache.Addr); now != registered {
		t.Errorf("the broker registered anew: %s, was %s", now, registered)
	}
	broker.Stop(t)
	broker.Start(t)
	log.more()
	out, errs, exit = peer.Tool(t, "kafka-topics", "--bootstrap-server", broker.Addr, "--list")
	for _, topic := range []string{"orders", "on-gregor", "on-apache"} {
		if !strings.Contains(out, topic+"\n") {
			t.Errorf("no topic %s: exit %d\n%s%s", topic, exit, out, errs)
		}
	}
}

// run runs a verb that must succeed.
func run(t *testing.T, args ...string) {
	t.Helper()
	out, errs, exit := peer.RunGregor(t, "", args...)
	if exit != 0 {
		t.Fatalf("%s: exit %d\n%s%s", strings.Join(args, " "), exit, out, errs)
	}
}

func createTopic(t *testing.T, b *peer.Broker, topic string) {
	t.Helper()
	out, errs, exit := peer.Tool(t, "kafka-topics", "--bootstrap-server", b.Addr, "--create", "--topic", topic)
	if exit != 0 {
		t.Fatalf("create %s: exit %d\n%s%s", topic, exit, out, errs)
	}
}

// orders is a topic of which every record is known.
type orders struct {
	t      *testing.T
	broker *peer.Broker
	n      int
}

// more produces some records, and consumes all from the beginning.
func (o *orders) more() {
	o.t.Helper()
	var lines strings.Builder
	for range 200 {
		o.n++
		fmt.Fprintf(&lines, "order %d\n", o.n)
	}
	if out, errs, exit := peer.Kcat(o.t, lines.String(), "-P", "-b", o.broker.Addr, "-t", "orders", "-X", "acks=all"); exit != 0 {
		o.t.Fatalf("produce: exit %d\n%s%s", exit, out, errs)
	}
	out, errs, exit := peer.Kcat(o.t, "", "-C", "-b", o.broker.Addr, "-t", "orders", "-e", "-q", "-o", "beginning")
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		seen[line] = true
	}
	if exit != 0 || len(seen) != o.n {
		o.t.Fatalf("consume: exit %d, %d of %d records\n%s", exit, len(seen), o.n, errs)
	}
}

// registration tells which node the broker made, in which session.
func registration(t *testing.T, addr string) string {
	t.Helper()
	c := connect(t, addr, longSession, nil)
	defer c.nc.Close()
	st := c.exists("/brokers/ids/0")
	if st == nil || st.EphemeralOwner == 0 {
		t.Fatalf("the broker is not registered: %+v", st)
	}
	return fmt.Sprintf("czxid 0x%x of session 0x%x", st.Czxid, st.EphemeralOwner)
}
