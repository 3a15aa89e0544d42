package replica

import (
	"github.com/gregor-mq/gregor/replica/isr"
)

// outcome is what follows from a change that was made with water held. It is
// for carryOut, when no lock is held.
type outcome struct {
	news     news
	acks     []*ackWait
	deleted  []*deleteWait
	proposal *isr.Proposal
}

// uncounted stands for the bytes of which nobody knows how many they are: those
// that a former leadership left. They are enough for any fetch that waits.
const uncounted = 1 << 30

func (p *Partition) marksLocked() isr.Marks {
	log := p.log()
	return isr.Marks{End: log.EndOffset(), High: log.HighWatermark()}
}

// appended notes that the log of a led partition grew by size bytes (0: only
// what is known of other brokers may have changed). enough is false when
// acks=all asks for more replicas than are in sync.
func (p *Partition) appended(size int, now isr.Time) (enough bool) {
	var out outcome
	out.news.bytes[viewEnd] = size
	enough = true
	p.water.Lock()
	p.water.above += size
	if s := p.water.isr; s != nil {
		p.applyLocked(s.Appended(now, p.marksLocked()), &out)
		enough = s.EnoughForAck()
	}
	p.water.Unlock()
	p.carryOut(&out, nil)
	return enough
}

// applyLocked does what the machine decided, as far as water guards it.
func (p *Partition) applyLocked(e isr.Effects, out *outcome) {
	if e.Watermark >= 0 {
		p.riseLocked(e.Watermark, out)
	}
	out.proposal, out.deleted = e.Proposal, p.deletedLocked()
}

// riseLocked moves the high watermark of a led partition up to next.
func (p *Partition) riseLocked(next int64, out *outcome) {
	log := p.log()
	high, end := log.HighWatermark(), log.EndOffset()
	log.SetHighWatermark(next)
	p.m.watermarkMoved(log.Dir())
	size := p.water.above
	if next < end {
		// Records differ in size, but no fetch waits for exact numbers.
		size = int(float64(size) * float64(next-high) / float64(end-high))
	}
	p.water.above -= size
	if size == 0 {
		size = uncounted
	}
	out.news.bytes[viewWatermark] = size
	out.news.bytes[viewStable] = p.stableLocked(size)
	out.acks = p.passedLocked(next)
}

// stableLocked is how many bytes a read_committed reader can see more: none
// while the last stable offset stands, all that was held back when it moves.
// (The latter may say too much; the fetch then answers early.) n bytes came
// below the watermark.
func (p *Partition) stableLocked(n int) int {
	p.water.held += n
	stable, err := p.log().LastStableOffset()
	if err != nil || stable <= p.water.stable {
		return 0 // a reader meets the error itself
	}
	p.water.stable = stable
	n, p.water.held = p.water.held, 0
	return n
}

// carryOut tells everybody what happened, but not the fetch of the entry
// through which it did. No lock of the partition is held.
func (p *Partition) carryOut(out *outcome, cause *entry) {
	for _, w := range out.acks {
		w.timer.Stop()
		w.done(w.result)
	}
	for _, w := range out.deleted {
		w.timer.Stop()
		w.done(w.low, nil)
	}
	if out.news != (news{}) {
		p.notify(out.news, cause)
	}
	if out.proposal != nil {
		p.m.isrChanges.put(p, out.proposal)
	}
}
