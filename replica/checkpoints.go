package replica

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// watermarkMoved notes that a directory's watermark checkpoint is behind.
func (m *Manager) watermarkMoved(d *storage.Dir) {
	if behind := m.moved[d]; !behind.Load() {
		behind.Store(true)
	}
}

// checkpointLoop writes watermarks often, recovery points and starts rarely.
func (m *Manager) checkpointLoop(ctx context.Context) error {
	next := m.env.Clock.Now().Add(m.cfg.CheckpointInterval)
	return every(ctx, m.env.Clock, m.cfg.WatermarkInterval, m.cfg.WatermarkInterval, func() {
		m.checkpointWatermarks()
		if now := m.env.Clock.Now(); !now.Before(next) {
			m.checkpointLogs()
			next = now.Add(m.cfg.CheckpointInterval)
		}
	})
}

func (m *Manager) checkpointWatermarks() {
	for _, d := range m.dirs {
		if m.moved[d].Swap(false) {
			_ = m.writeCheckpoints(d, storage.HighWatermarks) // it has told the log
		}
	}
}

// checkpointLogs writes recovery points and log starts of all directories.
func (m *Manager) checkpointLogs() {
	for _, d := range m.dirs {
		_ = m.writeCheckpoints(d, storage.RecoveryPoints, storage.LogStarts) // it has told the log
	}
}

// checkpointDir writes all three checkpoints of a directory.
func (m *Manager) checkpointDir(d *storage.Dir) error {
	return m.writeCheckpoints(d, storage.HighWatermarks, storage.RecoveryPoints, storage.LogStarts)
}

// told is what each checkpoint says of a log; ok is false when it is left out.
var told = map[storage.Checkpoint]func(*storage.Log) (offset int64, ok bool){
	storage.HighWatermarks: func(l *storage.Log) (int64, bool) { return l.HighWatermark(), true },
	storage.RecoveryPoints: func(l *storage.Log) (int64, bool) { return l.RecoveryPoint(), true },
	storage.LogStarts:      (*storage.Log).CheckpointStart,
}

// writeCheckpoints writes checkpoints of a directory that is loaded and well.
func (m *Manager) writeCheckpoints(d *storage.Dir, names ...storage.Checkpoint) error {
	if d.Failed() != nil || !m.isLoaded(d) {
		return nil
	}
	m.checkpoints.Lock()
	defer m.checkpoints.Unlock()
	err := tell(d, m.logsOf(d), names...)
	if err != nil {
		m.log.Error("cannot write checkpoints", "dir", d.Path(), "error", m.observe(err))
	}
	return err
}

// tell writes checkpoints of a directory that holds these logs.
func tell(d *storage.Dir, logs []*storage.Log, names ...storage.Checkpoint) error {
	entries := make([]checkpoint.Offset, 0, len(logs))
	var errs []error
	for _, name := range names {
		entries = entries[:0]
		for _, l := range logs {
			if offset, ok := told[name](l); ok {
				tp := l.Partition()
				entries = append(entries, checkpoint.Offset{Topic: tp.Topic, Partition: tp.Partition, Offset: offset})
			}
		}
		errs = append(errs, d.WriteCheckpoint(name, entries))
	}
	return errors.Join(errs...)
}

// logsOf lists the logs of a directory in name order, copies of replicas that
// move there among them.
func (m *Manager) logsOf(d *storage.Dir) []*storage.Log {
	var logs []*storage.Log
	m.mu.RLock()
	for _, t := range m.mu.topics {
		for _, p := range t {
			if l := p.log(); l.Dir() == d {
				logs = append(logs, l)
			}
		}
	}
	for _, l := range m.mu.unclaimed {
		if l.Dir() == d {
			logs = append(logs, l)
		}
	}
	m.mu.RUnlock()
	logs = append(logs, m.moves.in(d)...)
	slices.SortFunc(logs, func(a, b *storage.Log) int {
		x, y := a.Partition(), b.Partition()
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return logs
}
