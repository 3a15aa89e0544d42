package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/test/port"
)

// ClusterSize is how many brokers a Cluster has.
const ClusterSize = 3

// Cluster is three brokers over an ensemble of one process, all on this
// machine. Its methods are called by one goroutine.
type Cluster struct {
	name    string
	dir     string
	keeper  broker
	brokers [ClusterSize]broker
}

// clustered are the samples for brokers that are three: ids and addresses are
// added.
var clustered = func() []string {
	var out []string
	for _, l := range samples {
		key, _, _ := strings.Cut(l, "=")
		switch key {
		case "broker.id":
			continue
		case "offsets.topic.replication.factor", "transaction.state.log.replication.factor":
			l = key + "=3"
		case "transaction.state.log.min.isr":
			l = key + "=2"
		}
		out = append(out, l)
	}
	return out
}()

// NewGregorCluster prepares a keeper process and three brokers in a fresh
// directory below parent.
func NewGregorCluster(binary, parent string) (*Cluster, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	return newCluster("gregor", parent, func(dir, name, config string) []string {
		verb := "server"
		if name == keeperName {
			verb = "keeper"
		}
		return []string{binary, verb, "--config", config}
	})
}

// NewApacheCluster prepares ZooKeeper and three brokers of Apache Kafka in a
// fresh directory below parent. The jars are those of FetchJars.
func NewApacheCluster(jars, parent string) (*Cluster, error) {
	classpath := filepath.Join(jars, "*")
	c, err := newCluster("Apache Kafka "+KafkaVersion, parent, func(dir, name, config string) []string {
		if name == keeperName {
			return java(dir, "zookeeper", "512M", classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
		}
		return java(dir, "kafkaServer", "1G", classpath, "kafka.Kafka", config)
	})
	if err != nil {
		return nil, err
	}
	for _, b := range c.all() {
		if err := writeProperties(filepath.Join(b.dir, "log4j.properties"), log4j...); err != nil {
			return nil, err
		}
	}
	return c, nil
}

const keeperName = "zookeeper"

// newCluster writes the configurations; argv is the command line of a process
// with a directory of its own.
func newCluster(title, parent string, argv func(dir, name, config string) []string) (*Cluster, error) {
	root, err := os.MkdirTemp(parent, "cluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{name: title, dir: root}
	prepare := func(b *broker, name string, lines func() []string) error {
		p, err := port.Free()
		if err != nil {
			return err
		}
		b.addr, b.dir = port.Loopback(p), filepath.Join(root, name)
		if err := os.Mkdir(b.dir, 0o755); err != nil {
			return err
		}
		config := filepath.Join(b.dir, name+".properties")
		b.launch = func() (*process, error) { return start(b.dir, name, nil, argv(b.dir, name, config)...) }
		return writeProperties(config, lines()...)
	}
	err = prepare(&c.keeper, keeperName, func() []string {
		_, port, _ := net.SplitHostPort(c.keeper.addr)
		return []string{"dataDir=" + filepath.Join(c.keeper.dir, "data"), "clientPort=" + port, "maxClientCnxns=0", "admin.enableServer=false"}
	})
	for i := range c.brokers {
		b := &c.brokers[i]
		err = errors.Join(err, prepare(b, fmt.Sprint("broker-", i), func() []string {
			return append(slices.Clone(clustered), fmt.Sprint("broker.id=", i), "listeners=PLAINTEXT://"+b.addr,
				"log.dirs="+filepath.Join(b.dir, "logs"), "zookeeper.connect="+c.keeper.addr)
		}))
	}
	return c, err
}

func (c *Cluster) all() []*broker {
	out := []*broker{&c.keeper}
	for i := range c.brokers {
		out = append(out, &c.brokers[i])
	}
	return out
}

// Name is what tables call it.
func (c *Cluster) Name() string { return c.name }

// Addrs are where clients connect, by broker id.
func (c *Cluster) Addrs() []string {
	var out []string
	for i := range c.brokers {
		out = append(out, c.brokers[i].addr)
	}
	return out
}

// ZooKeeper is where ZooKeeper's clients connect.
func (c *Cluster) ZooKeeper() string { return c.keeper.addr }

// Start starts all processes and returns when every broker knows all. Broker 0
// becomes the controller.
func (c *Cluster) Start(ctx context.Context) error {
	if _, err := c.keeper.Start(ctx, accepts); err != nil {
		return err
	}
	for i := range c.brokers {
		if _, err := c.brokers[i].Start(ctx, Ready); err != nil {
			return err
		}
	}
	for _, addr := range c.Addrs() {
		if err := load.WaitBrokers(ctx, addr, ClusterSize); err != nil {
			return err
		}
	}
	return nil
}

// accepts returns when something accepts connections.
func accepts(ctx context.Context, addr string) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		nc, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return nc.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Kill ends a broker with SIGKILL.
func (c *Cluster) Kill(broker int) { c.brokers[broker].Kill() }

// Usage is that of each broker that runs, and of the ensemble.
func (c *Cluster) Usage() (brokers []Usage, keeper Usage, err error) {
	for i := range c.brokers {
		p := c.brokers[i].process
		if p == nil || p.ended() {
			continue
		}
		u, err := usageOf(p.cmd.Process.Pid)
		if err != nil {
			return nil, Usage{}, err
		}
		brokers = append(brokers, u)
	}
	keeper, err = usageOf(c.keeper.process.cmd.Process.Pid)
	return brokers, keeper, err
}

// Close kills every process and removes the directory.
func (c *Cluster) Close() error {
	for _, b := range slices.Backward(c.all()) {
		b.process.kill()
	}
	return os.RemoveAll(c.dir)
}
