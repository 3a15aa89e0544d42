package replica

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/storage"
)

// Load opens every log of every directory, the directories side by side.
// recoveryThreads is num.recovery.threads.per.data.dir: how many logs of a
// directory are recovered at a time after an unclean stop. A directory whose
// disk fails goes offline; it is an error only when none is left. A directory
// that holds what does not belong there is an error that names it.
func (m *Manager) Load(ctx context.Context, recoveryThreads int) error {
	results := make([]error, len(m.dirs))
	run.Each(len(m.dirs), len(m.dirs), func(i int) {
		results[i] = m.loadDir(ctx, m.dirs[i], max(recoveryThreads, 1))
	})
	live := 0
	var offline []error
	for _, err := range results {
		_, failed := errors.AsType[*storage.DirError](err)
		switch {
		case err == nil:
			live++
		case failed:
			offline = append(offline, m.observe(err))
		default:
			return err
		}
	}
	if live == 0 {
		return fmt.Errorf("no log directory can be used: %w", errors.Join(offline...))
	}
	m.settleMoves()
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
	refuseDoubles(parts)
	o := opener{m: m, dir: d, parts: parts, logs: make([]*storage.Log, len(parts)),
		points: m.checkpoint(d, storage.RecoveryPoints), starts: m.checkpoint(d, storage.LogStarts), marks: m.checkpoint(d, storage.HighWatermarks)}
	if d.WasClean() {
		threads = 1 // nothing is read: threads would only wait for each other
	}
	group := run.NewGroup(ctx)
	for range threads {
		group.Go("log-recovery", o.run)
	}
	err = group.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = m.adopt(d, parts, o.logs)
	}
	if err != nil {
		for _, l := range o.logs {
			if l != nil {
				l.Abandon()
			}
		}
	}
	return err
}

// opener opens the logs of one directory.
type opener struct {
	m                     *Manager
	dir                   *storage.Dir
	parts                 []storage.PartitionDir
	logs                  []*storage.Log // by the index of parts
	points, starts, marks map[storage.TopicPartition]int64
	next                  atomic.Int64
}

// run opens one log after the other until none is left.
func (o *opener) run(ctx context.Context) error {
	for ctx.Err() == nil {
		i := o.next.Add(1) - 1
		if i >= int64(len(o.parts)) {
			return nil
		}
		part := o.parts[i]
		if part.Kind != storage.Current && part.Kind != storage.Future {
			continue
		}
		tp := part.TopicPartition
		l, err := o.dir.OpenLog(part, storage.LogOptions{
			Config: o.m.cfg.Topic(tp.Topic).Storage, RecoveryPoint: o.points[tp], StartOffset: o.starts[tp],
		})
		if err != nil {
			return fmt.Errorf("open the log of %s: %w", tp, err)
		}
		l.SetHighWatermark(o.marks[tp])
		o.logs[i] = l
	}
	return nil
}

// adopt notes the logs that were opened, and the leftovers to remove.
func (m *Manager) adopt(d *storage.Dir, parts []storage.PartitionDir, logs []*storage.Log) error {
	m.control.Lock()
	defer m.control.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, part := range parts {
		if l := logs[i]; l != nil {
			if err := m.adoptLog(part.Kind, l); err != nil {
				return err
			}
		}
		if part.Kind == storage.Deleted {
			// A full inbox leaves the directory for the next start.
			_ = m.deletions.TryPut(deletion{dir: d, part: part, at: m.env.Clock.Now()})
		}
	}
	m.mu.loaded[d] = true
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
