package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
)

// producerIDs hands out ids from blocks that the controller allocates, and
// fetches the next block when most of one is used.
type producerIDs struct {
	n  *Node
	mu struct {
		sync.Mutex
		next, end int64 // what is left of the block
		ahead     block // the block after it, if there already
		fetching  bool
		waiting   []func(int64, error)
	}
}

type block struct{ first, end int64 }

const (
	// prefetchAt is the share of a block that may remain before the next one
	// is asked for (KIP-730: at nine tenths).
	prefetchAt = 10
	// blockSize is how many ids a controller gives at a time.
	blockSize = 1000
	// blockRetry is the pause after a failed request.
	blockRetry = 50 * time.Millisecond
	// blockPatience is after how many failures those who wait are told to come
	// again: 5 s, well within a client's request timeout. The next one who
	// comes waits anew.
	blockPatience = 100
	// maxIDWaiters bounds the producers that wait for the first block; others
	// are told to come again.
	maxIDWaiters = 10_000
)

func newProducerIDs(n *Node) *producerIDs { return &producerIDs{n: n} }

// Next implements api.ProducerIDs.
func (p *producerIDs) Next(done func(id int64, err error)) {
	p.mu.Lock()
	if p.mu.next == p.mu.end && p.mu.ahead.first < p.mu.ahead.end {
		p.mu.next, p.mu.end = p.mu.ahead.first, p.mu.ahead.end
		p.mu.ahead = block{}
	}
	id, ok := p.mu.next, p.mu.next < p.mu.end
	if ok {
		p.mu.next++
	}
	p.fetchLocked()
	if !ok && len(p.mu.waiting) < maxIDWaiters {
		p.mu.waiting = append(p.mu.waiting, done)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	if !ok {
		done(-1, wire.CodeCoordinatorLoadInProgress)
		return
	}
	done(id, nil)
}

// fetchLocked asks for a block when little is left and none is ahead.
func (p *producerIDs) fetchLocked() {
	if p.mu.fetching || p.mu.ahead.first < p.mu.ahead.end || p.mu.end-p.mu.next > blockSize/prefetchAt {
		return
	}
	p.mu.fetching = true
	p.n.runTask("producer-ids", p.fetch)
}

func (p *producerIDs) fetch(ctx context.Context) {
	for range blockPatience {
		b, err := p.allocate(ctx)
		if err == nil {
			p.take(b)
			return
		}
		p.n.log.Debug("cannot allocate producer ids yet", "error", err)
		if env.Sleep(ctx, p.n.env.Clock, blockRetry) != nil {
			p.refuse()
			return
		}
	}
	p.n.log.Warn("no controller gives producer ids: producers are told to come again")
	p.refuse()
}

func (p *producerIDs) take(b block) {
	p.mu.Lock()
	p.mu.fetching = false
	if p.mu.next == p.mu.end {
		p.mu.next, p.mu.end = b.first, b.end
	} else {
		p.mu.ahead = b
	}
	waiting := p.mu.waiting
	p.mu.waiting = nil
	p.mu.Unlock()
	for _, done := range waiting {
		p.Next(done)
	}
}

func (p *producerIDs) refuse() {
	p.mu.Lock()
	waiting := p.mu.waiting
	p.mu.waiting, p.mu.fetching = nil, false
	p.mu.Unlock()
	for _, done := range waiting {
		done(-1, wire.CodeCoordinatorLoadInProgress)
	}
}

// allocate asks the controller that the metadata names, as every broker does.
func (p *producerIDs) allocate(ctx context.Context) (block, error) {
	req := wire.NewAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = p.n.settings.Broker().ID, p.n.epoch.Load()
	resp, err := answerOf[*wire.AllocateProducerIDsResponse](ctx, p.n.brain, req, 0)
	if err != nil {
		return block{}, err
	}
	if resp.ErrorCode != wire.CodeNone {
		return block{}, resp.ErrorCode
	}
	if resp.ProducerIDStart < 0 || resp.ProducerIDLen <= 0 {
		return block{}, fmt.Errorf("controller gave %d producer ids from %d on", resp.ProducerIDLen, resp.ProducerIDStart)
	}
	return block{resp.ProducerIDStart, resp.ProducerIDStart + int64(resp.ProducerIDLen)}, nil
}
