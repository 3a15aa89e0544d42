package replica

import (
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/storage"
)

// refuseDoubles turns copies that lie beside their own replica into leftovers:
// the checkpoints of a directory cannot tell the two apart.
func refuseDoubles(parts []storage.PartitionDir) {
	for i, p := range parts {
		if p.Kind == storage.Future && slices.ContainsFunc(parts, func(o storage.PartitionDir) bool {
			return o.Kind == storage.Current && o.TopicPartition == p.TopicPartition
		}) {
			parts[i].Kind = storage.Deleted
		}
	}
}

// adoptLog takes a log of the disk into the tables; control and mu are held. Of
// two replicas of a partition the one stays that is marked as the successor.
func (m *Manager) adoptLog(kind storage.PartitionKind, l *storage.Log) error {
	tp := l.Partition()
	key := partitionKey{tp.Topic, tp.Partition}
	m.logCount[l.Dir()]++
	if kind == storage.Future {
		if mv := (&move{key: key, copy: l}); !m.moves.put(mv) {
			return fmt.Errorf("partition %s is being copied to two directories, %s and %s: move one away", tp, m.moves.find(key).copy.Path(), l.Path())
		}
		return nil
	}
	if other := m.mu.unclaimed[key]; other != nil {
		if other.Succeeds() == l.Succeeds() {
			return fmt.Errorf("partition %s has two directories, %s and %s: move one away", tp, other.Path(), l.Path())
		}
		if other.Succeeds() {
			l, other = other, l
		}
		m.moves.twins = append(m.moves.twins, other)
	}
	m.mu.unclaimed[key] = l
	return nil
}

// settleMoves ends the moves that the last stop cut short after they were
// decided: the former directories go, and the marks when all are gone.
func (m *Manager) settleMoves() {
	m.control.Lock()
	defer m.control.Unlock()
	deleted := map[*storage.Dir]bool{}
	for _, l := range m.moves.twins {
		m.log.Info("the replica was moved", "partition", l.Partition().String(), "from", l.Dir().Path())
		m.deleteLog(l, deleted)
	}
	m.moves.twins = nil
	for d := range deleted {
		m.settleDeletions(d)
	}
	if m.dirMissing() != nil {
		return // there may be another former directory
	}
	m.mu.RLock()
	var marked []*storage.Log
	for _, l := range m.mu.unclaimed {
		if l.Succeeds() {
			marked = append(marked, l)
		}
	}
	m.mu.RUnlock()
	for _, l := range marked {
		if err := l.DropMark(); err != nil {
			m.log.Error("cannot end the move of a replica", "partition", l.Partition().String(), "dir", l.Dir().Path(), "error", m.observe(err))
		}
	}
}
