package group

import (
	"github.com/gregor-mq/gregor/wire"
)

// commit follows handleCommitOffsets.
func (m *Machine) commit(e *Commit) {
	refuse := func(code wire.Code) { m.reply(e.Ticket, CommitReply{sameCode(e.Topics, code)}) }
	g := m.groups[e.Group]
	if g == nil {
		if e.Generation >= 0 {
			refuse(wire.CodeIllegalGeneration)
			return
		}
		g = m.create(e.Group) // it only stores offsets here
	}
	if code := g.validateCommit(e.Generation, e.Member, e.Instance, false); code != wire.CodeNone {
		refuse(code)
		return
	}
	switch g.state {
	case CompletingRebalance:
		refuse(wire.CodeRebalanceInProgress)
		return
	case Stable, PreparingRebalance:
		// Members still commit while a rebalance waits for them.
		mem := g.members[e.Member]
		m.renew(g, mem, mem.session)
	}
	expires := int64(-1)
	if e.RetentionMs != -1 {
		expires = m.now.UnixMilli() + e.RetentionMs
	}
	m.storeOffsets(g, e.Ticket, e.Topics, expires, -1, -1)
}

// txnCommit follows handleTxnCommitOffsets after its verification.
func (m *Machine) txnCommit(e *TxnCommit) {
	g := m.groups[e.Group]
	if g == nil {
		g = m.create(e.Group)
	}
	if code := g.validateCommit(e.Generation, e.Member, e.Instance, true); code != wire.CodeNone {
		m.reply(e.Ticket, CommitReply{sameCode(e.Topics, code)})
		return
	}
	m.storeOffsets(g, e.Ticket, e.Topics, -1, e.ProducerID, e.ProducerEpoch)
}

func (g *group) validateCommit(generation int32, id string, instance *string, txn bool) wire.Code {
	switch {
	case g.state == Dead:
		return wire.CodeCoordinatorNotAvailable
	case generation < 0 && g.state == Empty:
		return wire.CodeNone // an administrator or a consumer without group management
	case generation >= 0 || id != "" || instance != nil:
		if code := g.validate(id, instance); code != wire.CodeNone {
			return code
		}
		if generation != g.generation {
			return wire.CodeIllegalGeneration
		}
	case !txn && g.state != Empty:
		// Old transactional commits do not say who sends them; plain ones of a
		// group with members come from members only.
		return wire.CodeUnknownMemberID
	}
	return wire.CodeNone
}

// storeOffsets writes offsets and answers when they are in the log.
func (m *Machine) storeOffsets(g *group, t Ticket, topics []CommitTopic, expires, producer int64, epoch int16) {
	if len(m.queue) >= maxQueued {
		m.reply(t, CommitReply{sameCode(topics, wire.CodeCoordinatorNotAvailable)})
		return
	}
	now := m.now.UnixMilli()
	out := sameCode(topics, wire.CodeNone)
	o := &op{group: g, producer: producer}
	for i, topic := range topics {
		for j, p := range topic.Partitions {
			if utf16Len(p.Metadata) > m.cfg.MaxMetadata {
				out[i].Partitions[j].Code = wire.CodeOffsetMetadataTooLarge
				continue
			}
			committed := p.Timestamp
			if committed == -1 {
				committed = now
			}
			tp := topicPartition{topic.Topic, p.Partition}
			r, err := offsetRecord(g.name, tp, &offset{
				offset: p.Offset, epoch: p.LeaderEpoch, metadata: p.Metadata, committed: committed, expires: expires,
			})
			if err != nil { // a string longer than the record format can carry
				out[i].Partitions[j].Code = wire.CodeInvalidCommitOffsetSize
				continue
			}
			o.records = append(o.records, r)
			o.touched = append(o.touched, tp)
		}
	}
	if len(o.records) == 0 {
		m.reply(t, CommitReply{out})
		return
	}
	for _, tp := range o.touched {
		g.inflight[tp]++
	}
	o.then = func(code wire.Code) {
		for _, tp := range o.touched {
			if g.inflight[tp]--; g.inflight[tp] == 0 {
				delete(g.inflight, tp)
			}
		}
		code = commitCode(code)
		for i := range out {
			for j := range out[i].Partitions {
				if c := &out[i].Partitions[j].Code; *c == wire.CodeNone {
					*c = code
				}
			}
		}
		m.reply(t, CommitReply{out})
	}
	m.enqueue(o, epoch, 0)
}

// txnEnd takes its place behind the commits under way: the marker is behind
// them in the log.
func (m *Machine) txnEnd(e *TxnEnd) {
	m.lastID++
	m.queue = append(m.queue, &op{id: m.lastID, resolved: true, then: func(code wire.Code) {
		if code == wire.CodeNone {
			m.ReplayMarker(e.ProducerID, e.Commit)
		}
		m.reply(e.Ticket, CodeReply{groupCode(code)})
	}})
	m.settle()
}

// sameCode answers every partition of a request alike.
func sameCode(topics []CommitTopic, code wire.Code) []TopicCodes {
	out := make([]TopicCodes, len(topics))
	for i, t := range topics {
		out[i] = TopicCodes{t.Topic, make([]PartitionCode, len(t.Partitions))}
		for j, p := range t.Partitions {
			out[i].Partitions[j] = PartitionCode{p.Partition, code}
		}
	}
	return out
}

// expired lists the offsets of a group that are past their retention.
func (m *Machine) expired(g *group) []topicPartition {
	since := func(o offset) int64 { return o.committed }
	consumer := false
	switch {
	case g.protocolType == "": // offsets only: each ages by itself
	case g.state == Empty:
		// All age together from the day the last member left.
		if g.since != -1 {
			since = func(offset) int64 { return g.since }
		}
	case g.state == Stable && g.isConsumer() && g.subscribed != nil:
		consumer = true // what members read never ages
	default:
		return nil
	}
	now := m.now.UnixMilli()
	var out []topicPartition
	for tp, o := range g.offsets {
		switch {
		case consumer && g.reads(tp.topic), g.unstable(tp):
		case o.expires != -1:
			if now >= o.expires {
				out = append(out, tp)
			}
		case now-since(o) >= m.cfg.Retention.Milliseconds():
			out = append(out, tp)
		}
	}
	return out
}
