package replica

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/storage"
)

// Load opens every log of every directory. recoveryThreads is
// num.recovery.threads.per.data.dir: how many logs of a directory are recovered
// side by side after an unclean stop. A directory whose disk fails goes
// offline; it is an error only when none is left. A directory that holds what
// does not belong there is an error that names it.
func (m *Manager) Load(ctx context.Context, recoveryThreads int) error {
	var failures []error
	live := 0
	for _, d := range m.dirs {
		err := m.loadDir(ctx, d, max(recoveryThreads, 1))
		if _, ok := errors.AsType[*storage.DirError](err); ok {
			failures = append(failures, err)
			continue
		}
		if err != nil {
			return err
		}
		live++
	}
	if live == 0 {
		return fmt.Errorf("no log directory can be used: %w", errors.Join(failures...))
	}
	return nil
}

func (m *Manager) loadDir(ctx context.Context, d *storage.Dir, threads int) error {
	if err := d.RemoveCleanMark(); err != nil {
		return err
	}
	parts, err := d.Partitions()
	if err != nil {
		return err
	}
	points := m.checkpoint(d, storage.RecoveryPoints)
	starts := m.checkpoint(d, storage.LogStarts)
	marks := m.checkpoint(d, storage.HighWatermarks)
	logs := make([]*storage.Log, len(parts))
	if d.WasClean() {
		threads = 1 // nothing is read: threads would only wait for each other
	}
	group := run.NewGroup(ctx)
	var next atomic.Int64
	for range threads {
		group.Go("log-recovery", func(ctx context.Context) error {
			for i := next.Add(1) - 1; i < int64(len(parts)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				part := parts[i]
				if part.Kind != storage.Current {
					continue
				}
				tp := part.TopicPartition
				l, err := d.OpenLog(part, storage.LogOptions{
					Config: m.cfg.Topic(tp.Topic).Storage, RecoveryPoint: points[tp], StartOffset: starts[tp],
				})
				if err != nil {
					return fmt.Errorf("open the log of %s: %w", tp, err)
				}
				l.SetHighWatermark(marks[tp])
				logs[i] = l
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return m.claim(ctx, d, parts, logs)
}

// claim notes the logs that were opened, and the leftovers to remove.
func (m *Manager) claim(ctx context.Context, d *storage.Dir, parts []storage.PartitionDir, logs []*storage.Log) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.control.Lock()
	defer m.control.Unlock()
	for i, part := range parts {
		if part.Kind == storage.Deleted {
			_ = m.deletions.TryPut(deletion{dir: d, part: part, at: m.env.Clock.Now()})
		}
		l := logs[i]
		if l == nil {
			continue
		}
		key := partitionKey{part.Topic, part.Partition}
		if other, twice := m.unclaimed[key]; twice {
			return fmt.Errorf("partition %s has two directories, %s and %s: move one away", part.TopicPartition, other.Path(), l.Path())
		}
		m.unclaimed[key] = l
		m.logCount[d]++
	}
	return nil
}

func (m *Manager) checkpoint(d *storage.Dir, name storage.Checkpoint) map[storage.TopicPartition]int64 {
	entries, err := d.ReadCheckpoint(name)
	if err != nil {
		// Reading as empty is safe: more is recovered than needed.
		m.log.Warn("cannot read a checkpoint, going on without it", "dir", d.Path(), "file", string(name), "error", err)
	}
	return entries
}

// LogCount returns how many logs this broker holds.
func (m *Manager) LogCount() int {
	m.control.Lock()
	defer m.control.Unlock()
	n := 0
	for _, count := range m.logCount {
		n += count
	}
	return n
}

// Stop ends all service, makes every log durable and leaves the marks of a
// clean stop. A directory that fails on the way gets no mark.
func (m *Manager) Stop() error {
	if m.group != nil {
		m.group.Stop()
		if err := m.group.Wait(); err != nil {
			m.log.Error("periodic work ended with an error", "error", err)
		}
	}
	m.each(func(p *Partition) {
		p.mu.Lock()
		p.mu.role = roleGone
		p.mu.Unlock()
		p.failAcks(errStopping)
		p.notify(0, true)
	})
	var errs []error
	for _, d := range m.dirs {
		errs = append(errs, m.stopDir(d))
	}
	return errors.Join(errs...)
}

func (m *Manager) stopDir(d *storage.Dir) error {
	logs := m.logsOf(d)
	if d.Failed() != nil {
		for _, l := range logs {
			l.Abandon()
		}
		return d.Close()
	}
	m.checkpointWatermarks()
	for _, l := range logs {
		if err := l.Close(); err != nil {
			return errors.Join(fmt.Errorf("close the log of %s: %w", l.Partition(), err), d.Close())
		}
	}
	m.writeCheckpoint(d, storage.HighWatermarks, func(l *storage.Log) (int64, bool) { return l.HighWatermark(), true })
	m.writeCheckpoint(d, storage.RecoveryPoints, func(l *storage.Log) (int64, bool) { return l.RecoveryPoint(), true })
	m.writeCheckpoint(d, storage.LogStarts, (*storage.Log).CheckpointStart)
	return errors.Join(d.MarkClean(-1), d.Close())
}
