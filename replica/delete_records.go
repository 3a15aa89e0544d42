package replica

import (
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
)

// DeleteRecordsRequest moves the start of a partition that this broker leads.
type DeleteRecordsRequest struct {
	Topic     string
	Partition int32
	// Offset is the new start, at most the high watermark; -1 stands for that.
	Offset int64
	// Timeout bounds the wait for the followers.
	Timeout time.Duration
}

// deleteWait is a request to delete records that waits until all live replicas
// begin where it asks.
type deleteWait struct {
	to int64
	// low is the low watermark as of the start, and later the one to answer.
	low   int64
	done  func(low int64, err error)
	timer env.Timer
}

// DeleteRecords moves the start of the log and calls done once, with the low
// watermark: the lowest start of the live replicas. It is called at once with
// an error, or when no follower lags behind; later otherwise, with
// REQUEST_TIMED_OUT when one does for too long. done may run on another
// goroutine and must not block.
func (m *Manager) DeleteRecords(req *DeleteRecordsRequest, done func(low int64, err error)) {
	p := m.lookup(req.Topic, req.Partition)
	if p == nil {
		done(-1, m.missing(PartitionName{Topic: req.Topic, Partition: req.Partition}, false))
		return
	}
	epoch, to, err := p.deleteBefore(req.Offset)
	if err != nil {
		done(-1, m.observe(err))
		return
	}
	p.notify(news{}, nil) // followers hear of the new start
	p.awaitDeletion(&deleteWait{to: to, done: done}, epoch, req.Timeout)
}

// deleteBefore moves the start of a led log and returns where to, and in which
// leader epoch. Its error is for observe.
func (p *Partition) deleteBefore(offset int64) (epoch int32, to int64, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err := p.checkLeaderLocked(AnyEpoch); err != nil {
		return 0, 0, err
	}
	log := p.log()
	if !log.Config().Delete {
		return 0, 0, wire.CodePolicyViolation
	}
	hw := log.HighWatermark()
	if offset == -1 {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return 0, 0, wire.CodeOffsetOutOfRange
	}
	return p.mu.leaderEpoch, offset, log.RaiseStart(offset)
}

// awaitDeletion parks a request until the low watermark reaches it. epoch is
// the leader epoch that it was carried out in.
func (p *Partition) awaitDeletion(w *deleteWait, epoch int32, timeout time.Duration) {
	p.water.Lock()
	if s := p.water.isr; s != nil {
		if w.low = s.LowWatermark(p.log().StartOffset()); w.low >= w.to {
			p.water.Unlock()
			w.done(w.low, nil)
			return
		}
	}
	low := w.low
	w.timer = p.m.env.Clock.AfterFunc(max(timeout, 0), func() {
		if p.withdrawDeletion(w) {
			w.done(low, wire.CodeRequestTimedOut)
		}
	})
	p.water.deletions = append(p.water.deletions, w)
	p.water.Unlock()
	// A change of role fails those it finds waiting: look whether it came before.
	if err := p.stillLeads(epoch); err != nil && p.withdrawDeletion(w) {
		w.timer.Stop()
		w.done(-1, err)
	}
}

// withdrawDeletion removes w; it reports whether it was still waiting.
func (p *Partition) withdrawDeletion(w *deleteWait) bool {
	p.water.Lock()
	defer p.water.Unlock()
	i := slices.Index(p.water.deletions, w)
	if i < 0 {
		return false
	}
	p.water.deletions = slices.Delete(p.water.deletions, i, i+1)
	return true
}

// deletedLocked takes out the requests that the low watermark has reached.
func (p *Partition) deletedLocked() (done []*deleteWait) {
	if len(p.water.deletions) == 0 {
		return nil
	}
	low := p.water.isr.LowWatermark(p.log().StartOffset())
	p.water.deletions = slices.DeleteFunc(p.water.deletions, func(w *deleteWait) bool {
		if w.to > low {
			return false
		}
		w.low = low
		done = append(done, w)
		return true
	})
	return done
}
