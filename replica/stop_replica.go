package replica

import (
	"time"

	"github.com/gregor-mq/gregor/metadata"
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
	defer m.handOver()
	deleted := map[*storage.Dir]bool{}
	for i, s := range stops {
		codes[i] = m.stop(s, deleted)
	}
	for _, d := range m.dirs {
		if deleted[d] {
			m.settleDeletions(d)
		}
	}
	return wire.CodeNone, codes
}

// settleDeletions makes the new names of deleted partitions durable, and the
// checkpoints forget them: another partition of the same name must not begin
// with their offsets.
func (m *Manager) settleDeletions(d *storage.Dir) {
	if err := d.Sync(); err != nil {
		m.log.Error("cannot make deletions durable", "dir", d.Path(), "error", m.observe(err))
		return
	}
	m.checkpointDir(d)
}

func (m *Manager) stop(s Stop, deleted map[*storage.Dir]bool) wire.Code {
	p := m.lookup(s.Topic, s.Partition)
	if p == nil {
		return m.stopUnclaimed(s, deleted)
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
	p.mu.leader = metadata.NoLeader
	m.followers.end = append(m.followers.end, p.followed())
	if s.Delete {
		p.mu.role = roleGone
	} else {
		p.mu.role, p.mu.isr = roleFollower, nil
	}
	p.resignLocked()
	p.mu.Unlock()
	if s.Delete {
		m.drop(p)
	}
	p.failWaiting(wire.CodeNotLeaderOrFollower)
	p.notify(urgent, nil)
	m.listener.Resigned(s.Topic, s.Partition, epoch, s.Delete)
	if s.Delete {
		m.dropMove(p.key, deleted)
		return m.deleteLog(p.log(), deleted)
	}
	return wire.CodeNone
}

// stopUnclaimed handles a partition that no LeaderAndIsr named since the
// start: its directory may still be there.
func (m *Manager) stopUnclaimed(s Stop, deleted map[*storage.Dir]bool) wire.Code {
	key := partitionKey{s.Topic, s.Partition}
	l := m.unclaimedLog(key)
	if s.Delete {
		m.dropMove(key, deleted)
	}
	if l == nil || !s.Delete {
		return wire.CodeNone
	}
	code := m.deleteLog(l, deleted)
	if code == wire.CodeNone {
		m.mu.Lock()
		delete(m.mu.unclaimed, key)
		m.mu.Unlock()
	}
	return code
}

// deletion is a directory that is to be removed at a time.
type deletion struct {
	dir  *storage.Dir
	part storage.PartitionDir
	at   time.Time
}

// deleteLog renames the directory at once, so that the topic can be made
// again, and removes it file.delete.delay.ms later. The directory it lies in is
// added to deleted, for settleDeletions.
func (m *Manager) deleteLog(l *storage.Log, deleted map[*storage.Dir]bool) wire.Code {
	delay := time.Duration(l.Config().FileDeleteMs) * time.Millisecond
	part, err := l.DeleteUnsynced()
	if err != nil {
		m.log.Error("cannot delete the log of a partition", "partition", l.Partition().String(), "error", m.observe(err))
		return wire.CodeKafkaStorageError
	}
	m.logCount[l.Dir()]--
	deleted[l.Dir()] = true
	// A full inbox leaves the directory for the next start, which removes it.
	_ = m.deletions.TryPut(deletion{dir: l.Dir(), part: part, at: m.env.Clock.Now().Add(delay)})
	return wire.CodeNone
}
