package gregortest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/fault"
	"github.com/gregor-mq/gregor/node"
)

// Broker is one broker of a cluster, running or not. Its methods fail the test
// when they cannot do what they say.
type Broker struct {
	c       *Cluster
	id      int
	dir     string
	machine *fault.Host
	mu      struct {
		sync.Mutex
		node *node.Node // nil while it does not run
		out  *output    // of this life
		port int        // 0 before the first start
		// held keeps the port from others while the broker does not run.
		held io.Closer
	}
}

// Side is what a broker can be cut off from.
type Side int

// The sides of Isolate.
const (
	Peers     Side = iota + 1 // the other brokers
	ZooKeeper                 // the cluster's ZooKeeper
	Clients                   // everybody else
)

func newBroker(c *Cluster, id int, dir string) *Broker {
	return &Broker{c: c, id: id, dir: dir, machine: c.network.Host(hostName(id), env.Real(), fault.Options{})}
}

// hostName is what the network knows a broker by.
func hostName(id int) string { return fmt.Sprintf("broker %d", id) }

// ID returns broker.id.
func (b *Broker) ID() int { return b.id }

// Addr returns the address on which the broker listens, or listened, host:port.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.mu.port))
}

// Dir returns the broker's log directory.
func (b *Broker) Dir() string { return b.dir }

// Kill ends the broker as kill -9 does: nothing more is written or sent, its
// connections break, and ZooKeeper keeps its session until it expires. When Kill
// returns the broker is gone. It does nothing to one that does not run.
func (b *Broker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.node == nil {
		return
	}
	b.mu.out.mute()
	b.machine.Kill()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.mu.node.Stop(ctx) // to collect its goroutines; what the dead say is of no interest
	b.c.t.Helper()
	b.goneLocked()
}

// goneLocked notes that the broker does not run any more.
func (b *Broker) goneLocked() {
	b.mu.node = nil
	held, err := holdPort(b.mu.port)
	if err != nil {
		b.c.t.Errorf("gregortest: keep the port of broker %d: %v", b.id, err)
		return
	}
	b.mu.held = held
}

// Stop ends the broker cleanly, as SIGTERM does: leaders move away, logs are
// flushed, the session is closed. It does nothing to one that does not run.
func (b *Broker) Stop() {
	b.c.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.node == nil {
		return
	}
	b.machine.Resume()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errPatience)
	defer cancel()
	if err := b.mu.node.Stop(ctx); err != nil {
		b.c.t.Errorf("gregortest: stop broker %d: %v", b.id, err)
	}
	b.goneLocked()
}

// Restart starts the broker, on its old address and with its old data; one that
// runs is stopped cleanly before. It returns when the broker serves.
func (b *Broker) Restart() {
	b.c.t.Helper()
	b.Stop()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errPatience)
	defer cancel()
	var err error
	pprof.Do(ctx, pprof.Labels(labelKey, b.c.label), func(ctx context.Context) { err = b.start(ctx) })
	if err != nil {
		b.c.t.Fatalf("gregortest: restart broker %d: %v", b.id, err)
	}
}

// Pause freezes the broker as SIGSTOP does: its timers, network and disk stand
// still, its connections stay open.
func (b *Broker) Pause() {
	b.c.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.node == nil {
		b.c.t.Errorf("gregortest: pause broker %d: it does not run", b.id)
		return
	}
	b.machine.Pause()
}

// Resume lets a paused broker go on.
func (b *Broker) Resume() { b.machine.Resume() }

// Isolate cuts the broker off, from all sides if none is named: what is sent
// either way does not arrive, and connections stay open, until Heal.
func (b *Broker) Isolate(from ...Side) {
	if len(from) == 0 {
		from = []Side{Peers, ZooKeeper, Clients}
	}
	self := b.machine.Name()
	for _, side := range from {
		for _, other := range b.beyond(side) {
			b.c.network.Cut(self, other)
			b.c.network.Cut(other, self)
		}
	}
}

// beyond returns the hosts on one side.
func (b *Broker) beyond(side Side) []string {
	switch side {
	case ZooKeeper:
		return []string{keeperName}
	case Clients:
		return []string{fault.Outside}
	}
	var out []string
	for _, p := range b.c.brokers {
		if p != b {
			out = append(out, p.machine.Name())
		}
	}
	return out
}

// Heal ends the broker's isolation: what was held back arrives.
func (b *Broker) Heal() {
	self := b.machine.Name()
	for _, side := range []Side{Peers, ZooKeeper, Clients} {
		for _, other := range b.beyond(side) {
			b.c.network.Mend(self, other)
			b.c.network.Mend(other, self)
		}
	}
}

// start starts the broker, on the port that it had before.
func (b *Broker) start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg, err := b.configLocked()
	if err != nil {
		return err
	}
	if err := b.releasePortLocked(); err != nil {
		return err
	}
	b.mu.out = &output{t: b.c.t, who: b.machine.Name()}
	n, err := node.Start(ctx, node.Options{Config: cfg, Env: b.machine.Boot(), Levels: b.c.levels(b.mu.out)})
	if err != nil {
		b.mu.out.mute()
		return err
	}
	tcp, ok := n.Listeners()[0].Addr.(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("listener at %v", n.Listeners()[0].Addr)
	}
	b.mu.node, b.mu.port = n, tcp.Port
	return nil
}

func (b *Broker) configLocked() (*config.Broker, error) {
	all := maps.Clone(b.c.options.properties)
	all["broker.id"] = strconv.Itoa(b.id)
	all["listeners"] = fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", b.mu.port)
	all["log.dirs"] = b.dir
	all["zookeeper.connect"] = b.c.zookeeper
	if racks := b.c.options.racks; len(racks) > 0 {
		all["broker.rack"] = racks[b.id%len(racks)]
	}
	var overrides []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		overrides = append(overrides, name+"="+all[name])
	}
	// An empty file, not none: defaults are Kafka's.
	cfg, warnings, err := config.Load(config.Source{File: []byte{}, Overrides: overrides})
	for _, w := range warnings {
		if w.Unknown {
			return nil, fmt.Errorf("property %s: Kafka knows none of that name", w.Name)
		}
		b.c.t.Logf("gregortest: broker %d: %s", b.id, w)
	}
	return cfg, err
}

func (b *Broker) releasePortLocked() error {
	held := b.mu.held
	b.mu.held = nil
	if held == nil {
		return nil
	}
	return held.Close()
}

// close ends what outlives a broker's lives and names what they left open.
func (b *Broker) close() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.machine.Left()
	if err := b.releasePortLocked(); err != nil {
		left = append(left, err.Error())
	}
	return left
}
