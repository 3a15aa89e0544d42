package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// Producer writes records to topics. It learns from ZooKeeper who leads which
// partition and follows that by watches, unless it is made with LayerFour; it asks
// no broker for metadata, and registers itself nowhere.
//
// A producer keeps the order of records within a partition, through retries and
// changes of leaders. All methods may be called from many goroutines.
type Producer struct {
	opts  producerOptions
	env   env.Env
	lanes lane.Config
	guide guide
	group *run.Group
	// room is the bytes of records that are not acknowledged.
	room *run.Budget
	// wake tells the producer's goroutine to look at mu.
	wake chan struct{}

	mu struct {
		sync.Mutex
		closed bool
		topics map[string]*topicQueue
		// unplaced are the topics with records whose partition is not known yet, busy
		// the partitions with records.
		unplaced map[*topicQueue]bool
		busy     map[*partitionQueue]bool
		// requests counts those in flight by broker.
		requests map[int32]int
		identity identity
		flush    flushes
	}
}

// item is a record on its way.
type item struct {
	rec  *Record
	size int
	born time.Time
	era  uint64
	done func(*Record, error)
}

// NewProducer connects to ZooKeeper, given as "host1:port,host2:port/chroot", and
// reads which brokers there are. ctx bounds that alone.
func NewProducer(ctx context.Context, zookeeper string, opts ...ProducerOption) (*Producer, error) {
	o, err := gatherProducer(opts)
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	var g guide
	if o.layerFour {
		g, err = newLayerFour(ctx, zookeeper, o)
	} else {
		g, err = newZKGuide(ctx, zookeeper, o)
	}
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	return startProducer(ctx, o, g), nil
}

// startProducer is NewProducer with a guide that is there already.
func startProducer(ctx context.Context, o producerOptions, g guide) *Producer {
	p := &Producer{
		opts: o, env: env.Real(), guide: g, room: run.NewBudget(int64(o.bufferBytes)), wake: make(chan struct{}, 1),
		lanes: lane.Config{Idempotent: o.idempotent, BatchBytes: o.batchBytes, Linger: o.linger, Timeout: o.delivery},
		group: run.NewGroup(context.WithoutCancel(ctx)),
	}
	p.mu.topics, p.mu.unplaced = map[string]*topicQueue{}, map[*topicQueue]bool{}
	p.mu.busy, p.mu.requests = map[*partitionQueue]bool{}, map[int32]int{}
	p.mu.identity.is, p.mu.flush.left = lane.Nobody, map[uint64]int{}
	p.group.Go("producer", p.live)
	return p
}

// Send writes a record and waits for its acknowledgement, which sets the record's
// Partition and Offset. When ctx ends the wait the record may be written all the
// same; r is then left as it was, and Key, Value and Headers must not be changed.
func (p *Producer) Send(ctx context.Context, r *Record) error {
	if r == nil {
		return errNoRecord
	}
	type outcome struct {
		rec *Record
		err error
	}
	done := make(chan outcome, 1)
	mine := *r
	p.SendAsync(ctx, &mine, func(rec *Record, err error) { done <- outcome{rec, err} })
	select {
	case o := <-done:
		*r = *o.rec
		return o.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// SendAsync takes a record and calls done, which may be nil, once it is
// acknowledged or given up: from another goroutine, or from this one if the record
// was not taken. Records of a partition are done in their order. done must not
// wait for the producer.
//
// The record and what it refers to belong to the producer until then. While
// BufferBytes are waiting, SendAsync waits too, as long as ctx allows; ctx has no
// meaning for the record after that.
func (p *Producer) SendAsync(ctx context.Context, r *Record, done func(*Record, error)) {
	if done == nil {
		done = func(*Record, error) {}
	}
	if r == nil {
		done(nil, errNoRecord)
		return
	}
	r.Offset, r.LeaderEpoch = -1, -1
	it := item{rec: r, size: sizeOf(r), done: done}
	if !legalTopic(r.Topic) {
		done(r, fmt.Errorf("%w: %q", ErrTopicName, r.Topic))
		return
	}
	if err := p.room.Take(ctx, int64(it.size), 0); err != nil {
		done(r, err)
		return
	}
	if err := p.accept(it); err != nil {
		p.room.Give(int64(it.size))
		done(r, err)
	}
}

// accept queues a record. An error means that it was not taken.
func (p *Producer) accept(it item) error {
	now := p.env.Clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return ErrClosed
	}
	if it.rec.Timestamp.IsZero() {
		it.rec.Timestamp = now
	}
	it.born, it.era = now, p.mu.flush.era
	t := p.mu.topics[it.rec.Topic]
	if t == nil {
		t = &topicQueue{name: it.rec.Topic, picker: p.opts.strategy.picker(draws{min(p.opts.batchBytes, stickyBytes), p.env.Rand})}
		p.mu.topics[t.name] = t
		p.guide.follow(t.name)
	}
	if !t.known || len(t.unplaced) > 0 {
		t.unplaced = append(t.unplaced, it)
		p.mu.unplaced[t] = true
		p.mu.flush.left[it.era]++
		run.Hint(p.wake)
		return nil
	}
	look, err := p.placeLocked(now, t, it)
	if err != nil {
		return err
	}
	p.mu.flush.left[it.era]++
	if look {
		run.Hint(p.wake)
	}
	return nil
}

// Flush waits until every record taken before is acknowledged or given up, without
// Linger, or until ctx ends.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	w := p.mu.flush.startLocked()
	p.mu.Unlock()
	run.Hint(p.wake)
	var err error
	select {
	case <-w.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.flush.endLocked(w)
	return err
}

// Close takes no more records, flushes, and ends the producer. When ctx ends
// before, records that are not acknowledged are given up with ErrClosed, written or
// not.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	already := p.mu.closed
	p.mu.closed = true
	p.mu.Unlock()
	if already {
		return nil
	}
	err := p.Flush(ctx)
	p.group.Stop()
	// Only requests that were cut off end with errors, and they told their records.
	_ = p.group.Wait()
	p.abandon(ErrClosed)
	if gerr := p.guide.close(ctx); err == nil {
		err = gerr
	}
	return err
}

// errNoRecord is what a record that is nil is refused with.
var errNoRecord = errors.New("the record is nil")

// sizeOf returns how much a record takes in a batch at the most.
func sizeOf(r *Record) int {
	// Length, attributes, timestamp and offset deltas, and the lengths of key, value
	// and headers are at most 5+1+10+5+3·5 bytes.
	n := 36 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 10 + len(h.Key) + len(h.Value)
	}
	return n
}

// legalTopic reports whether Kafka allows a name.
func legalTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
