package replica

import (
	"slices"
	"time"

	"github.com/gregor-mq/gregor/replica/isr"
	"github.com/gregor-mq/gregor/wire"
)

// now is the time of the followers' progress: since the manager was made.
func (m *Manager) now() isr.Time { return m.moment(m.env.Clock.Now()) }

func (m *Manager) moment(t time.Time) isr.Time { return t.Sub(m.began) }

// leadLocked begins a leader epoch of this broker; kept says that it led in the
// epoch before. mu is held, and appended follows when it is not.
func (p *Partition) leadLocked(s *wire.LeaderAndIsrRequestPartitionState, kept bool) {
	p.water.Lock()
	defer p.water.Unlock()
	if !kept {
		p.water.isr, p.water.since = isr.New(&p.m.replication), s.LeaderEpoch
		p.water.above, p.water.held, p.water.stable = 0, 0, 0
	}
	p.water.isr.Lead(p.m.now(), isr.Leadership{
		LeaderEpoch: s.LeaderEpoch, PartitionEpoch: s.PartitionEpoch, ISR: s.Isr, Replicas: s.Replicas,
		MinISR: p.minISR, Start: p.mu.epochStart, Kept: kept,
	}, p.marksLocked())
}

// resignLocked forgets the followers: this broker leads no more. mu is held.
func (p *Partition) resignLocked() {
	p.water.Lock()
	defer p.water.Unlock()
	p.water.isr = nil
}

// setMinISR changes min.insync.replicas.
func (p *Partition) setMinISR(n int) {
	var out outcome
	p.mu.Lock()
	p.minISR = n
	p.water.Lock()
	if s := p.water.isr; s != nil {
		p.applyLocked(s.SetMinISR(p.m.now(), n, p.marksLocked()), &out)
	}
	p.water.Unlock()
	p.mu.Unlock()
	p.carryOut(&out, nil)
}

// follower is the broker that owns a fetch session.
type follower struct {
	broker int32
	pulse  isr.Pulse
}

// fetched records how far a follower is. since is the epoch from which on this
// broker led without a break when it read: what it found then says nothing
// about another leadership.
func (p *Partition) fetched(f isr.Fetch, since int32, cause *entry) {
	var out outcome
	p.water.Lock()
	if s := p.water.isr; s != nil && p.water.since == since {
		p.applyLocked(s.Fetched(p.m.now(), f, p.marksLocked()), &out)
		if cause != nil {
			cause.outside = !slices.Contains(s.ISR(), f.Broker)
		}
	}
	p.water.Unlock()
	p.carryOut(&out, cause)
}

// left says that a follower's session keeps this partition no more.
func (p *Partition) left(f *follower) {
	p.water.Lock()
	defer p.water.Unlock()
	if s := p.water.isr; s != nil {
		s.Left(f.broker, &f.pulse, p.marksLocked())
	}
}
