package replica

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage"
)

// every calls f after delay and then each interval until ctx ends.
func every(ctx context.Context, clock env.Clock, delay, interval time.Duration, f func()) error {
	t := clock.NewTimer(delay)
	defer t.Stop()
	for {
		select {
		case <-t.C():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			f()
			t.Reset(interval)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// retentionLoop deletes old segments and closes files that nobody used.
func (m *Manager) retentionLoop(ctx context.Context) error {
	return every(ctx, m.env.Clock, m.cfg.TaskDelay, m.cfg.RetentionInterval, func() {
		m.each(m.retain)
		m.moves.each(m.retainCopy)
		for _, d := range m.dirs {
			if d.Failed() == nil {
				d.CloseIdle()
			}
		}
	})
}

func (m *Manager) retain(p *Partition) {
	if p.log().Dir().Failed() != nil {
		return
	}
	now := m.env.Clock.Now()
	done, err := p.log().Retain(now)
	if err == nil {
		_, _, err = p.log().RemoveDeleted(now)
	}
	if err != nil && !errors.Is(err, storage.ErrClosed) {
		m.log.Error("retention failed", "partition", p.log().Partition().String(), "error", m.observe(err))
		return
	}
	p.log().ExpireProducers()
	if done.Segments > 0 {
		m.log.Info("segments deleted by retention", "partition", p.log().Partition().String(),
			"segments", done.Segments, "bytes", done.Bytes, "start", done.StartOffset)
		p.notify(news{}, nil)
	}
}

// flushSoon makes a rolled segment durable, away from the request's way.
func (m *Manager) flushSoon(l *storage.Log) {
	_ = m.flushes.TryPut(l) // when full, the next roll or stop flushes it
}

func (m *Manager) flushLoop(ctx context.Context) error {
	var logs []*storage.Log
	for {
		var err error
		if logs, err = m.flushes.Drain(ctx, logs[:0]); err != nil {
			return err
		}
		slices.SortFunc(logs, func(a, b *storage.Log) int { return cmp.Compare(a.Path(), b.Path()) })
		for _, l := range slices.Compact(logs) {
			if err := l.Flush(); err != nil && !errors.Is(err, storage.ErrClosed) {
				m.log.Error("cannot flush a log", "partition", l.Partition().String(), "error", m.observe(err))
			}
		}
	}
}

// flushAgedLoop flushes logs whose topic asks for it after a time (flush.ms).
func (m *Manager) flushAgedLoop(ctx context.Context) error {
	return every(ctx, m.env.Clock, m.cfg.FlushInterval, m.cfg.FlushInterval, func() {
		m.each(func(p *Partition) {
			if p.log().Dir().Failed() != nil {
				return
			}
			if err := p.log().FlushDue(); err != nil && !errors.Is(err, storage.ErrClosed) {
				m.log.Error("cannot flush a log", "partition", p.log().Partition().String(), "error", m.observe(err))
			}
		})
	})
}

// deletionLoop removes the directories of deleted partitions when their delay
// is over, oldest first.
func (m *Manager) deletionLoop(ctx context.Context) error {
	var due []deletion
	timer := m.env.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		// Each topic has its own delay.
		due = m.deletions.TryDrain(due)
		slices.SortStableFunc(due, func(a, b deletion) int { return a.at.Compare(b.at) })
		now := m.env.Clock.Now()
		for len(due) > 0 && !due[0].at.After(now) {
			m.removeDeleted(due[0])
			due = due[1:]
		}
		wait := time.Hour
		if len(due) > 0 {
			wait = due[0].at.Sub(now)
		}
		timer.Reset(wait)
		select {
		case <-m.deletions.Ready():
		case <-timer.C():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (m *Manager) removeDeleted(d deletion) {
	if d.dir.Failed() != nil {
		return
	}
	if err := d.dir.RemovePartition(d.part); err != nil {
		m.log.Error("cannot remove a deleted partition", "dir", d.dir.Path(), "name", d.part.Name, "error", m.observe(err))
		return
	}
	m.log.Info("deleted partition removed", "dir", d.dir.Path(), "name", d.part.Name)
}
