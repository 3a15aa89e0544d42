package replica

import (
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// errStopping answers what waits when the broker stops: clients go elsewhere.
const errStopping = wire.CodeNotLeaderOrFollower

// Stop ends all service, makes every log durable and leaves the marks of a
// clean stop. A directory that fails on the way, or that was not loaded whole,
// gets no mark.
func (m *Manager) Stop() error {
	if m.group != nil {
		m.group.Stop()
		if err := m.group.Wait(); err != nil {
			m.log.Error("periodic work ended with an error", "error", err)
		}
	}
	m.control.Lock() // a last LeaderAndIsr ends first, and none follows
	defer m.control.Unlock()
	m.stopped = true
	m.followers.fetchers.Stop()
	m.inOrder(func(p *Partition) {
		p.mu.Lock()
		p.mu.role = roleGone
		p.resignLocked()
		p.mu.Unlock()
		p.failWaiting(errStopping)
		p.notify(urgent, nil)
	})
	var errs []error
	for _, d := range m.dirs {
		errs = append(errs, m.stopDir(d))
	}
	return errors.Join(errs...)
}

// closeParallel is how many logs of a directory are closed at a time: each is
// synced, and side by side they share the disk's flushes.
const closeParallel = 32

func (m *Manager) stopDir(d *storage.Dir) error {
	if !m.isLoaded(d) {
		return d.Close() // its checkpoints know more than we do
	}
	logs := m.logsOf(d)
	if d.Failed() != nil {
		for _, l := range logs {
			l.Abandon()
		}
		return d.Close()
	}
	failures := make([]error, len(logs))
	run.Each(len(logs), closeParallel, func(i int) {
		if err := logs[i].Close(); err != nil {
			failures[i] = fmt.Errorf("close the log of %s: %w", logs[i].Partition(), err)
		}
	})
	err := errors.Join(failures...)
	if err == nil {
		err = m.checkpointDir(d)
	}
	if err == nil {
		err = d.MarkClean(-1)
	}
	return errors.Join(err, d.Close())
}

func (m *Manager) isLoaded(d *storage.Dir) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.mu.loaded[d]
}
