package cli

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/node"
)

// screen tells on one screen what listens where, where data lies and what to
// type next.
func (p Program) screen(n *node.Node, profile bool, took time.Duration) {
	cfg := n.Config()
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "gregor broker %d of cluster %s is up after %d ms\n\n", cfg.ID, n.ClusterID(), took.Milliseconds())
	bootstrap := ""
	for _, l := range n.Listeners() {
		line("kafka", "%s (%s)", l.Addr, l.Name)
		if bootstrap == "" {
			bootstrap = l.Addr.String()
		}
	}
	zookeeper := cfg.ZooKeeperConnect
	switch addrs := n.KeeperAddrs(); {
	case len(addrs) > 0:
		line("zookeeper", "%s (embedded)", addrs[0])
		zookeeper = addrs[0].String()
	case cfg.Keeper.Embedded:
		line("zookeeper", "embedded, not on the network (gregor.keeper.client.port=-1)")
	default:
		line("zookeeper", "%s (external)", cfg.ZooKeeperConnect)
	}
	for _, dir := range cfg.LogDirs {
		line("logs", "%s (%d partitions)", dir, n.LogCount())
	}
	if cfg.Keeper.Embedded {
		line("keeper data", "%s", cfg.Keeper.DataDir)
	}
	line("durability", "%s", durability(cfg.Long("log.flush.interval.messages")))
	if profile {
		b.WriteString("\n  one-machine profile, for --override or your own --config:\n")
		for l := range strings.Lines(cfg.FormatProfile()) {
			b.WriteString("    " + l)
		}
	}
	b.WriteString("\n  try\n")
	fmt.Fprintf(&b, "    echo hello | gregor produce --bootstrap-server %s --topic greetings\n", bootstrap)
	fmt.Fprintf(&b, "    gregor consume --bootstrap-server %s --topic greetings --from-beginning --exit-at-end\n", bootstrap)
	if zookeeper != "" {
		fmt.Fprintf(&b, "    gregor zk --zookeeper %s ls -R /brokers\n", zookeeper)
	}
	b.WriteString("  Ctrl-C stops it cleanly.\n")
	fmt.Fprint(p.Out, b.String())
}

// durability says when an acknowledged record is on disk.
func durability(flushMessages int64) string {
	switch flushMessages {
	case math.MaxInt64:
		return "acknowledged records are in the page cache, as with Kafka (log.flush.interval.messages=1 syncs each)"
	case 1:
		return "acknowledged records are on disk (log.flush.interval.messages=1)"
	}
	return fmt.Sprintf("synced to disk every %d records of a partition", flushMessages)
}
