package replica

import (
	"time"

	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// epochDuringDelete in a StopReplica request passes the leader epoch's check:
// the topic is being deleted. noEpoch is what older controllers send.
const (
	epochDuringDelete int32 = -2
	noEpoch           int32 = -1
)

// Stop is one partition of a StopReplica request, of whatever version.
type Stop struct {
	Topic       string
	Partition   int32
	LeaderEpoch int32
	Delete      bool
}

// StopReplica stops serving partitions, and deletes those it is told to. It
// returns a code for each, and one for all when the controller is stale.
func (m *Manager) StopReplica(controllerEpoch int32, brokerEpoch int64, stops []Stop) (wire.Code, []wire.Code) {
	m.control.Lock()
	defer m.control.Unlock()
	if code := m.admit(controllerEpoch, brokerEpoch); code != wire.CodeNone {
		return code, nil
	}
	codes := make([]wire.Code, len(stops))
	for i, s := range stops {
		codes[i] = m.stop(s)
	}
	return wire.CodeNone, codes
}

func (m *Manager) stop(s Stop) wire.Code {
	p := m.lookup(s.Topic, s.Partition)
	if p == nil {
		return m.stopUnclaimed(s)
	}
	p.mu.Lock()
	switch {
	case p.mu.role == roleOffline:
		p.mu.Unlock()
		return wire.CodeKafkaStorageError
	case s.LeaderEpoch != epochDuringDelete && s.LeaderEpoch != noEpoch && s.LeaderEpoch < p.mu.leaderEpoch:
		p.mu.Unlock()
		return wire.CodeFencedLeaderEpoch
	}
	epoch := p.mu.leaderEpoch
	if s.Delete {
		p.mu.role = roleGone
	} else {
		p.mu.role, p.mu.isr = roleFollower, nil
	}
	p.mu.Unlock()
	if s.Delete {
		m.drop(p)
	}
	p.failAcks(wire.CodeNotLeaderOrFollower)
	p.notify(0, true)
	m.listener.Resigned(s.Topic, s.Partition, epoch, s.Delete)
	if s.Delete && p.log != nil {
		return m.deleteLog(p.log)
	}
	return wire.CodeNone
}

// stopUnclaimed handles a partition that no LeaderAndIsr named since the
// start: its directory may still be there.
func (m *Manager) stopUnclaimed(s Stop) wire.Code {
	key := partitionKey{s.Topic, s.Partition}
	l, ok := m.unclaimed[key]
	if !ok || !s.Delete {
		return wire.CodeNone
	}
	delete(m.unclaimed, key)
	return m.deleteLog(l)
}

// deletion is a directory that is to be removed at a time.
type deletion struct {
	dir  *storage.Dir
	part storage.PartitionDir
	at   time.Time
}

// deleteLog renames the directory at once, so that the topic can be made
// again, and removes it file.delete.delay.ms later.
func (m *Manager) deleteLog(l *storage.Log) wire.Code {
	delay := time.Duration(l.Config().FileDeleteMs) * time.Millisecond
	part, err := l.Delete()
	if err != nil {
		m.log.Error("cannot delete the log of a partition", "partition", l.Partition().String(), "error", m.observe(err))
		return wire.CodeKafkaStorageError
	}
	m.logCount[l.Dir()]--
	// A full inbox leaves the directory for the next start, which removes it.
	_ = m.deletions.TryPut(deletion{dir: l.Dir(), part: part, at: m.env.Clock.Now().Add(delay)})
	m.watermarkMoved(l.Dir())
	return wire.CodeNone
}
