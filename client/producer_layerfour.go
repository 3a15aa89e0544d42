package client

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// layerFour is the guide of a producer that knows one broker.
type layerFour struct {
	broker seed
	conn   *link.Single
	opts   producerOptions
	env    env.Env
	group  *run.Group
	ch     chan struct{}
	// dials counts connections; from is where the first came from.
	dials atomic.Int32
	from  netip.AddrPort
	mu    struct {
		sync.Mutex
		views map[string]view
		// asking are the topics that the broker is being asked about, asked when it
		// was last.
		asking map[string]bool
		asked  map[string]time.Time
		// trouble is why the last question about a topic led to nothing.
		trouble map[string]error
	}
}

// seed is a broker to choose from; id is -1 when only its address is known.
type seed struct {
	id   int32
	addr string
}

// layerFourBroker chooses one of n brokers for a producer, by a hash (FNV-1a of 32
// bits) of the IP address and the port that its connection comes from.
func layerFourBroker(from netip.AddrPort, n int) int {
	h := fnv.New32a()
	ip := from.Addr().Unmap().AsSlice()
	h.Write(ip)
	h.Write([]byte{byte(from.Port() >> 8), byte(from.Port())})
	return int(h.Sum32() % uint32(n))
}

func newLayerFour(ctx context.Context, zookeeper string, o producerOptions) (*layerFour, error) {
	seeds, err := seedsOf(ctx, zookeeper, o)
	if err != nil {
		return nil, err
	}
	g := &layerFour{opts: o, env: env.Real(), ch: make(chan struct{}, 1), group: run.NewGroup(context.WithoutCancel(ctx))}
	g.mu.views, g.mu.asking, g.mu.asked = map[string]view{}, map[string]bool{}, map[string]time.Time{}
	g.mu.trouble = map[string]error{}
	conn, err := g.choose(ctx, seeds)
	if err != nil {
		return nil, err
	}
	o.log.Info("layer 4", "broker", g.broker.addr, "from", g.from)
	cfg := o.brokers(int16(o.acks))
	// The first connection is the one that chose.
	var first atomic.Pointer[net.Conn]
	first.Store(&conn)
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if c := first.Swap(nil); c != nil {
			return *c, nil
		}
		return g.dial(ctx, network, addr, nil)
	}
	g.conn = link.NewSingle(cfg, g.broker.addr, g.env)
	if err := g.whoIsIt(ctx); err != nil {
		_ = g.close(ctx) // the reason before it is the one to tell
		return nil, err
	}
	return g, nil
}

// seedsOf returns the brokers to choose from, in the same order for everybody.
func seedsOf(ctx context.Context, zookeeper string, o producerOptions) ([]seed, error) {
	var out []seed
	for _, addr := range o.seeds {
		out = append(out, seed{-1, addr})
	}
	if len(out) > 0 {
		return out, nil
	}
	conn, err := o.zookeeper(ctx, zookeeper)
	if err != nil {
		return nil, err
	}
	pic, err := picture.New(ctx, conn, o.log, env.Real())
	if err == nil {
		brokers := pic.Load().Brokers
		for _, id := range slices.Sorted(maps.Keys(brokers)) {
			addr, bad := brokers[id].Addr(o.protocol(), o.listener)
			if bad != nil {
				err = bad
				break
			}
			out = append(out, seed{id, addr})
		}
		pic.Close()
	}
	if cerr := conn.Close(ctx); err == nil && cerr != nil {
		o.log.Warn("zookeeper session is left to expire", "error", cerr)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the brokers from zookeeper: %w", err)
	case len(out) == 0:
		return nil, errors.New("no broker is registered")
	}
	return out, nil
}

// portTries bounds how often another port is taken because somebody was faster.
const portTries = 10

// choose takes a port, has it choose the broker, and connects from there.
func (g *layerFour) choose(ctx context.Context, seeds []seed) (net.Conn, error) {
	var last error
	for range portTries {
		from, err := g.localPort(ctx, seeds[0].addr)
		if err != nil {
			return nil, err
		}
		g.broker = seeds[layerFourBroker(from, len(seeds))]
		conn, err := g.dial(ctx, "tcp", g.broker.addr, net.TCPAddrFromAddrPort(from))
		if err == nil {
			g.from = from
			return conn, nil
		}
		if last = err; !taken(err) {
			break
		}
	}
	return nil, fmt.Errorf("connect to the broker at %s: %w", g.broker.addr, last)
}

// localPort returns the address that this machine has towards another, and a port
// that is free.
func (g *layerFour) localPort(ctx context.Context, towards string) (netip.AddrPort, error) {
	// Connecting a UDP socket sends nothing; it only asks the routing table.
	probe, err := g.env.Net.Dial(ctx, "udp", towards)
	if err != nil {
		return netip.AddrPort{}, err
	}
	host := env.Host(probe.LocalAddr())
	probe.Close()
	l, err := g.env.Net.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return netip.ParseAddrPort(l.Addr().String())
}

// dial connects, from a local address if one is given.
func (g *layerFour) dial(ctx context.Context, network, addr string, from net.Addr) (net.Conn, error) {
	g.dials.Add(1)
	if g.opts.dial != nil {
		return g.opts.dial(ctx, network, addr)
	}
	d := net.Dialer{LocalAddr: from}
	return d.DialContext(ctx, network, addr)
}

// whoIsIt learns the id of the broker, and that it answers. A broker given by its
// address is found in the list of brokers that it has itself.
func (g *layerFour) whoIsIt(ctx context.Context) error {
	r, err := g.metadata(ctx, "")
	if err != nil {
		return err
	}
	for _, b := range r.Brokers {
		switch {
		case g.broker.id >= 0:
			return nil
		case net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))) == g.broker.addr:
			g.broker.id = b.NodeID
			return nil
		}
	}
	return fmt.Errorf("the broker at %s advertises another address: name it by that", g.broker.addr)
}

// metadata asks the broker about a topic, or about none.
func (g *layerFour) metadata(ctx context.Context, topic string) (*kmsg.MetadataResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, g.opts.request)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	if topic != "" {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		req.Topics = append(req.Topics, t)
	}
	resp, err := g.conn.Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", g.broker.addr, err)
	}
	r, ok := resp.(*kmsg.MetadataResponse)
	if !ok {
		return nil, fmt.Errorf("answer to Metadata is a %T", resp)
	}
	return r, nil
}

func (g *layerFour) view(topic string) (view, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, known := g.mu.views[topic]
	return v, known
}

// askEvery is the least time between two questions about a topic. The first is
// asked at once; there is a second when a partition leads nowhere.
const askEvery = time.Second

func (g *layerFour) follow(topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.asking[topic] {
		return
	}
	g.mu.asking[topic] = true
	notBefore := g.mu.asked[topic].Add(askEvery)
	g.group.Light(func() { g.ask(topic, notBefore) })
}

func (g *layerFour) look(topic string, _ int32) { g.follow(topic) }

// unknownTries and unknownEvery bound how long a broker is not believed that a topic
// does not exist: it hears of a new one a moment after the broker that made it.
const (
	unknownTries = 5
	unknownEvery = 100 * time.Millisecond
)

// ask asks about a topic until the answer is of use.
func (g *layerFour) ask(topic string, notBefore time.Time) {
	ctx, clock := g.group.Context(), g.env.Clock
	for unknown := 1; ; {
		if wait := notBefore.Sub(clock.Now()); wait > 0 && env.Sleep(ctx, clock, wait) != nil {
			return
		}
		r, err := g.metadata(ctx, topic)
		var v view
		if err == nil {
			v, err = g.mine(r, topic)
		}
		if err == nil && errors.Is(v.err, ErrNoTopic) && unknown < unknownTries {
			unknown++
			notBefore = clock.Now().Add(unknownEvery)
			continue
		}
		if err == nil {
			g.learned(topic, v)
			return
		}
		if ctx.Err() != nil {
			return
		}
		g.opts.log.Warn("topic is not known", "topic", topic, "error", err)
		g.mu.Lock()
		g.mu.trouble[topic] = err
		g.mu.Unlock()
		notBefore = clock.Now().Add(askEvery)
	}
}

func (g *layerFour) learned(topic string, v view) {
	g.mu.Lock()
	g.mu.views[topic], g.mu.asked[topic] = v, g.env.Clock.Now()
	delete(g.mu.asking, topic)
	delete(g.mu.trouble, topic)
	g.mu.Unlock()
	run.Hint(g.ch)
}

// mine picks from an answer what the broker leads. An error is worth another try.
func (g *layerFour) mine(r *kmsg.MetadataResponse, topic string) (view, error) {
	if len(r.Topics) != 1 {
		return view{}, fmt.Errorf("broker answers about %d topics, asked about one", len(r.Topics))
	}
	t := &r.Topics[0]
	var refusal *kerr.Error
	switch err := kerr.ErrorForCode(t.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return view{err: ErrNoTopic}, nil
	case errors.As(err, &refusal) && refusal.Retriable:
		return view{}, err
	case err != nil:
		return view{err: err}, nil
	}
	var v view
	slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
	for _, p := range t.Partitions {
		if p.Leader == g.broker.id {
			v.numbers, v.leaders = append(v.numbers, p.Partition), append(v.leaders, lane.Leader{ID: p.Leader, Epoch: p.LeaderEpoch})
		}
	}
	if len(v.numbers) == 0 {
		v.err = fmt.Errorf("broker %d at %s leads no partition: %w", g.broker.id, g.broker.addr, ErrNotLed)
	}
	return v, nil
}

func (g *layerFour) why(topic string, number int32) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, known := g.mu.views[topic]
	switch {
	case g.mu.trouble[topic] != nil:
		return g.mu.trouble[topic]
	case known && number >= 0 && v.place(number) < 0:
		return fmt.Errorf("broker %d at %s: %w", g.broker.id, g.broker.addr, ErrNotLed)
	}
	return nil
}

func (g *layerFour) changed() <-chan struct{} { return g.ch }

func (g *layerFour) settle() {}

func (g *layerFour) request(ctx context.Context, _ int32, req kmsg.Request) (kmsg.Response, error) {
	return g.conn.Request(ctx, req)
}

func (g *layerFour) close(context.Context) error {
	g.group.Stop()
	// It has only goroutines that the context ends.
	_ = g.group.Wait()
	g.conn.Close()
	return nil
}
