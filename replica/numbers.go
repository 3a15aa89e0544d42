package replica

import "sync/atomic"

// Numbers is what metrics show of this broker's replicas.
type Numbers struct {
	// Partitions counts all that this broker holds, Leaders those it leads and
	// Offline those in failed log directories.
	Partitions, Leaders, Offline int
	// The others are about led partitions: with replicas out of sync (those that
	// are being added do not count), with fewer and with just as many in sync as
	// min.insync.replicas asks for, and being reassigned.
	UnderReplicated, UnderMinISR, AtMinISR, Reassigning int
	// OfflineDirs counts log directories that failed, at the start or later.
	OfflineDirs int
	// ISRExpands, ISRShrinks and ISRFailures count changes of in-sync replicas
	// since the broker started: those that happened, and those that the
	// controller refused.
	ISRExpands, ISRShrinks, ISRFailures int64
}

// isrCounts counts changes of in-sync replicas.
type isrCounts struct{ expands, shrinks, failures atomic.Int64 }

// Numbers walks over all partitions.
func (m *Manager) Numbers() Numbers {
	n := Numbers{
		OfflineDirs: len(m.cfg.Missing),
		ISRExpands:  m.isrChanges.counts.expands.Load(), ISRShrinks: m.isrChanges.counts.shrinks.Load(),
		ISRFailures: m.isrChanges.counts.failures.Load(),
	}
	for _, d := range m.dirs {
		if d.Failed() != nil {
			n.OfflineDirs++
		}
	}
	m.each(func(p *Partition) { p.count(&n) })
	return n
}

func (p *Partition) count(n *Numbers) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n.Partitions++
	switch p.mu.role {
	case roleOffline:
		n.Offline++
		return
	case roleLeader:
		n.Leaders++
	default:
		return
	}
	inSync, enough := len(p.mu.isr), min(p.minISR, len(p.mu.replicas))
	switch {
	case inSync < enough:
		n.UnderMinISR++
	case inSync == enough:
		n.AtMinISR++
	}
	if inSync < len(p.mu.replicas)-len(p.mu.adding) {
		n.UnderReplicated++
	}
	if len(p.mu.adding)+len(p.mu.removing) > 0 {
		n.Reassigning++
	}
}
