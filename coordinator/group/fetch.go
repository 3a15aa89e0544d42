package group

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

func compareTP(a, b topicPartition) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// fetch follows getOffsets: a group that is not there has no offsets.
func (m *Machine) fetch(e *Fetch) FetchReply {
	g := m.groups[e.Group]
	if g != nil && g.state == Dead {
		g = nil
	}
	r := FetchReply{Group: e.Group}
	if e.Topics == nil {
		if g != nil {
			r.Topics = g.allOffsets(e.RequireStable)
		}
		return r
	}
	r.Topics = make([]TopicOffsets, len(e.Topics))
	for i, t := range e.Topics {
		r.Topics[i] = TopicOffsets{t.Topic, make([]PartitionOffset, len(t.Partitions))}
		for j, p := range t.Partitions {
			r.Topics[i].Partitions[j] = g.lookup(topicPartition{t.Topic, p}, e.RequireStable)
		}
	}
	return r
}

// lookup returns one offset; g may be nil.
func (g *group) lookup(tp topicPartition, requireStable bool) PartitionOffset {
	none := PartitionOffset{Partition: tp.partition, Offset: -1, LeaderEpoch: -1}
	if g == nil {
		return none
	}
	if requireStable && g.unstable(tp) {
		none.Code = wire.CodeUnstableOffsetCommit
		return none
	}
	o, ok := g.offsets[tp]
	if !ok {
		return none
	}
	return PartitionOffset{Partition: tp.partition, Offset: o.offset, LeaderEpoch: o.epoch, Metadata: o.metadata}
}

func (g *group) allOffsets(requireStable bool) []TopicOffsets {
	var out []TopicOffsets
	for _, tp := range slices.SortedFunc(maps.Keys(g.offsets), compareTP) {
		if len(out) == 0 || out[len(out)-1].Topic != tp.topic {
			out = append(out, TopicOffsets{Topic: tp.topic})
		}
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, g.lookup(tp, requireStable))
	}
	return out
}

// describe follows handleDescribeGroup: a group that is not there is Dead.
func (m *Machine) describe(name string) DescribeReply {
	g := m.groups[name]
	if g == nil || g.state == Dead {
		return DescribeReply{Group: name, State: Dead.String()}
	}
	r := DescribeReply{Group: name, State: g.state.String(), ProtocolType: g.protocolType}
	if g.state == Stable && g.protocol != nil {
		r.Protocol = *g.protocol
	}
	for _, mem := range g.order {
		d := DescribedMember{Member: mem.id, Instance: mem.instance, ClientID: mem.clientID, ClientHost: mem.clientHost}
		if g.state == Stable {
			d.Metadata, d.Assignment = mem.metadata(r.Protocol), mem.assignment
		}
		r.Members = append(r.Members, d)
	}
	return r
}

// classicType is the only group type there is without KIP-848.
const classicType = "classic"

// list follows handleListGroups. A dead group counts as gone.
func (m *Machine) list(e *List) ListReply {
	pass := func(filter []string, s string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, s) })
	}
	var r ListReply
	if !pass(e.Types, classicType) {
		return r
	}
	for _, name := range m.names() {
		g := m.groups[name]
		if g.state != Dead && pass(e.States, g.state.String()) {
			r.Groups = append(r.Groups, Listed{name, g.protocolType, g.state.String(), classicType})
		}
	}
	return r
}
