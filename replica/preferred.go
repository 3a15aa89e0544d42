package replica

import (
	"github.com/gregor-mq/gregor/replica/isr"
)

// noReplica is where no replica is meant.
const noReplica int32 = -1

// preferred is the replica that a consumer in a rack should rather read from
// (KIP-392): of those in its rack that are in sync and have the offset, the one
// with the most; noReplica when this leader will do. Only replicas that listen
// where the consumer came in count.
func (p *Partition) preferred(rack, listener string, offset int64) int32 {
	image := p.m.cache.Image()
	near := func(id int32) bool {
		b, ok := image.Broker(id)
		if !ok || b.Rack == nil || *b.Rack != rack {
			return false
		}
		_, ok = b.Endpoint(listener)
		return ok
	}
	if near(p.m.cfg.BrokerID) {
		return noReplica
	}
	var best *isr.Lag
	lags := p.lags()
	for i := range lags {
		l := &lags[i]
		if l.InSync && l.Start <= offset && offset <= l.End && near(l.Broker) && (best == nil || ahead(l, best)) {
			best = l
		}
	}
	if best == nil {
		return noReplica
	}
	return best.Broker
}

// ahead orders replicas as Kafka does: by what they have, since when they have
// not had everything, and their ids.
func ahead(a, b *isr.Lag) bool {
	switch {
	case a.End != b.End:
		return a.End > b.End
	case a.Behind != b.Behind:
		return a.Behind < b.Behind
	}
	return a.Broker > b.Broker
}

// lags lists the followers; nil when this broker does not lead.
func (p *Partition) lags() []isr.Lag {
	p.water.Lock()
	defer p.water.Unlock()
	if p.water.isr == nil {
		return nil
	}
	return p.water.isr.Lags(p.m.now(), p.marksLocked())
}
