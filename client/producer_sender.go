package client

import (
	"context"
	"time"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/internal/run"
)

const (
	// maxRequests bounds the Produce requests on their way to one broker. Kafka
	// remembers five batches per producer and partition, but a lane has one on its
	// way anyway: this is only about filling the pipe.
	maxRequests = 5
	// maxRequestBytes ends a Produce request that has grown beyond it: far below
	// Kafka's socket.request.max.bytes of 100 MiB.
	maxRequestBytes = 16 << 20
)

// shipment is one Produce request.
type shipment struct {
	broker int32
	parts  []part
}

// part is one batch of a shipment.
type part struct {
	queue *partitionQueue
	batch *lane.Batch[item]
}

// live is the producer's goroutine: it decides what is sent when.
func (p *Producer) live(ctx context.Context) error {
	timer := p.env.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next := p.step(ctx); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(next.Sub(p.env.Clock.Now()), 0))
		}
		select {
		case <-p.wake:
		case <-timer.C():
		case <-p.guide.changed():
			p.group.Light(p.guide.settle)
			p.refresh()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refresh takes over what the guide knows now.
func (p *Producer) refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.mu.topics {
		if v, known := p.guide.view(t.name); known {
			t.view, t.known = v, true
		}
	}
}

// step sends what is ready and gives up what is too old. It returns when time alone
// will change something; the zero time is never.
func (p *Producer) step(ctx context.Context) time.Time {
	p.mu.Lock()
	now := p.env.Clock.Now()
	failed, next := p.placeAllLocked(now)
	ships, dropped, due := p.loadLocked(now)
	failed = append(failed, dropped...)
	p.mu.Unlock()
	for _, s := range ships {
		p.group.Light(func() { p.ship(ctx, s) })
	}
	if len(failed) > 0 {
		p.tell(failed)
		run.Hint(p.wake)
	}
	return sooner(next, due)
}

// loadLocked makes the requests that can leave now.
func (p *Producer) loadLocked(now time.Time) (out []*shipment, failed []outcome, next time.Time) {
	hurry := p.mu.flush.hurryLocked() || p.mu.closed
	loading := map[int32]*shipment{}
	bytes := map[int32]int{}
	for q := range p.mu.busy {
		if q.calling {
			continue
		}
		if o, ok := p.giveUpLocked(now, q); ok {
			failed = append(failed, o)
			continue
		}
		if q.lane.Empty() {
			delete(p.mu.busy, q)
			continue
		}
		leader := q.topic.view.leader(q.number)
		if leader.ID < 0 && p.opts.layerFour {
			p.guide.look(q.topic.name, q.number) // nobody else would tell
		}
		ready, at := q.lane.Ready(now, leader, hurry)
		if !ready {
			next = sooner(next, at)
			continue
		}
		s := loading[leader.ID]
		switch {
		case s == nil && p.mu.requests[leader.ID] >= p.limit(), s != nil && bytes[leader.ID] >= maxRequestBytes:
			continue // the answer to what is on its way brings us here again
		case q.lane.NeedsIdentity() && !p.identifyLocked(now, q, leader.ID, &next):
			continue
		case s == nil:
			s = &shipment{broker: leader.ID}
			loading[leader.ID] = s
			p.mu.requests[leader.ID]++
			out = append(out, s)
		}
		b := q.lane.Send(leader, q.given)
		s.parts = append(s.parts, part{q, b})
		bytes[leader.ID] += b.Size
	}
	return out, failed, next
}

// limit is how many requests may be on their way to a broker.
func (p *Producer) limit() int {
	if p.opts.layerFour {
		return 1 // over one connection, one after the other
	}
	return maxRequests
}
