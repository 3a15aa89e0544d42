package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/znode"
)

// guide tells a producer where topics are and carries its requests. It is called
// from many goroutines; none of its methods but request and close waits.
type guide interface {
	// follow starts to find out about a topic.
	follow(topic string)
	// view returns what is known of a topic; known is false before anything is.
	view(topic string) (v view, known bool)
	// look finds out about a partition again, which led nowhere.
	look(topic string, partition int32)
	// why says what stands between the producer and a partition's leader, as far as it
	// is known, nil for nothing; a partition of −1 stands for the topic.
	why(topic string, partition int32) error
	// changed returns a channel that gets a token after changes.
	changed() <-chan struct{}
	// settle gives up connections that nobody will use; it may wait.
	settle()
	request(ctx context.Context, broker int32, req kmsg.Request) (kmsg.Response, error)
	close(ctx context.Context) error
}

// view is a topic as it is known at a moment. It is never changed.
type view struct {
	// err says why nothing can be written to the topic.
	err error
	// numbers are the partitions that may be written to, in order.
	numbers []int32
	// leaders are theirs, by place in numbers.
	leaders []lane.Leader
}

// led reports whether the partition at a place in numbers has a leader.
func (v *view) led(i int) bool { return v.leaders[i].ID >= 0 }

// leader returns who leads a partition.
func (v *view) leader(number int32) lane.Leader {
	if i := v.place(number); i >= 0 {
		return v.leaders[i]
	}
	return lane.Leader{ID: -1, Epoch: -1}
}

// place returns where in numbers a partition is, -1 for nowhere.
func (v *view) place(number int32) int {
	if number >= 0 && int(number) < len(v.numbers) && v.numbers[number] == number {
		return int(number)
	}
	for i, n := range v.numbers {
		if n == number {
			return i
		}
	}
	return -1
}

// zkGuide follows ZooKeeper.
type zkGuide struct {
	cfg   connection
	conn  *coord.Conn
	pic   *picture.Picture
	links *link.Set
	ch    <-chan struct{}
	// mu guards what was made of pictures before: of a new one, mostly little has
	// changed.
	mu struct {
		sync.Mutex
		cluster *picture.Cluster
		// brokers counts changes of who is registered.
		brokers int
		views   map[string]madeView
	}
}

// madeView is a view and what it was made of.
type madeView struct {
	topic   *picture.Topic
	brokers int
	view    view
}

func newZKGuide(ctx context.Context, zookeeper string, o producerOptions) (*zkGuide, error) {
	conn, err := o.zookeeper(ctx, zookeeper)
	if err != nil {
		return nil, err
	}
	pic, err := picture.New(ctx, conn, o.log, env.Real())
	if err != nil {
		_ = conn.Close(ctx) // the reason before it is the one to tell
		return nil, fmt.Errorf("read the brokers from zookeeper: %w", err)
	}
	g := &zkGuide{cfg: o.connection, conn: conn, pic: pic, links: link.NewSet(o.brokers(int16(o.acks)))}
	g.ch, _ = pic.Changes()
	g.mu.views = map[string]madeView{}
	return g, nil
}

func (g *zkGuide) follow(topic string)        { g.pic.Ask(topic) }
func (g *zkGuide) look(topic string, p int32) { g.pic.Refresh(topic, p) }
func (g *zkGuide) changed() <-chan struct{}   { return g.ch }

func (g *zkGuide) view(topic string) (view, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.pic.Load()
	if old := g.mu.cluster; old != c {
		if old == nil || !maps.EqualFunc(old.Brokers, c.Brokers, func(*picture.Broker, *picture.Broker) bool { return true }) {
			g.mu.brokers++
		}
		g.mu.cluster = c
	}
	t := c.Topics[topic]
	if made, ok := g.mu.views[topic]; ok && t != nil && made.topic == t && made.brokers == g.mu.brokers {
		return made.view, true
	}
	v, known := viewOf(c, t)
	if known {
		g.mu.views[topic] = madeView{t, g.mu.brokers, v}
	}
	return v, known
}

// viewOf makes a view of what a picture shows of a topic.
func viewOf(c *picture.Cluster, t *picture.Topic) (view, bool) {
	switch {
	case t == nil:
		return view{}, false
	case !t.Exists && c.Faults[znode.TopicPath(t.Name)] != nil:
		return view{err: c.Faults[znode.TopicPath(t.Name)]}, true
	case !t.Exists:
		return view{err: ErrNoTopic}, true
	case len(t.Partitions) == 0 && t.Err != nil:
		return view{err: t.Err}, true
	case len(t.Partitions) == 0:
		return view{}, false
	}
	v := view{numbers: make([]int32, len(t.Partitions)), leaders: make([]lane.Leader, len(t.Partitions))}
	for i, p := range t.Partitions {
		v.numbers[i], v.leaders[i] = p.Number, lane.Leader{ID: -1, Epoch: -1}
		if c.Leader(t.Name, p.Number) != nil {
			v.leaders[i] = lane.Leader{ID: p.Leader, Epoch: p.LeaderEpoch}
		}
	}
	return v, true
}

func (g *zkGuide) why(topic string, number int32) error {
	return obstacle(g.pic.Load(), g.cfg, topic, number)
}

// obstacle is what a picture shows between a client and a partition's leader.
func obstacle(c *picture.Cluster, cfg connection, topic string, number int32) error {
	p := c.Partition(topic, number)
	switch {
	case p == nil && c.Faults[znode.TopicPath(topic)] != nil:
		return c.Faults[znode.TopicPath(topic)]
	case p == nil:
		return errors.New("zookeeper has not told of it")
	case p.Leader < 0 && p.Err != nil:
		return p.Err
	case p.Leader < 0:
		return fmt.Errorf("it has no leader, %s", replicas(c, p))
	case c.Brokers[p.Leader] == nil && c.Faults[znode.BrokerPath(p.Leader)] != nil:
		return c.Faults[znode.BrokerPath(p.Leader)]
	case c.Brokers[p.Leader] == nil:
		return fmt.Errorf("its leader, broker %d, is not registered, %s", p.Leader, replicas(c, p))
	}
	_, err := c.Brokers[p.Leader].Addr(cfg.protocol(), cfg.listener)
	return err
}

// replicas says which replicas of a partition are alive.
func replicas(c *picture.Cluster, p *picture.Partition) string {
	alive := slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool { return c.Brokers[id] == nil })
	if len(alive) == 0 {
		return fmt.Sprintf("none of its replicas %d is registered", p.Replicas)
	}
	return fmt.Sprintf("of its replicas %d are registered %d, in sync were %d", p.Replicas, alive, p.ISR)
}

// settle closes the links to brokers that left. Requests that such a broker will
// never answer fail thereby, and go to the next leader.
func (g *zkGuide) settle() {
	here := map[string]bool{}
	for _, b := range g.pic.Load().Brokers {
		if addr, err := b.Addr(g.cfg.protocol(), g.cfg.listener); err == nil {
			here[addr] = true
		}
	}
	g.links.Keep(func(addr string) bool { return here[addr] })
}

func (g *zkGuide) request(ctx context.Context, broker int32, req kmsg.Request) (kmsg.Response, error) {
	b := g.pic.Load().Brokers[broker]
	if b == nil {
		return nil, fmt.Errorf("broker %d is not registered", broker)
	}
	addr, err := b.Addr(g.cfg.protocol(), g.cfg.listener)
	if err != nil {
		return nil, err
	}
	l, err := g.links.To(addr)
	if err != nil {
		return nil, err
	}
	return l.Request(ctx, req)
}

func (g *zkGuide) close(ctx context.Context) error {
	g.links.Close()
	g.pic.Close()
	return g.conn.Close(ctx)
}
