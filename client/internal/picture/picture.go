package picture

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// retryAfter is the wait before what ZooKeeper refused is read again: nothing
// tells when an ACL changed.
const retryAfter = 5 * time.Second

// ErrClosed is what a closed Picture answers.
var ErrClosed = errors.New("closed")

// Picture follows the cluster. All methods may be called from many goroutines.
type Picture struct {
	sub   *coord.Subscription
	log   *slog.Logger
	env   env.Env
	group *run.Group
	// latest is what Load returns.
	latest atomic.Pointer[Cluster]
	// wake tells the goroutine to look at mu.
	wake chan struct{}

	mu struct {
		sync.Mutex
		closed bool
		asked  map[string]bool
		// refresh are partitions to read although no watch fired.
		refresh map[znode.TopicPartition]bool
		readers []chan struct{}
	}

	// The goroutine's own.
	session *session.Session
	todo    work
	// later are reads that failed for a reason that may go away.
	later []job
	next  draft
	retry env.Timer
}

// New starts to follow the brokers and waits until they are read, or for ctx.
func New(ctx context.Context, conn *coord.Conn, log *slog.Logger, e env.Env) (*Picture, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Picture{
		sub: conn.Subscribe(), log: log, env: e, group: run.NewGroup(context.WithoutCancel(ctx)),
		wake: make(chan struct{}, 1), todo: newWork(), retry: e.Clock.NewTimer(retryAfter),
	}
	p.mu.asked, p.mu.refresh = map[string]bool{}, map[znode.TopicPartition]bool{}
	p.group.Go("picture", p.live)
	if _, err := p.Wait(ctx, func(c *Cluster) bool { return c != nil }); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Load returns the newest picture.
func (p *Picture) Load() *Cluster { return p.latest.Load() }

// Ask starts to follow topics, which may be missing; Load shows them when they
// have been read.
func (p *Picture) Ask(topics ...string) {
	p.change(func() {
		for _, t := range topics {
			p.mu.asked[t] = true
		}
	})
}

// Drop ends that.
func (p *Picture) Drop(topics ...string) {
	p.change(func() {
		for _, t := range topics {
			delete(p.mu.asked, t)
		}
	})
}

// Refresh reads a partition's state again, for a caller who has reason to doubt
// it; a picture that turns out unchanged is announced all the same.
func (p *Picture) Refresh(topic string, partition int32) {
	p.change(func() { p.mu.refresh[znode.TopicPartition{Topic: topic, Partition: partition}] = true })
}

func (p *Picture) change(do func()) {
	p.mu.Lock()
	do()
	p.mu.Unlock()
	run.Hint(p.wake)
}

// Changes returns a channel that gets a token after each change of the picture,
// and the function that ends this.
func (p *Picture) Changes() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.readers = append(p.mu.readers, ch)
	return ch, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.mu.readers = slices.DeleteFunc(p.mu.readers, func(c chan struct{}) bool { return c == ch })
	}
}

// Wait waits for a picture that is right (nil is passed before the first), for
// Close, and for ctx, and returns the picture.
func (p *Picture) Wait(ctx context.Context, right func(*Cluster) bool) (*Cluster, error) {
	changed, stop := p.Changes()
	defer stop()
	for {
		if c := p.Load(); right(c) {
			return c, nil
		}
		if p.isClosed() {
			return nil, ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Close ends the following. The last picture stays.
func (p *Picture) Close() {
	p.sub.Close()
	p.group.Stop()
	// The goroutine ends without an error, or by the context.
	_ = p.group.Wait()
}

func (p *Picture) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.closed
}

// live is the picture's goroutine.
func (p *Picture) live(ctx context.Context) error {
	defer p.end()
	for {
		select {
		case <-p.sub.Ready():
		case <-p.wake:
		case <-p.retry.C():
			for _, j := range p.later {
				p.todo.add(j)
			}
			p.later = nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if !p.takeNews() {
			return nil
		}
		p.takeAsked()
		if p.session != nil && len(p.todo.jobs) > 0 && p.read(ctx) {
			p.publish()
		}
	}
}

// end tells who waits that nothing more comes.
func (p *Picture) end() {
	p.retry.Stop()
	p.mu.Lock()
	p.mu.closed = true
	p.mu.Unlock()
	p.announce()
}

// takeNews turns what fired into reads; it reports false at the end.
func (p *Picture) takeNews() bool {
	news, ok, err := p.sub.Take()
	if err != nil {
		return false
	}
	if !ok {
		return true
	}
	p.session = news.Session
	if news.Renewed {
		p.todo.add(job{kind: readIDs})
		for name, t := range p.next.topics {
			p.todo.add(job{kind: readTopic, topic: name})
			for i := range t.Partitions {
				p.todo.add(job{kind: readState, topic: name, number: int32(i)})
			}
		}
		for id := range p.next.brokers {
			p.todo.add(job{kind: readBroker, number: id})
		}
	}
	for _, path := range news.Paths {
		p.todo.add(jobOf(path))
	}
	return true
}

// takeAsked turns what callers asked for into reads.
func (p *Picture) takeAsked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.mu.asked {
		if _, ok := p.next.topics[name]; !ok {
			p.next.put(&Topic{Name: name})
			p.todo.add(job{kind: readTopic, topic: name})
		}
	}
	for name := range p.next.topics {
		if !p.mu.asked[name] {
			p.forget(name)
		}
	}
	for tp := range p.mu.refresh {
		if t := p.next.topics[tp.Topic]; t != nil && int(tp.Partition) < len(t.Partitions) && tp.Partition >= 0 {
			p.todo.add(job{kind: readState, topic: tp.Topic, number: tp.Partition})
		}
	}
	clear(p.mu.refresh)
}

// forget ends the interest in a topic.
func (p *Picture) forget(name string) {
	t := p.next.topics[name]
	p.sub.Unwatch(znode.TopicPath(name))
	delete(p.next.faults, znode.TopicPath(name))
	p.cut(t, 0)
	delete(p.next.topics, name)
	p.todo.drop(name)
	p.later = slices.DeleteFunc(p.later, func(j job) bool { return j.topic == name })
}

// cut ends the interest in the partitions of a topic from a number on.
func (p *Picture) cut(t *Topic, from int) {
	for i := from; i < len(t.Partitions); i++ {
		path := znode.StatePath(t.Name, int32(i))
		p.sub.Unwatch(path)
		delete(p.next.faults, path)
	}
}

// publish swaps the picture and tells everybody.
func (p *Picture) publish() {
	p.latest.Store(p.next.freeze())
	p.announce()
}

func (p *Picture) announce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ch := range p.mu.readers {
		run.Hint(ch)
	}
}
