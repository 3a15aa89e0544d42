package replica

import "slices"

// held reports whether a fetch must get nothing of a partition: the reader is a
// replica that is not in sync, and more was sent to throttled ones lately than
// leader.replication.throttled.rate allows (KIP-73). One in sync is never held
// back: it would fall out.
func (f *fetch) held(e *entry) bool {
	t, p := f.m.cfg.Throttle, e.part
	return t != nil && f.req.ReplicaID >= 0 && t.Throttled(p.key.topic, p.key.index) &&
		t.Exceeded(f.m.env.Clock.Now()) && !p.inSync(f.req.ReplicaID)
}

// inSync reports whether the controller knows a broker as in sync.
func (p *Partition) inSync(broker int32) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Contains(p.mu.isr, broker)
}

// sent counts what a replica gets of throttled partitions, in sync or not.
func (f *fetch) sent(parts []FetchedPartition) {
	t := f.m.cfg.Throttle
	if t == nil || f.req.ReplicaID < 0 {
		return
	}
	bytes := 0
	for i := range parts {
		if n := parts[i].Span.Size(); n > 0 && t.Throttled(parts[i].Topic, parts[i].Partition) {
			bytes += n
		}
	}
	if bytes > 0 {
		t.Record(f.m.env.Clock.Now(), bytes)
	}
}
