package group

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// delete follows handleDeleteGroups for one group. A group whose tombstones
// are under way counts as gone.
func (m *Machine) delete(e *Delete) {
	g := m.groups[e.Group]
	switch {
	case g == nil || g.state == Dead:
		m.reply(e.Ticket, CodeReply{wire.CodeGroupIDNotFound})
	case g.state != Empty:
		m.reply(e.Ticket, CodeReply{wire.CodeNonEmptyGroup})
	default:
		m.sweep(g, g.keys(), true, func(code wire.Code) {
			m.reply(e.Ticket, CodeReply{commitCode(code)})
		})
	}
}

// deleteOffsets follows handleDeleteOffsets: what members read stays.
func (m *Machine) deleteOffsets(e *DeleteOffsets) {
	refuse := func(code wire.Code) { m.reply(e.Ticket, DeleteOffsetsReply{Code: code}) }
	g := m.groups[e.Group]
	if g == nil || g.state == Dead {
		refuse(wire.CodeGroupIDNotFound)
		return
	}
	if g.state != Empty && !g.isConsumer() {
		refuse(wire.CodeNonEmptyGroup)
		return
	}
	r := DeleteOffsetsReply{Topics: make([]TopicCodes, len(e.Topics))}
	var keys []topicPartition
	for i, t := range e.Topics {
		code := wire.CodeNone
		if g.state != Empty && g.reads(t.Topic) {
			code = wire.CodeGroupSubscribedToTopic
		}
		r.Topics[i] = TopicCodes{t.Topic, make([]PartitionCode, len(t.Partitions))}
		for j, p := range t.Partitions {
			r.Topics[i].Partitions[j] = PartitionCode{p, code}
			if tp := (topicPartition{t.Topic, p}); code == wire.CodeNone && g.holds(tp) {
				keys = append(keys, tp)
			}
		}
	}
	m.sweep(g, keys, false, func(code wire.Code) {
		code = commitCode(code)
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				if c := &r.Topics[i].Partitions[j].Code; *c == wire.CodeNone {
					*c = code
				}
			}
		}
		m.reply(e.Ticket, r)
	})
}

// partitionsDeleted removes what points into partitions that are gone. A
// failed write leaves it to expiry.
func (m *Machine) partitionsDeleted(e *PartitionsDeleted) {
	for _, name := range m.names() {
		g := m.groups[name]
		if g.state == Dead {
			continue
		}
		var keys []topicPartition
		for _, t := range e.Topics {
			for _, p := range t.Partitions {
				if tp := (topicPartition{t.Topic, p}); g.holds(tp) {
					keys = append(keys, tp)
				}
			}
		}
		if len(keys) > 0 {
			m.note(g, fmt.Sprintf("removing %d offsets of deleted partitions", len(keys)))
			m.sweep(g, keys, false, func(wire.Code) {})
		}
	}
}

// expire removes offsets past their retention, and empty groups without any.
func (m *Machine) expire() {
	for _, name := range m.names() {
		g := m.groups[name]
		if g.state == Dead {
			continue
		}
		keys := m.expired(g)
		if len(keys) > 0 {
			m.note(g, fmt.Sprintf("removing %d expired offsets", len(keys)))
		}
		m.sweep(g, keys, false, func(wire.Code) {})
	}
}

// holds reports whether an offset is stored or about to be.
func (g *group) holds(tp topicPartition) bool {
	_, ok := g.offsets[tp]
	return ok || g.inflight[tp] > 0
}

// keys lists all that holds.
func (g *group) keys() []topicPartition {
	keys := slices.Collect(maps.Keys(g.offsets))
	for tp := range g.inflight {
		if _, ok := g.offsets[tp]; !ok {
			keys = append(keys, tp)
		}
	}
	return keys
}

// vacant reports whether an empty group has nothing left once keys are gone.
func (g *group) vacant(keys []topicPartition) bool {
	if g.state != Empty || len(g.txn) > 0 || len(g.pending) > 0 {
		return false
	}
	gone := make(map[topicPartition]struct{}, len(keys))
	for _, tp := range keys {
		gone[tp] = struct{}{}
	}
	for _, tp := range g.keys() {
		if _, ok := gone[tp]; !ok {
			return false
		}
	}
	return true
}

// sweep writes tombstones for offsets and, when nothing is left of an empty
// group or all says so, for the group itself. Then hears how that went, at
// once when there is nothing to write.
func (m *Machine) sweep(g *group, keys []topicPartition, all bool, then func(wire.Code)) {
	all = all || g.vacant(keys)
	slices.SortFunc(keys, compareTP)
	o := &op{group: g, producer: -1}
	for _, tp := range slices.Compact(keys) {
		r, err := offsetRecord(g.name, tp, nil)
		if err == nil { // else it could never have been stored
			o.records = append(o.records, r)
		}
	}
	// A group that only ever stored offsets has no metadata in the log.
	if all && (g.stored || g.generation > 0) {
		if key, err := groupKey(g.name); err == nil {
			o.records = append(o.records, Record{Key: key})
		}
	}
	if all {
		g.state = Dead // since stays: a failed write brings the group back
		clear(g.pending)
		m.note(g, fmt.Sprintf("removing the group, generation %d", g.generation))
	}
	o.then = func(code wire.Code) {
		if all {
			m.retire(g, code)
		}
		then(code)
	}
	if len(o.records) == 0 {
		o.then(wire.CodeNone)
		return
	}
	m.enqueue(o, -1, -1)
}

// retire ends a dead group, or brings it back when it could not be removed.
// Offsets of open transactions stay: their marker is still to come, here as in
// a replay of the log.
func (m *Machine) retire(g *group, code wire.Code) {
	if !inLog(code) {
		g.state = Empty
		return
	}
	delete(m.groups, g.name)
	if len(g.txn)+len(g.offsets)+len(g.inflight) > 0 {
		n := m.create(g.name)
		n.txn, n.offsets, n.inflight = g.txn, g.offsets, g.inflight
	}
}
