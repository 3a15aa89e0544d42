package gregortest

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/fault"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/node"
)

// Cluster is a running cluster. It ends with its test.
type Cluster struct {
	t       testing.TB
	options options
	levels  func(life *output) *node.Levels
	label   string // of all its goroutines
	network *fault.Network
	brokers []*Broker
	keeper  *keeper.Keeper // nil with ExternalKeeper
	machine *fault.Host    // the keeper's
	out     *output        // the keeper's
	// zookeeper is the connect string of the brokers.
	zookeeper string
}

// patience bounds starts and stops: they take milliseconds, so that what takes
// this long on a busy machine hangs.
const patience = time.Minute

// clusters numbers the clusters of a process.
var clusters atomic.Int64

// Start brings a cluster up and returns when every broker is registered and
// knows all others' metadata. It fails the test when it cannot. The cluster ends
// when the test has ended; clients should be closed before.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	o, level, err := gather(opts)
	if err != nil {
		t.Fatalf("gregortest: %v", err)
	}
	c := &Cluster{
		t: t, options: o, label: fmt.Sprintf("%s#%d", t.Name(), clusters.Add(1)), network: fault.NewNetwork(),
		levels: func(out *output) *node.Levels { return node.NewLevels(out, level) },
	}
	dir := t.TempDir()
	t.Cleanup(c.end) // before the directory goes
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errPatience)
	defer cancel()
	pprof.Do(ctx, pprof.Labels(labelKey, c.label), func(ctx context.Context) { err = c.start(ctx, dir) })
	if err != nil {
		t.Fatalf("gregortest: %v", err)
	}
	return c
}

var errPatience = fmt.Errorf("gave up after %v", patience)

func (c *Cluster) start(ctx context.Context, dir string) error {
	if err := c.startKeeper(ctx, filepath.Join(dir, "keeper")); err != nil {
		return err
	}
	for i := range c.options.brokers {
		c.brokers = append(c.brokers, newBroker(c, i, filepath.Join(dir, fmt.Sprintf("broker-%d", i))))
	}
	errs := make([]error, len(c.brokers))
	run.Each(len(c.brokers), len(c.brokers), func(i int) { errs[i] = c.brokers[i].start(ctx) })
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("broker %d: %w", i, err)
		}
	}
	return nil
}

// keeperName is what the network knows ZooKeeper by.
const keeperName = "zookeeper"

// tick is the keeper's unit of time: sessions end within one of their timeout.
const tick = 250 * time.Millisecond

func (c *Cluster) startKeeper(ctx context.Context, dir string) error {
	if c.zookeeper = c.options.zookeeper; c.zookeeper != "" {
		servers, _, _ := strings.Cut(c.zookeeper, "/")
		for address := range strings.SplitSeq(servers, ",") {
			c.network.Know(strings.TrimSpace(address), keeperName)
		}
		return nil
	}
	cfg := keeper.Config{
		DataDir: dir, Listen: []string{"127.0.0.1:0"}, TickTime: tick, MaxSessionTimeout: time.Minute,
		MaxClientCnxns: -1, FourLetterWords: []string{"*"},
	}
	c.machine = c.network.Host(keeperName, env.Real(), fault.Options{})
	c.out = &output{t: c.t, who: "keeper"}
	var err error
	c.keeper, err = keeper.Start(ctx, cfg, c.machine.Boot(), c.levels(c.out).Logger("keeper"))
	if err != nil {
		return err
	}
	c.zookeeper = c.keeper.Addrs()[0].String()
	return nil
}

// Addrs returns the brokers' addresses, host:port, in the order of their ids. A
// broker keeps its address when it restarts.
func (c *Cluster) Addrs() []string {
	var out []string
	for _, b := range c.brokers {
		out = append(out, b.Addr())
	}
	return out
}

// ZooKeeper returns the connect string of the cluster's ZooKeeper.
func (c *Cluster) ZooKeeper() string { return c.zookeeper }

// Broker returns the broker with an id from 0 to the number of brokers less 1.
func (c *Cluster) Broker(id int) *Broker {
	c.t.Helper()
	if id < 0 || id >= len(c.brokers) {
		c.t.Fatalf("gregortest: Broker(%d): the cluster has brokers 0 to %d", id, len(c.brokers)-1)
	}
	return c.brokers[id]
}

// ClientOptions returns what a franz-go client of this cluster needs: the
// addresses, and metadata that is fresh soon after a failure.
func (c *Cluster) ClientOptions() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(c.Addrs()...), kgo.MetadataMinAge(50 * time.Millisecond)}
}

// Client returns a franz-go client of this cluster, with ClientOptions and those
// given; it is closed when the test ends, before the cluster.
func (c *Cluster) Client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(append(c.ClientOptions(), opts...)...)
	if err != nil {
		c.t.Fatalf("gregortest: %v", err)
	}
	c.t.Cleanup(client.CloseAllowingRebalance)
	return client
}

// Heal ends the isolation of all brokers.
func (c *Cluster) Heal() { c.network.MendAll() }

// end stops everything and looks for what is left.
func (c *Cluster) end() {
	c.Heal()
	run.Each(len(c.brokers), len(c.brokers), func(i int) { c.brokers[i].Kill() })
	var left []string
	for _, b := range c.brokers {
		left = append(left, b.close()...)
	}
	if c.keeper != nil {
		ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errPatience)
		defer cancel()
		if err := c.keeper.Stop(ctx); err != nil {
			c.t.Errorf("gregortest: stop the keeper: %v", err)
		}
	}
	if c.machine != nil {
		left = append(left, c.machine.Left()...)
		c.out.mute()
	}
	for _, what := range append(left, goroutines(c.label, lastBreath)...) {
		c.t.Errorf("gregortest: left behind: %s", what)
	}
}
