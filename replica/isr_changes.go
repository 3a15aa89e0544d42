package replica

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/replica/isr"
	"github.com/gregor-mq/gregor/wire"
)

// Controller is whom leaders ask to change their in-sync replicas.
type Controller interface {
	// AlterPartition sends a request to the active controller, in the highest
	// version that both sides know; it is filled in as for version 3, topics with
	// their name and, if they have one, their id. After an error it may have been
	// carried out or not.
	AlterPartition(ctx context.Context, req *wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error)
}

// retryISRChange is how long a change that was not decided waits until it is
// sent again, as in Kafka.
const retryISRChange = 50 * time.Millisecond

// isrChanges holds the changes of in-sync replicas that are to be proposed, at
// most one of each partition.
type isrChanges struct {
	mu struct {
		sync.Mutex
		waiting map[*Partition]*isr.Proposal
	}
	ready  chan struct{} // holds a token when some may wait
	counts isrCounts
}

// put adds a change; it replaces an older one of the same partition.
func (c *isrChanges) put(p *Partition, change *isr.Proposal) {
	c.mu.Lock()
	c.mu.waiting[p] = change
	c.mu.Unlock()
	run.Hint(c.ready)
}

// putBack adds changes that are to be sent again, but for those that newer ones
// have replaced.
func (c *isrChanges) putBack(changes []isrChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes {
		if c.mu.waiting[change.p] == nil {
			c.mu.waiting[change.p] = change.proposal
		}
	}
	run.Hint(c.ready)
}

// take waits for changes and returns all of them, in the order of their topics.
func (c *isrChanges) take(ctx context.Context) ([]isrChange, error) {
	select {
	case <-c.ready:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	changes := make([]isrChange, 0, len(c.mu.waiting))
	for p, proposal := range c.mu.waiting {
		changes = append(changes, isrChange{p: p, proposal: proposal})
	}
	clear(c.mu.waiting)
	c.mu.Unlock()
	for i := range changes {
		changes[i].id = changes[i].p.topicID()
	}
	changes = slices.DeleteFunc(changes, func(c isrChange) bool { return !c.p.proposes(c.proposal) })
	slices.SortFunc(changes, func(a, b isrChange) int {
		return cmp.Or(strings.Compare(a.p.key.topic, b.p.key.topic), cmp.Compare(a.p.key.index, b.p.key.index))
	})
	return changes, nil
}

// isrChange is one proposal on its way to the controller.
type isrChange struct {
	p        *Partition
	id       wire.UUID
	proposal *isr.Proposal
}

// isrChangeLoop brings the changes to the controller, one request at a time, for
// as long as it takes: no other change of a partition is made before.
func (m *Manager) isrChangeLoop(ctx context.Context) error {
	var told string // the failure that the log has
	for {
		changes, err := m.isrChanges.take(ctx)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			continue
		}
		again, err := m.propose(ctx, changes)
		if err == nil {
			told = ""
		} else if text := err.Error(); text != told && ctx.Err() == nil {
			m.log.Warn("cannot tell the controller of in-sync replicas, trying again", "partitions", len(changes), "error", err)
			told = text
		}
		if len(again) == 0 {
			continue
		}
		if err := env.Sleep(ctx, m.env.Clock, retryISRChange); err != nil {
			return err
		}
		m.isrChanges.putBack(again)
	}
}

// propose sends changes and applies the answers; those that nothing was decided
// about are to be sent again.
func (m *Manager) propose(ctx context.Context, changes []isrChange) (again []isrChange, err error) {
	resp, err := m.cfg.Controller.AlterPartition(ctx, m.alterPartition(changes))
	switch {
	case err != nil:
		return changes, err
	case resp.ErrorCode != wire.CodeNone:
		return changes, resp.ErrorCode
	}
	found := map[partitionKey]*wire.AlterPartitionResponsePartitionData{}
	ids := map[wire.UUID]string{}
	for _, c := range changes {
		ids[c.id] = c.p.key.topic
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		name := t.TopicName
		if name == "" {
			name = ids[t.TopicID]
		}
		for j := range t.Partitions {
			found[partitionKey{name, t.Partitions[j].PartitionIndex}] = &t.Partitions[j]
		}
	}
	for _, c := range changes {
		v := found[c.p.key]
		if v == nil {
			again = append(again, c)
			err = fmt.Errorf("the controller's answer lacks %s-%d", c.p.key.topic, c.p.key.index)
			continue
		}
		if c.p.settle(c.proposal, isr.Verdict{Code: v.ErrorCode, LeaderEpoch: v.LeaderEpoch, PartitionEpoch: v.PartitionEpoch, ISR: v.Isr}) {
			again = append(again, c)
			err = fmt.Errorf("%s-%d: %w", c.p.key.topic, c.p.key.index, v.ErrorCode)
		}
	}
	return again, err
}

// alterPartition makes the request. The epochs of brokers are for controllers
// without ZooKeeper.
func (m *Manager) alterPartition(changes []isrChange) *wire.AlterPartitionRequest {
	req := &wire.AlterPartitionRequest{BrokerID: m.cfg.BrokerID, BrokerEpoch: m.BrokerEpoch()}
	for _, c := range changes {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].TopicName != c.p.key.topic {
			req.Topics = append(req.Topics, wire.AlterPartitionRequestTopicData{TopicName: c.p.key.topic, TopicID: c.id})
			last++
		}
		part := wire.AlterPartitionRequestPartitionData{
			PartitionIndex: c.p.key.index, LeaderEpoch: c.proposal.LeaderEpoch, PartitionEpoch: c.proposal.PartitionEpoch}
		for _, id := range c.proposal.ISR {
			part.NewIsrWithEpochs = append(part.NewIsrWithEpochs, wire.AlterPartitionRequestBrokerState{BrokerID: id, BrokerEpoch: -1})
		}
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, part)
	}
	return req
}

// proposes reports whether a change still waits for an answer.
func (p *Partition) proposes(change *isr.Proposal) bool {
	p.water.Lock()
	defer p.water.Unlock()
	return p.water.isr != nil && p.water.isr.Pending() == change
}

// settle applies the controller's answer to a change; again says that it
// decided nothing.
func (p *Partition) settle(change *isr.Proposal, v isr.Verdict) (again bool) {
	var out outcome
	p.mu.Lock()
	p.water.Lock()
	var line []any
	if s := p.water.isr; s != nil {
		var e isr.Effects
		e, again = s.Settled(p.m.now(), change, v, p.marksLocked())
		before := p.mu.isr
		p.mu.isr, p.mu.partitionEpoch = s.ISR(), s.PartitionEpoch()
		p.applyLocked(e, &out)
		if !slices.Equal(before, p.mu.isr) {
			marks := p.marksLocked()
			line = []any{"partition", p.log().Partition().String(), "from", fmt.Sprint(before), "to", fmt.Sprint(p.mu.isr), "partition_epoch",
				p.mu.partitionEpoch, "watermark", marks.High, "end", marks.End, "followers", lagText(s.Lags(p.m.now(), marks))}
		}
	}
	p.water.Unlock()
	p.mu.Unlock()
	p.carryOut(&out, nil)
	if v.Code != wire.CodeNone {
		p.m.isrChanges.counts.failures.Add(1)
	}
	if line != nil {
		what, counter := "in-sync replicas expanded", &p.m.isrChanges.counts.expands
		if change.Joining < 0 {
			counter = &p.m.isrChanges.counts.shrinks
			what = "in-sync replicas shrunk"
			// Who left may have caught up meanwhile: its next fetch is looked at,
			// though nothing happens here.
			p.notify(news{}, nil)
		}
		counter.Add(1)
		p.m.log.Info(what, line...)
	}
	return again
}

// lagText names the followers with their end offsets.
func lagText(followers []isr.Lag) string {
	var b strings.Builder
	for i, f := range followers {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d:%d", f.Broker, f.End)
	}
	return b.String()
}

// lagLoop looks for replicas that fell behind, twice in replica.lag.time.max.ms.
func (m *Manager) lagLoop(ctx context.Context) error {
	half := max(m.cfg.MaxLag/2, time.Millisecond) // 0 is allowed, and not to be busy with
	return every(ctx, m.env.Clock, half, half, func() { m.each((*Partition).checkLag) })
}

// checkLag proposes to drop the replicas that fell behind, if this broker leads.
func (p *Partition) checkLag() {
	var out outcome
	p.water.Lock()
	if s := p.water.isr; s != nil {
		p.applyLocked(s.Tick(p.m.now(), p.marksLocked()), &out)
	}
	p.water.Unlock()
	p.carryOut(&out, nil)
}
