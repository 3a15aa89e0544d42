package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	brokerCount = 3
	// diskCount is how many log directories a broker has, each a disk.
	diskCount = 2
	// session is the brokers' ZooKeeper session timeout.
	session = 2 * time.Second
	// socketTimeout is how long brokers wait for each other's answers: a line
	// that was cut must not be noticed long after it was joined.
	socketTimeout = 2 * time.Second
	// patience bounds every wait; what takes longer hangs.
	patience = 60 * time.Second
)

// machine is a host with the one process that runs on it.
type machine struct {
	host
	t     *testing.T
	args  []string
	up    string // what the process writes when it serves
	disks []*disk
	lives []*gregor.Process
}

// cluster is three brokers and a keeper.
type cluster struct {
	t       *testing.T
	dir     string
	keeper  *machine
	brokers []*machine
	// struck are the brokers that the faults at work have hit, and loneFault
	// says that no more of them come before all is mended.
	struck    []*machine
	loneFault bool
}

// newCluster builds the hosts and their configurations and starts nothing.
func newCluster(t *testing.T, rng *rand.Rand) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: filepath.Join(scratch, "cluster")}
	must(t, newBridge())
	t.Cleanup(func() {
		if err := removeBridge(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := os.RemoveAll(c.dir); err != nil {
			t.Error(err)
		}
	})
	c.keeper = c.newMachine("keeper", 2, "listens on")
	zoo := c.write("keeper", "zoo.cfg", map[string]string{
		"dataDir": filepath.Join(c.dir, "keeper", "data"), "clientPort": "2181", "clientPortAddress": c.keeper.ip,
		"tickTime": "200", "maxClientCnxns": "0", "snapCount": pick(rng, "50", "1000"), "4lw.commands.whitelist": "*",
	})
	c.keeper.args = []string{"keeper", "--config", zoo, "--log-level", "INFO"}
	common := brokerSettings(rng)
	t.Logf("brokers have %v", common)
	for id := range brokerCount {
		m := c.newMachine(fmt.Sprintf("broker-%d", id), 10+id, " is up after ")
		all := map[string]string{"broker.id": fmt.Sprint(id), "listeners": fmt.Sprintf("PLAINTEXT://%s:9092", m.ip), "zookeeper.connect": c.keeper.ip + ":2181"}
		var dirs []string
		for n := range diskCount {
			d, err := newDisk(filepath.Join(c.dir, m.name, fmt.Sprintf("disk-%d", n)))
			must(t, err)
			t.Cleanup(func() {
				if err := d.remove(); err != nil {
					t.Error(err)
				}
			})
			m.disks = append(m.disks, d)
			dirs = append(dirs, filepath.Join(d.dir, "logs"))
		}
		all["log.dirs"] = strings.Join(dirs, ",")
		maps.Copy(all, common)
		m.args = []string{"server", "--config", c.write(m.name, "server.properties", all), "--log-level", "INFO"}
		c.brokers = append(c.brokers, m)
	}
	t.Cleanup(c.end)
	return c
}

// brokerSettings are what all brokers share, as the seed chooses.
func brokerSettings(rng *rand.Rand) map[string]string {
	millis := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
	return map[string]string{
		"zookeeper.session.timeout.ms": millis(session),
		// Brokers that are started before the keeper is wait for it: the controller
		// takes 30 s to stop without.
		"zookeeper.connection.timeout.ms": millis(brokerCount * patience),
		"replica.lag.time.max.ms":         pick(rng, "1500", "4000"), "replica.socket.timeout.ms": millis(socketTimeout),
		"controller.socket.timeout.ms": millis(socketTimeout), "num.replica.fetchers": pick(rng, "1", "3"),
		"replica.fetch.max.bytes":    pick(rng, "20000", "1048576"),
		"default.replication.factor": fmt.Sprint(brokerCount), "min.insync.replicas": "2",
		"offsets.topic.replication.factor": fmt.Sprint(brokerCount), "offsets.topic.num.partitions": "3",
		"transaction.state.log.replication.factor": fmt.Sprint(brokerCount), "transaction.state.log.min.isr": "2",
		"auto.create.topics.enable": "false", "group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
		// Leaders go home between rounds, so that every broker has some to lose.
		"leader.imbalance.check.interval.seconds": "3", "leader.imbalance.per.broker.percentage": "0",
		"controlled.shutdown.retry.backoff.ms":    "500",
		"log.flush.offset.checkpoint.interval.ms": "500", "replica.high.watermark.checkpoint.interval.ms": pick(rng, "100", "5000"),
		"log.index.interval.bytes": pick(rng, "0", "4096"),
	}
}

func (c *cluster) newMachine(name string, number int, up string) *machine {
	c.t.Helper()
	h, err := newHost(name, number)
	must(c.t, err)
	c.t.Cleanup(func() {
		if err := h.remove(); err != nil {
			c.t.Error(err)
		}
	})
	must(c.t, os.MkdirAll(filepath.Join(c.dir, name), 0o755))
	return &machine{host: h, t: c.t, up: up}
}

func (c *cluster) write(folder, name string, properties map[string]string) string {
	c.t.Helper()
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", k, properties[k])
	}
	path := filepath.Join(c.dir, folder, name)
	must(c.t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

func (c *cluster) machines() []*machine { return append([]*machine{c.keeper}, c.brokers...) }

// launch starts the process of a machine, and ready waits until it serves.
func (m *machine) launch() {
	m.t.Helper()
	m.lives = append(m.lives, gregor.RunUnder(m.t, m.enter(), scratch, m.args...))
}

func (m *machine) ready() {
	m.t.Helper()
	if err := m.process().Await(m.t.Context(), m.up, patience); err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
}

// process is the life that a machine's process is in.
func (m *machine) process() *gregor.Process { return m.lives[len(m.lives)-1] }

// kill is kill -9.
func (m *machine) kill() {
	m.t.Helper()
	m.alive()
	m.process().Kill()
}

func (m *machine) signal(s syscall.Signal) {
	m.t.Helper()
	must(m.t, m.process().Signal(s))
}

// alive fails the test when the process ended by itself, panicked or raced.
func (m *machine) alive() {
	m.t.Helper()
	if m.process().Ended() {
		m.t.Fatalf("%s ended by itself", m.name)
	}
	m.sane()
}

func (m *machine) sane() {
	m.t.Helper()
	if err := m.process().Trouble(); err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
}

// end stops what still runs at the end of a test, whatever state it is in.
func (c *cluster) end() {
	for _, m := range c.machines() {
		if len(m.lives) > 0 {
			m.process().Kill()
		}
	}
}

// stop ends the brokers cleanly, and then the keeper.
func (c *cluster) stop() {
	c.t.Helper()
	for _, m := range append(slices.Clone(c.brokers), c.keeper) {
		if err := m.process().Terminate(c.t.Context()); err != nil {
			c.t.Fatalf("%s: %v", m.name, err)
		}
		m.sane()
	}
}

func (c *cluster) addresses() []string {
	var out []string
	for _, b := range c.brokers {
		out = append(out, b.ip+":9092")
	}
	return out
}

// metadata asks each broker for all topics; a broker that does not answer has nil.
func (c *cluster) metadata(ctx context.Context) []*kmsg.MetadataResponse {
	out := make([]*kmsg.MetadataResponse, len(c.brokers))
	for id, addr := range c.addresses() {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DialTimeout(time.Second), kgo.RequestRetries(0))
		must(c.t, err)
		bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
		if resp, err := kmsg.NewPtrMetadataRequest().RequestWith(bounded, cl.SeedBrokers()[0]); err == nil {
			out[id] = resp
		}
		cancel()
		cl.Close()
	}
	return out
}

// settled waits until every broker knows all brokers, the same controller, and
// all partitions with all their replicas in sync.
func (c *cluster) settled() {
	c.t.Helper()
	gregor.Eventually(c.t, patience, "the cluster settles", func() error {
		for _, m := range c.machines() {
			m.alive()
		}
		all := c.metadata(c.t.Context())
		for id, resp := range all {
			if err := whole(resp); err != nil {
				return fmt.Errorf("broker %d says: %w", id, err)
			}
			if resp.ControllerID != all[0].ControllerID {
				return fmt.Errorf("controller is %d for broker 0 and %d for broker %d", all[0].ControllerID, resp.ControllerID, id)
			}
		}
		return nil
	})
}

// whole says what a cluster lacks.
func whole(resp *kmsg.MetadataResponse) error {
	if resp == nil {
		return fmt.Errorf("nothing")
	}
	if len(resp.Brokers) != brokerCount || resp.ControllerID < 0 {
		return fmt.Errorf("%d brokers, controller %d", len(resp.Brokers), resp.ControllerID)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 || p.Leader < 0 || len(p.ISR) != brokerCount || len(p.OfflineReplicas) > 0 {
				return fmt.Errorf("%s-%d: error %d, leader %d, replicas %v, in sync %v, offline %v", *t.Topic, p.Partition, p.ErrorCode, p.Leader, p.Replicas, p.ISR, p.OfflineReplicas)
			}
		}
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// between chooses a time.
func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(rng.Int64N(int64(to-from)))
}
