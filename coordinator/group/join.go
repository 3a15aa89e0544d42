package group

import (
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// refuseJoin is a join reply without a generation.
func refuseJoin(id string, code wire.Code) JoinReply {
	return JoinReply{Code: code, Generation: -1, Member: id}
}

// join follows handleJoinGroup in the order of its checks.
func (m *Machine) join(e *Join) {
	if e.Session < m.cfg.MinSession || e.Session > m.cfg.MaxSession {
		m.reply(e.Ticket, refuseJoin(e.Member, wire.CodeInvalidSessionTimeout))
		return
	}
	g := m.groups[e.Group]
	if g == nil {
		if e.Member != "" {
			m.reply(e.Ticket, refuseJoin(e.Member, wire.CodeUnknownMemberID))
			return
		}
		g = m.create(e.Group)
	}
	switch {
	case !m.hasRoom(g, e.Member):
		g.remove(e.Member)
		m.reply(e.Ticket, refuseJoin("", wire.CodeGroupMaxSizeReached))
	case e.Member == "":
		m.joinNew(g, e)
	default:
		m.joinKnown(g, e)
	}
	m.tryCompleteJoin(g)
}

// hasRoom applies group.max.size. While a rebalance collects members only
// those who wait count: the group may be above a lowered limit, and the last
// to rejoin are the ones to go.
func (m *Machine) hasRoom(g *group, id string) bool {
	mem := g.members[id]
	switch g.state {
	case PreparingRebalance:
		return mem != nil && mem.join != 0 || g.awaiting < m.cfg.MaxSize
	case CompletingRebalance, Stable:
		return mem != nil || len(g.members) < m.cfg.MaxSize
	}
	return true
}

// joinNew handles a member that has no id yet.
func (m *Machine) joinNew(g *group, e *Join) {
	if g.state == Dead {
		m.reply(e.Ticket, refuseJoin("", wire.CodeCoordinatorNotAvailable))
		return
	}
	if !g.accepts(e.ProtocolType, e.Protocols) {
		m.reply(e.Ticket, refuseJoin("", wire.CodeInconsistentGroupProtocol))
		return
	}
	prefix := e.ClientID
	if e.Instance != nil {
		prefix = *e.Instance
	}
	id := prefix + "-" + e.UUID
	switch {
	case len(id) > maxString:
		// It could be neither answered nor stored.
		m.reply(e.Ticket, refuseJoin("", wire.CodeUnknownServerError))
	case e.Instance != nil && g.statics[*e.Instance] != "":
		m.replaceStatic(g, e, g.members[g.statics[*e.Instance]], id)
	case e.Instance == nil && e.RequireMemberID:
		lapse := m.now.Add(e.Session)
		g.pending[id] = lapse
		m.arm(g, lapse)
		m.reply(e.Ticket, refuseJoin(id, wire.CodeMemberIDRequired))
	default:
		m.addMember(g, e, id)
	}
}

// joinKnown handles a member that names its id.
func (m *Machine) joinKnown(g *group, e *Join) {
	refuse := func(code wire.Code) { m.reply(e.Ticket, refuseJoin(e.Member, code)) }
	if g.state == Dead {
		refuse(wire.CodeCoordinatorNotAvailable)
		return
	}
	if !g.accepts(e.ProtocolType, e.Protocols) {
		refuse(wire.CodeInconsistentGroupProtocol)
		return
	}
	if _, ok := g.pending[e.Member]; ok {
		if e.Instance != nil { // ids are handed out in advance to dynamic members only
			refuse(wire.CodeUnknownServerError)
			return
		}
		m.addMember(g, e, e.Member)
		return
	}
	if code := g.validate(e.Member, e.Instance); code != wire.CodeNone {
		refuse(code)
		return
	}
	mem := g.members[e.Member]
	switch {
	case g.state == PreparingRebalance:
		m.updateMember(g, mem, e)
	case g.state == CompletingRebalance && mem.matches(e.Protocols):
		// The reply to its first join may have been lost.
		r := g.joinReply(mem)
		if g.leader == mem.id {
			r.Members = g.joinMembers()
		}
		m.reply(e.Ticket, r)
	case g.state == Stable && g.leader != mem.id && mem.matches(e.Protocols):
		m.reply(e.Ticket, g.joinReply(mem))
	default:
		// New metadata, or a leader that saw its topics change.
		m.updateMember(g, mem, e)
		m.prepareRebalance(g, fmt.Sprintf("member %s joined again%s", mem.id, because(e.Reason)))
	}
}

// because adds the client's reason, if it gave one (KIP-800).
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// validate checks that an instance id belongs to the member id, and that the
// member exists.
func (g *group) validate(id string, instance *string) wire.Code {
	if instance != nil {
		current, ok := g.statics[*instance]
		if ok && current != id {
			return wire.CodeFencedInstanceID
		}
		if !ok {
			return wire.CodeUnknownMemberID
		}
	}
	if g.members[id] == nil {
		return wire.CodeUnknownMemberID
	}
	return wire.CodeNone
}

// joinReply tells a member about the current generation.
func (g *group) joinReply(mem *member) JoinReply {
	return JoinReply{
		Generation:   g.generation,
		ProtocolType: new(g.protocolType),
		ProtocolName: g.protocol,
		Leader:       g.leader,
		Member:       mem.id,
	}
}

// joinMembers is what the leader needs to assign.
func (g *group) joinMembers() []JoinMember {
	out := make([]JoinMember, len(g.order))
	for i, mem := range g.order {
		out[i] = JoinMember{mem.id, mem.instance, mem.metadata(*g.protocol)}
	}
	return out
}

// addMember parks the join of a new member and starts a rebalance if none is
// under way.
func (m *Machine) addMember(g *group, e *Join, id string) {
	mem := &member{
		id: id, instance: e.Instance, clientID: e.ClientID, clientHost: e.ClientHost,
		rebalance: e.Rebalance, session: e.Session, protocols: e.Protocols,
		join: e.Ticket, fresh: true,
	}
	if g.state == PreparingRebalance && g.generation == 0 {
		g.joining.more = true
	}
	g.add(mem, e.ProtocolType)
	m.renew(g, mem, newMemberTimeout)
	m.prepareRebalance(g, fmt.Sprintf("member %s joined%s", id, because(e.Reason)))
}

// updateMember takes over what a rejoin brings and parks it.
func (m *Machine) updateMember(g *group, mem *member, e *Join) {
	g.describeMember(mem, e.Protocols, e.Rebalance, e.Session)
	m.parkJoin(g, mem, e.Ticket)
}

// describeMember replaces what a member supports and asks for.
func (g *group) describeMember(mem *member, protocols []Protocol, rebalance, session time.Duration) {
	g.count(mem.protocols, -1)
	mem.protocols = protocols
	g.count(mem.protocols, 1)
	mem.rebalance, mem.session = rebalance, session
}

// replaceStatic gives a returning static member a new id and fences the old
// one (KIP-345). A stable group whose protocol stays is not disturbed: the new
// id is stored, then the join answered.
func (m *Machine) replaceStatic(g *group, e *Join, mem *member, id string) {
	oldID, oldLeader := mem.id, g.leader
	oldProtocols, oldRebalance, oldSession := mem.protocols, mem.rebalance, mem.session
	m.answerJoin(g, mem, refuseJoin(oldID, wire.CodeFencedInstanceID))
	m.answerSync(mem, SyncReply{Code: wire.CodeFencedInstanceID})
	g.rename(mem, id)
	if mem.fresh {
		m.renew(g, mem, newMemberTimeout)
	} else {
		m.renew(g, mem, mem.session)
	}
	m.updateMember(g, mem, e)

	why := fmt.Sprintf("static member %s returned as %s%s", *mem.instance, id, because(e.Reason))
	switch g.state {
	case CompletingRebalance:
		// The leader may be assigning to the old id already.
		m.prepareRebalance(g, why)
		return
	case Stable:
		if g.protocol == nil || *g.protocol != g.selectProtocol() {
			m.prepareRebalance(g, why)
			return
		}
	default:
		return // it waits with the others
	}

	m.note(g, why)
	assigned := map[string][]byte{}
	for _, o := range g.order {
		assigned[o.id] = o.assignment
	}
	m.writeGroup(g, assigned, func(code wire.Code) {
		g.value = nil // what it says is what lives here
		// A rebalance that began meanwhile answers the member instead.
		if mem.join != e.Ticket || g.state != Stable {
			return
		}
		if code != wire.CodeNone {
			r := g.joinReply(mem)
			r.Code, r.Member, r.Leader = groupCode(code), "", oldLeader
			m.answerJoin(g, mem, r)
			if !inLog(code) { // where the log has the new id, memory keeps it
				g.describeMember(mem, oldProtocols, oldRebalance, oldSession)
				g.rename(mem, oldID)
			}
			return
		}
		r := g.joinReply(mem)
		if !e.SkipAssignment {
			// An old client that sees itself as leader would assign in vain:
			// the leader's previous id keeps it from that.
			r.Leader = oldLeader
		} else if g.leader == mem.id {
			r.Members, r.SkipAssignment = g.joinMembers(), true
		}
		m.answerJoin(g, mem, r)
		m.renew(g, mem, mem.session)
	})
}
