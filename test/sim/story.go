package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
)

// setup is what a seed makes of the cluster and its load.
type setup struct {
	brokers, copies int
	partitions      int32
	producers       int
	disasters       int
	properties      map[string]string
}

func (w *world) choose() setup {
	return setup{
		brokers: 3, copies: 3, partitions: 2, producers: 4, disasters: 8,
		properties: map[string]string{
			"zookeeper.session.timeout.ms": "3000", "zookeeper.connection.timeout.ms": "3000",
			"replica.lag.time.max.ms": "3000", "replica.fetch.wait.max.ms": "200", "replica.fetch.backoff.ms": "200",
			"offsets.topic.replication.factor": "3", "offsets.topic.num.partitions": "2", "min.insync.replicas": "2",
			"auto.create.topics.enable": "false", "group.initial.rebalance.delay.ms": "0",
			"controlled.shutdown.retry.backoff.ms": "200", "leader.imbalance.check.interval.seconds": "5",
		},
	}
}

// run is a whole life of a cluster. It is the bubble's main goroutine.
func (w *world) run() {
	go w.sched.run()
	defer w.sched.stop()
	w.setup = w.choose()
	w.zookeeper = w.newKeeper()
	for id := range w.setup.brokers {
		w.brokers = append(w.brokers, w.newBroker(id, w.setup.properties))
	}
	w.zookeeper.boot()
	for _, b := range w.brokers {
		b.boot()
	}
	look := w.newObserver()
	load := w.startLoad()
	w.disasters(look)
	w.heal()
	load.drain()
	found := w.settle(look)
	w.checkOnline(look)
	look.close()
	for _, b := range w.brokers {
		b.stop()
	}
	w.zookeeper.stop()
	w.checkDisks(found)
}

const loadTopic = "load"

// load is the clients at work.
type load struct {
	w          *world
	send, read context.Context
	stopSend   context.CancelFunc
	stopRead   context.CancelFunc
	producers  sync.WaitGroup
	consumers  sync.WaitGroup
	reading    []*consumer
}

func (w *world) startLoad() *load {
	l := &load{w: w}
	l.send, l.stopSend = context.WithCancel(context.Background())
	l.read, l.stopRead = context.WithCancel(context.Background())
	admin := w.newClient("admin")
	if err := admin.create(context.Background(), loadTopic, w.setup.partitions, int16(w.setup.copies), map[string]string{"segment.bytes": "20000"}); err != nil {
		w.problem(err)
	}
	admin.close()
	for i := range w.setup.producers {
		to := check.Partition{Topic: loadTopic, Index: int32(i) % w.setup.partitions}
		p := &producer{client: w.newClient(fmt.Sprintf("producer-%d", i)), number: i, to: to}
		w.sleep(time.Millisecond) // as boot
		l.producers.Go(func() { p.run(l.send, l.read) })
	}
	for i := range w.setup.partitions {
		c := &consumer{client: w.newClient(fmt.Sprintf("consumer-%d", i)), of: check.Partition{Topic: loadTopic, Index: i}}
		l.reading = append(l.reading, c)
		w.sleep(time.Millisecond)
		l.consumers.Go(func() { c.run(l.read) })
	}
	return l
}

// patience is how long a healed cluster may take to be whole again.
const patience = 2 * time.Minute

// drain lets the producers end what they began, and the consumers read it all.
func (l *load) drain() {
	l.stopSend()
	done := make(chan struct{})
	go func() { l.producers.Wait(); close(done) }()
	limit := l.w.sched.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C():
		l.w.problem(fmt.Errorf("producers have records without an answer, %v after all was healed", patience))
	}
	l.w.awaitThat("consumers read everything", func() error {
		for _, c := range l.reading {
			if end := l.w.history.AckedEnd(c.of); c.at() < end {
				return fmt.Errorf("%s: at offset %d, acknowledged are all below %d", c.of, c.at(), end)
			}
		}
		return nil
	})
	l.stopRead()
	l.producers.Wait()
	l.consumers.Wait()
}

// awaitThat waits until something holds, or notes that it never did.
func (w *world) awaitThat(what string, holds func() error) {
	var err error
	for range int(patience / (100 * time.Millisecond)) {
		if err = holds(); err == nil {
			return
		}
		w.sleep(100 * time.Millisecond)
	}
	w.problem(fmt.Errorf("never, %v after all was healed: %s: %w", patience, what, err))
}

// settle waits until every partition has all its replicas in sync, and returns
// how they stand then.
func (w *world) settle(look *observer) (found []partition) {
	w.awaitThat("all replicas are in sync", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var err error
		if found, err = look.partitions(ctx); err != nil {
			return err
		}
		return allInSync(found)
	})
	return found
}

func allInSync(all []partition) error {
	for _, p := range all {
		if p.state.Leader < 0 || len(p.state.ISR) != len(p.replicas) {
			return fmt.Errorf("%v", p)
		}
	}
	return nil
}

// checkOnline compares what brokers say with what ZooKeeper has.
func (w *world) checkOnline(look *observer) {
	c := w.newClient("asker")
	defer c.close()
	var controller int32 = -1
	for i, address := range c.addresses() {
		w.awaitThat(fmt.Sprintf("broker %d says what ZooKeeper says", i), func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			m, err := c.metadata(ctx, address)
			if err != nil {
				return err
			}
			found, err := look.partitions(ctx)
			if err != nil {
				return err
			}
			if controller < 0 {
				controller = m.ControllerID
			}
			if m.ControllerID != controller || controller < 0 || len(m.Brokers) != len(w.brokers) {
				return fmt.Errorf("controller %d (%d), %d brokers", m.ControllerID, controller, len(m.Brokers))
			}
			return errors.Join(agree(m, found), sane(found))
		})
	}
}

// sane looks for states that must not be.
func sane(found []partition) error {
	for _, p := range found {
		for _, id := range p.state.ISR {
			if !slices.Contains(p.replicas, id) {
				return fmt.Errorf("%v: %d in the ISR is no replica", p, id)
			}
		}
		if !slices.Contains(p.state.ISR, p.state.Leader) {
			return fmt.Errorf("%v: the leader is not in the ISR", p)
		}
	}
	return nil
}

// agree compares one broker's picture with the znodes.
func agree(m *wire.MetadataResponse, found []partition) error {
	n := 0
	for _, t := range m.Topics {
		n += len(t.Partitions)
		for _, p := range t.Partitions {
			i := slices.IndexFunc(found, func(x partition) bool { return t.Name != nil && x.topic == *t.Name && x.index == p.PartitionIndex })
			if i < 0 {
				return fmt.Errorf("%s-%d is not in ZooKeeper", *t.Name, p.PartitionIndex)
			}
			s := found[i].state
			if p.LeaderID != s.Leader || p.LeaderEpoch != s.LeaderEpoch || !slices.Equal(sorted(p.IsrNodes), sorted(s.ISR)) || !slices.Equal(p.ReplicaNodes, found[i].replicas) {
				return fmt.Errorf("leader %d, epoch %d, isr %v, replicas %v; in ZooKeeper %v", p.LeaderID, p.LeaderEpoch, p.IsrNodes, p.ReplicaNodes, found[i])
			}
		}
	}
	if n != len(found) {
		return fmt.Errorf("%d partitions, %d in ZooKeeper", n, len(found))
	}
	return nil
}

func sorted(ids []int32) []int32 { return slices.Sorted(slices.Values(ids)) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// checkDisks compares the replicas with each other and with what was promised.
func (w *world) checkDisks(found []partition) {
	for _, p := range found {
		log, err := sameLogs(p, w.brokers)
		if err != nil {
			w.problem(err)
			continue
		}
		if p.topic != loadTopic {
			continue
		}
		name := check.Partition{Topic: p.topic, Index: p.index}
		all, err := records(log)
		if err != nil {
			w.problem(fmt.Errorf("%s: %w", name, err))
		}
		for _, err := range w.history.Log(name, all, w.history.AckedEnd(name)) {
			w.problem(err)
		}
	}
	for _, err := range w.history.Problems() {
		w.problem(err)
	}
}

// result joins all problems.
func (w *world) result() error {
	w.problems.Lock()
	defer w.problems.Unlock()
	return errors.Join(w.problems.all...)
}
