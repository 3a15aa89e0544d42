package replica

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// every calls f after delay and then each interval until ctx ends.
func every(ctx context.Context, clock env.Clock, delay, interval time.Duration, f func()) error {
	t := clock.NewTimer(delay)
	defer t.Stop()
	for {
		select {
		case <-t.C():
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
		for _, d := range m.dirs {
			if d.Failed() == nil {
				d.CloseIdle()
			}
		}
	})
}

func (m *Manager) retain(p *Partition) {
	if p.log == nil || p.log.Dir().Failed() != nil {
		return
	}
	now := m.env.Clock.Now()
	done, err := p.log.Retain(now)
	if err == nil {
		_, _, err = p.log.RemoveDeleted(now)
	}
	if err != nil && !errors.Is(err, storage.ErrClosed) {
		m.log.Error("retention failed", "partition", p.log.Partition().String(), "error", m.observe(err))
		return
	}
	p.log.ExpireProducers()
	if done.Segments > 0 {
		m.log.Info("segments deleted by retention", "partition", p.log.Partition().String(),
			"segments", done.Segments, "bytes", done.Bytes, "start", done.StartOffset)
		p.notify(0, false)
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

// watermarkMoved notes that a directory's watermark checkpoint is behind.
func (m *Manager) watermarkMoved(d *storage.Dir) {
	m.moved.Lock()
	m.moved.dirs[d] = true
	m.moved.Unlock()
}

// checkpointLoop writes watermarks often, recovery points and starts rarely.
func (m *Manager) checkpointLoop(ctx context.Context) error {
	next := m.env.Clock.Now().Add(m.cfg.CheckpointInterval)
	return every(ctx, m.env.Clock, m.cfg.WatermarkInterval, m.cfg.WatermarkInterval, func() {
		m.checkpointWatermarks()
		if now := m.env.Clock.Now(); !now.Before(next) {
			m.flushAged()
			m.checkpointLogs()
			next = now.Add(m.cfg.CheckpointInterval)
		}
	})
}

func (m *Manager) checkpointWatermarks() {
	m.moved.Lock()
	dirs := m.moved.dirs
	m.moved.dirs = map[*storage.Dir]bool{}
	m.moved.Unlock()
	for d := range dirs {
		m.writeCheckpoint(d, storage.HighWatermarks, func(l *storage.Log) (int64, bool) { return l.HighWatermark(), true })
	}
}

// checkpointLogs writes recovery points and log starts of all directories.
func (m *Manager) checkpointLogs() {
	for _, d := range m.dirs {
		m.writeCheckpoint(d, storage.RecoveryPoints, func(l *storage.Log) (int64, bool) { return l.RecoveryPoint(), true })
		m.writeCheckpoint(d, storage.LogStarts, (*storage.Log).CheckpointStart)
	}
}

func (m *Manager) writeCheckpoint(d *storage.Dir, name storage.Checkpoint, value func(*storage.Log) (int64, bool)) {
	if d.Failed() != nil {
		return
	}
	var entries []checkpoint.Offset
	for _, l := range m.logsOf(d) {
		if offset, ok := value(l); ok {
			tp := l.Partition()
			entries = append(entries, checkpoint.Offset{Topic: tp.Topic, Partition: tp.Partition, Offset: offset})
		}
	}
	if err := d.WriteCheckpoint(name, entries); err != nil {
		m.log.Error("cannot write a checkpoint", "dir", d.Path(), "file", string(name), "error", m.observe(err))
	}
}

// logsOf lists the logs of a directory in name order.
func (m *Manager) logsOf(d *storage.Dir) []*storage.Log {
	var logs []*storage.Log
	m.each(func(p *Partition) {
		if p.log != nil && p.log.Dir() == d {
			logs = append(logs, p.log)
		}
	})
	m.control.Lock()
	for _, l := range m.unclaimed {
		if l.Dir() == d {
			logs = append(logs, l)
		}
	}
	m.control.Unlock()
	slices.SortFunc(logs, func(a, b *storage.Log) int {
		x, y := a.Partition(), b.Partition()
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return logs
}

// flushAged flushes logs whose topic asks for it after a time (flush.ms).
func (m *Manager) flushAged() {
	m.each(func(p *Partition) {
		if p.log == nil || p.log.Dir().Failed() != nil {
			return
		}
		if err := p.log.FlushDue(); err != nil && !errors.Is(err, storage.ErrClosed) {
			m.log.Error("cannot flush a log", "partition", p.log.Partition().String(), "error", m.observe(err))
		}
	})
}

// deletionLoop removes the directories of deleted partitions when their delay
// is over, oldest first.
func (m *Manager) deletionLoop(ctx context.Context) error {
	var due []deletion
	timer := m.env.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due = m.deletions.TryDrain(due)
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
