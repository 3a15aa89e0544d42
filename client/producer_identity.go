package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/internal/run"
)

// identityRetry is the wait before a broker is asked again for an identity.
const identityRetry = 100 * time.Millisecond

// identity is what brokers number this producer's batches by. It is guarded by
// Producer.mu.
type identity struct {
	is lane.Identity
	// asking says that a broker is being asked, notBefore when the next may be.
	asking    bool
	notBefore time.Time
	// trouble is why there was none the last time, nil after success.
	trouble error
}

// identifyLocked gives a queue an identity that it has not had, if there is one; or
// else asks a broker for one.
func (p *Producer) identifyLocked(now time.Time, q *partitionQueue, broker int32, next *time.Time) bool {
	id := &p.mu.identity
	if id.is != lane.Nobody && id.is != q.given {
		q.given = id.is
		return true
	}
	switch {
	case id.asking:
	case now.Before(id.notBefore):
		*next = sooner(*next, id.notBefore)
	default:
		id.asking = true
		p.group.Light(func() { p.identify(p.group.Context(), broker) })
	}
	return false
}

// identify asks a broker for an identity.
func (p *Producer) identify(ctx context.Context, broker int32) {
	is, err := p.askIdentity(ctx, broker)
	now := p.env.Clock.Now()
	p.mu.Lock()
	p.mu.identity.asking, p.mu.identity.trouble = false, err
	var refusal *kerr.Error
	final := errors.As(err, &refusal) && !refusal.Retriable
	var out []outcome
	switch {
	case err == nil:
		p.mu.identity.is = is
	case final:
		for q := range p.mu.busy {
			if q.lane.NeedsIdentity() && !q.calling {
				q.calling = true
				out = append(out, outcome{items: itemsOf(q.lane.Abandon()), err: err, queue: q})
			}
		}
	default:
		p.opts.log.Warn("no producer id yet", "broker", broker, "error", err)
		p.mu.identity.notBefore = now.Add(identityRetry)
	}
	p.mu.Unlock()
	p.tell(out)
	run.Hint(p.wake)
}

func (p *Producer) askIdentity(ctx context.Context, broker int32) (lane.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.request)
	defer cancel()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis = math.MaxInt32
	resp, err := p.guide.request(ctx, broker, req)
	if err != nil {
		return lane.Nobody, err
	}
	r, ok := resp.(*kmsg.InitProducerIDResponse)
	if !ok {
		return lane.Nobody, fmt.Errorf("answer to InitProducerId is a %T", resp)
	}
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		return lane.Nobody, fmt.Errorf("producer id: %w", err)
	}
	return lane.Identity{ID: r.ProducerID, Epoch: r.ProducerEpoch}, nil
}
