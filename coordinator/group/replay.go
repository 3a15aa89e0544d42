package group

import (
	"fmt"
	"slices"
	"time"
	"unique"

	"github.com/gregor-mq/gregor/wire"
)

// Replay applies one record of the log, in log order: when a partition is
// loaded, and for the machine's own writes once they are in the log. At is the
// offset of the first record of its batch, producer the transaction's producer
// id or -1. An error means that the record was skipped. Key and value are
// copied as needed.
func (m *Machine) Replay(at, producer int64, key, value []byte) error {
	version, rest, err := wire.CutVersion(key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	switch version {
	case 0, offsetKeyVersion:
		var k wire.OffsetCommitKey
		if err := k.Decode(rest, version); err != nil {
			return fmt.Errorf("offset key: %w", err)
		}
		tp := topicPartition{unique.Make(k.Topic).Value(), k.Partition}
		if err := m.replayOffset(k.Group, tp, at, producer, value); err != nil {
			return fmt.Errorf("offset of group %q, %s-%d: %w", k.Group, k.Topic, k.Partition, err)
		}
	case groupKeyVersion:
		var k wire.GroupMetadataKey
		if err := k.Decode(rest, version); err != nil {
			return fmt.Errorf("group key: %w", err)
		}
		if err := m.replayGroup(k.Group, value); err != nil {
			return fmt.Errorf("metadata of group %q: %w", k.Group, err)
		}
	default:
		return fmt.Errorf("%w: key version %d", ErrUnknownKey, version)
	}
	return nil
}

func (m *Machine) replayOffset(name string, tp topicPartition, at, producer int64, value []byte) error {
	g := m.groups[name]
	if value == nil {
		switch {
		case g == nil:
		case producer >= 0:
			delete(g.txn[producer], tp)
			m.closeTxn(g, producer)
		default:
			delete(g.offsets, tp)
		}
		return nil
	}
	o, err := decodeOffset(value)
	if err != nil {
		return err
	}
	o.at = at
	if g == nil {
		g = m.create(name)
	}
	if producer < 0 {
		g.offsets[tp] = o
		return nil
	}
	if g.txn[producer] == nil {
		g.txn[producer] = map[topicPartition]offset{}
	}
	g.txn[producer][tp] = o
	if m.open[producer] == nil {
		m.open[producer] = map[string]struct{}{}
	}
	m.open[producer][name] = struct{}{}
	return nil
}

// closeTxn forgets a producer's part in a group once it holds nothing.
func (m *Machine) closeTxn(g *group, producer int64) {
	if len(g.txn[producer]) > 0 {
		return
	}
	delete(g.txn, producer)
	delete(m.open[producer], g.name)
	if len(m.open[producer]) == 0 {
		delete(m.open, producer)
	}
}

func (m *Machine) replayGroup(name string, value []byte) error {
	g := m.groups[name]
	if value == nil {
		if g != nil {
			g.stored, g.value = false, nil
		}
		return nil
	}
	v, err := decodeGroup(slices.Clone(value))
	if err != nil {
		return err
	}
	if g == nil {
		g = m.create(name)
	}
	g.stored, g.value = true, v
	return nil
}

// ReplayMarker ends a producer's transaction: with commit its offsets become
// visible, unless a later plain commit replaced them.
func (m *Machine) ReplayMarker(producer int64, commit bool) {
	for name := range m.open[producer] {
		g := m.groups[name]
		for tp, o := range g.txn[producer] {
			if old, ok := g.offsets[tp]; commit && (!ok || old.at < o.at) {
				g.offsets[tp] = o
			}
		}
		delete(g.txn, producer)
	}
	delete(m.open, producer)
}

// loaded turns what was replayed into live groups: all sessions begin anew.
func (m *Machine) loaded() {
	for _, name := range m.names() {
		g := m.groups[name]
		v := g.value
		g.value = nil
		g.enter(Empty, m.now)
		if v == nil {
			if len(g.offsets)+len(g.txn) == 0 {
				delete(m.groups, name)
			}
			continue
		}
		m.adopt(g, v)
		if len(g.members) > m.cfg.MaxSize {
			m.prepareRebalance(g, fmt.Sprintf("loaded with %d members, more than %d", len(g.members), m.cfg.MaxSize))
		}
	}
}

// adopt makes a group from its metadata.
func (m *Machine) adopt(g *group, v *storedValue) {
	b := &v.body
	g.since, g.generation, g.protocol = b.CurrentStateTimestamp, b.Generation, b.Protocol
	for _, s := range b.Members {
		mem := &member{
			id: s.MemberID, instance: s.GroupInstanceID, clientID: s.ClientID, clientHost: s.ClientHost,
			rebalance:  time.Duration(s.RebalanceTimeout) * time.Millisecond,
			session:    time.Duration(s.SessionTimeout) * time.Millisecond,
			protocols:  []Protocol{{*b.Protocol, s.Subscription}},
			assignment: s.Assignment,
		}
		if v.version == 0 { // which did not tell the two apart
			mem.rebalance = mem.session
		}
		g.add(mem, b.ProtocolType)
		m.renew(g, mem, mem.session)
	}
	g.protocolType = b.ProtocolType
	if len(g.members) > 0 {
		g.state = Stable
	}
	if b.Leader != nil && g.members[*b.Leader] != nil {
		g.leader = *b.Leader
	}
	g.subscribed = g.subscriptions()
}
