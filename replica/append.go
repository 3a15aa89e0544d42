package replica

import (
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// Acks of a produce request.
const (
	AcksNone   int16 = 0
	AcksLeader int16 = 1
	AcksAll    int16 = -1
)

// AnyEpoch skips the check of the leader epoch.
const AnyEpoch int32 = -1

// AppendRequest adds batches to one partition that this broker leads.
type AppendRequest struct {
	Topic     string
	Partition int32
	// Records are whole v2 batches, or a message set of magic 0 or 1. They are
	// changed in place: offsets, leader epoch, maybe timestamps.
	Records []byte
	Acks    int16
	// LeaderEpoch is the epoch in which the caller believes that this broker
	// leads; AnyEpoch for clients, who cannot know.
	LeaderEpoch int32
	// Timeout bounds the wait of AcksAll.
	Timeout time.Duration
	Origin  producer.Origin
}

// AppendResult answers an AppendRequest.
type AppendResult struct {
	// Err is nil, a wire.Code, or an error of storage or record.
	Err           error
	BaseOffset    int64
	LastOffset    int64
	LogAppendTime int64 // -1 unless the topic stamps append time
	// LogStart is known in a refusal too, unless the partition is not here.
	LogStart int64
}

// ackWait is a produce request that waits until the watermark passes it.
type ackWait struct {
	after  int64 // the end offset of its records
	result AppendResult
	done   func(AppendResult)
	timer  env.Timer
}

// fail answers with an error; as in Kafka, what was appended is told with it.
func (w *ackWait) fail(err error) {
	w.result.Err = err
	w.done(w.result)
}

func failed(err error) AppendResult {
	return AppendResult{Err: err, BaseOffset: -1, LastOffset: -1, LogAppendTime: -1, LogStart: -1}
}

// Append validates and writes, and calls done once: at once for acks 0 and 1
// and for errors, and when the high watermark has passed for AcksAll. done may
// run on another goroutine and must not block.
func (m *Manager) Append(req *AppendRequest, done func(AppendResult)) {
	p := m.lookup(req.Topic, req.Partition)
	if p == nil {
		done(failed(m.missing(PartitionName{Topic: req.Topic, Partition: req.Partition}, false)))
		return
	}
	now := m.env.Clock.Now()
	info, epoch, err := p.append(req, now)
	if err != nil {
		res := failed(m.observe(err))
		res.LogStart = p.log().StartOffset()
		done(res)
		return
	}
	res := AppendResult{BaseOffset: info.FirstOffset, LastOffset: info.LastOffset, LogAppendTime: info.LogAppendTime, LogStart: info.StartOffset}
	if info.Rolled {
		m.flushSoon(p.log())
	}
	if info.Duplicate {
		info.Bytes = 0
	}
	enough := p.appended(info.Bytes, m.moment(now))
	if req.Acks != AcksAll {
		done(res)
		return
	}
	p.await(&ackWait{after: res.LastOffset + 1, result: res, done: done}, enough, epoch, req.Timeout)
}

// append writes while this broker leads; epoch is the leader epoch of it. Its
// error is for observe, which must not run under the lock.
func (p *Partition) append(req *AppendRequest, now time.Time) (info storage.AppendInfo, epoch int32, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	epoch = p.mu.leaderEpoch
	if err := p.checkLeaderLocked(AnyEpoch); err != nil {
		return info, epoch, err
	}
	if req.LeaderEpoch != AnyEpoch && req.LeaderEpoch != epoch {
		return info, epoch, wire.CodeNotLeaderOrFollower
	}
	if req.Acks == AcksAll && len(p.mu.isr) < p.minISRLocked() {
		return info, epoch, wire.CodeNotEnoughReplicas
	}
	info, err = p.log().AppendLeader(req.Records, storage.AppendOptions{
		LeaderEpoch: epoch, Now: now, Origin: req.Origin,
	})
	return info, epoch, err
}

// minISRLocked is min.insync.replicas, bounded by the replication factor.
func (p *Partition) minISRLocked() int {
	return min(p.minISR, max(len(p.mu.replicas), 1))
}

// passedLocked takes out the produce requests that the watermark has passed. (It
// only moves while enough replicas are in sync for them.)
func (p *Partition) passedLocked(hw int64) []*ackWait {
	if len(p.water.waiting) == 0 {
		return nil
	}
	var done, rest []*ackWait
	for _, w := range p.water.waiting {
		if w.after <= hw {
			done = append(done, w)
		} else {
			rest = append(rest, w)
		}
	}
	p.water.waiting = rest
	return done
}

// await answers a produce request when the watermark has passed it: at once, or
// later. epoch is the leader epoch that it was appended in, enough whether as
// many replicas were in sync then as acks=all asks for.
func (p *Partition) await(w *ackWait, enough bool, epoch int32, timeout time.Duration) {
	parked, err := p.park(w, epoch, timeout)
	switch {
	case parked:
	case err != nil:
		w.fail(err)
	case !enough:
		w.fail(wire.CodeNotEnoughReplicasAfterAppend)
	default:
		w.done(w.result)
	}
}

// park lets a produce request wait unless the watermark has passed it. Who leads
// no more may have lost what was appended, whatever its watermark says: so the
// role is looked at first, and stands still until the request is among those
// that another role fails.
func (p *Partition) park(w *ackWait, epoch int32, timeout time.Duration) (parked bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err := p.stillLeadsLocked(epoch); err != nil {
		return false, err
	}
	p.water.Lock()
	defer p.water.Unlock()
	if p.log().HighWatermark() >= w.after {
		return false, nil
	}
	w.timer = p.m.env.Clock.AfterFunc(timeout, func() {
		if p.withdraw(w) {
			w.fail(wire.CodeRequestTimedOut)
		}
	})
	p.water.waiting = append(p.water.waiting, w)
	return true, nil
}

// stillLeads is stillLeadsLocked for who does not hold mu.
func (p *Partition) stillLeads(epoch int32) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.stillLeadsLocked(epoch)
}

// stillLeadsLocked reports whether this broker has led since an epoch.
func (p *Partition) stillLeadsLocked(epoch int32) error {
	if err := p.checkLeaderLocked(AnyEpoch); err != nil {
		return err
	}
	if p.mu.ledSince > epoch {
		return wire.CodeNotLeaderOrFollower
	}
	return nil
}

// withdraw removes w; it reports whether it was still waiting.
func (p *Partition) withdraw(w *ackWait) bool {
	p.water.Lock()
	defer p.water.Unlock()
	i := slices.Index(p.water.waiting, w)
	if i < 0 {
		return false
	}
	p.water.waiting = slices.Delete(p.water.waiting, i, i+1)
	return true
}

// failWaiting answers all that wait for followers with an error: this broker
// leads no more.
func (p *Partition) failWaiting(err error) {
	p.water.Lock()
	waiting, deletions := p.water.waiting, p.water.deletions
	p.water.waiting, p.water.deletions = nil, nil
	p.water.Unlock()
	for _, w := range waiting {
		w.timer.Stop()
		w.fail(err)
	}
	for _, w := range deletions {
		w.timer.Stop()
		w.done(-1, err)
	}
}
