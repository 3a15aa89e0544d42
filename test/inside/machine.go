package inside

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/node"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Where the broker and its keeper listen on the memory network.
const (
	Kafka     = "127.0.0.1:9092"
	ZooKeeper = "127.0.0.1:2181"
)

// Machine is a computer that a broker runs on.
type Machine struct {
	Disk *memfs.FS
	Net  *memnet.Net
	// Logs has what the broker wrote, over all its lives.
	Logs *Lines
	// Real makes the broker listen on real loopback ports instead of Net.
	Real bool
	// Properties are set on top of small defaults.
	Properties map[string]string
}

// New returns a machine with a disk of capacity bytes, 0 for one that is large
// enough.
func New(capacity int64, properties map[string]string) *Machine {
	return &Machine{Disk: memfs.New(capacity, time.Now), Net: memnet.New(), Logs: &Lines{}, Properties: properties}
}

func (m *Machine) config() (*config.Broker, error) {
	all := map[string]string{
		"broker.id": "0", "listeners": "PLAINTEXT://" + Kafka, "log.dirs": "/data/logs",
		"gregor.keeper.data.dir": "/data/keeper", "gregor.keeper.client.port": "2181", "gregor.keeper.max.client.connections": "0",
		"offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "3", "group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
		"auto.create.topics.enable": "false", "log.segment.delete.delay.ms": "300",
		// Leaders have nowhere to go, and the network may be cut.
		"controlled.shutdown.enable": "false",
	}
	if m.Real {
		all["listeners"], all["gregor.keeper.client.port"] = "PLAINTEXT://127.0.0.1:0", "0"
	}
	maps.Copy(all, m.Properties)
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", k, all[k])
	}
	b, _, err := config.Load(config.Source{File: []byte(text.String())})
	return b, err
}

// Start brings a broker up on the machine as it is now.
func (m *Machine) Start(ctx context.Context) (*node.Node, error) {
	cfg, err := m.config()
	if err != nil {
		return nil, err
	}
	root, err := node.ParseLevel("WARN")
	if err != nil {
		return nil, err
	}
	e := env.Real()
	e.FS = m.Disk
	if !m.Real {
		e.Net = m.Net
	}
	return node.Start(ctx, node.Options{Config: cfg, Env: e, Levels: node.NewLevels(m.Logs, root)})
}

// stopLimit bounds the polite part of a stop; nothing has to be waited for.
const stopLimit = 20 * time.Second

// Stop ends a broker; nil is none.
func Stop(n *node.Node) error {
	if n == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return n.Stop(ctx)
}

// Options let a client reach the broker over the memory network.
func (m *Machine) Options() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(Kafka), kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		return m.Net.Dial(ctx, network, address)
	})}
}

// PowerCut cuts the network, and then the power: when it returns the machine
// has the disk that is found after it. What a client was told before is a
// promise; the node that ran still has to be stopped, on its old disk.
func (m *Machine) PowerCut(c memfs.Crash) {
	m.Net.Cut()
	m.Disk = m.Disk.CrashClone(c)
}

// Try starts a broker and cuts the power after a while, up or not.
func (m *Machine) Try(ctx context.Context, wait func(), c memfs.Crash) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		n   *node.Node
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		n, err := m.Start(ctx)
		done <- outcome{n, err}
	}()
	wait()
	m.Net.Cut()
	after := m.Disk.CrashClone(c)
	cancel(errPower)
	o := <-done
	m.Disk = after
	if errors.Is(o.err, errPower) {
		o.err = nil
	}
	// How the abandoned broker ends on a disk that is gone is of no interest.
	_ = Stop(o.n)
	return o.err
}

var errPower = errors.New("power cut")
