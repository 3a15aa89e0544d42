package group

import (
	"fmt"
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

// sync follows handleSyncGroup in the order of its checks.
func (m *Machine) sync(e *Sync) {
	refuse := func(code wire.Code) { m.reply(e.Ticket, SyncReply{Code: code}) }
	g := m.groups[e.Group]
	if g == nil {
		refuse(wire.CodeUnknownMemberID)
		return
	}
	if code := g.validateSync(e); code != wire.CodeNone {
		refuse(code)
		return
	}
	mem := g.members[e.Member]
	switch g.state {
	case PreparingRebalance:
		refuse(wire.CodeRebalanceInProgress)
	case CompletingRebalance:
		// One that waited before is on a connection that must be gone.
		m.answerSync(mem, SyncReply{Code: wire.CodeRebalanceInProgress})
		mem.sync = e.Ticket
		g.synced(mem)
		// A leader that repeats its sync must not store twice: what the members
		// were told first has to be what the log says last.
		if g.leader == mem.id && g.assigning != g.generation {
			m.assign(g, e.Assignments)
		}
	case Stable:
		g.synced(mem)
		m.reply(e.Ticket, g.syncReply(mem))
		m.renew(g, mem, mem.session)
	default:
		refuse(wire.CodeUnknownMemberID)
	}
}

func (g *group) validateSync(e *Sync) wire.Code {
	if g.state == Dead {
		return wire.CodeCoordinatorNotAvailable
	}
	if code := g.validate(e.Member, e.Instance); code != wire.CodeNone {
		return code
	}
	if e.Generation != g.generation {
		return wire.CodeIllegalGeneration
	}
	if e.ProtocolType != nil && *e.ProtocolType != g.protocolType {
		return wire.CodeInconsistentGroupProtocol
	}
	if e.ProtocolName != nil && (g.protocol == nil || *e.ProtocolName != *g.protocol) {
		return wire.CodeInconsistentGroupProtocol
	}
	return wire.CodeNone
}

func (g *group) syncReply(mem *member) SyncReply {
	return SyncReply{ProtocolType: new(g.protocolType), ProtocolName: g.protocol, Assignment: mem.assignment}
}

// assign stores the leader's assignment; the members hear of it once it is
// written, unless another generation has begun by then.
func (m *Machine) assign(g *group, assignments []Assignment) {
	assigned := make(map[string][]byte, len(assignments))
	for _, a := range assignments {
		assigned[a.Member] = a.Data
	}
	var missing []string
	for _, mem := range g.order {
		if _, ok := assigned[mem.id]; !ok {
			missing = append(missing, mem.id)
		}
	}
	if len(missing) > 0 {
		m.note(g, "the leader left out "+strings.Join(missing, ", "))
	}
	generation := g.generation
	g.assigning = generation
	m.writeGroup(g, assigned, func(code wire.Code) {
		stored := g.value
		g.value = nil
		if g.state != CompletingRebalance || g.generation != generation {
			return
		}
		if code = groupCode(code); code != wire.CodeNone {
			m.failSync(g, code)
			m.prepareRebalance(g, fmt.Sprintf("storing the assignment: %v", code))
			return
		}
		for _, s := range stored.body.Members {
			if mem := g.members[s.MemberID]; mem != nil {
				mem.assignment = s.Assignment
			}
		}
		for _, mem := range g.order {
			if m.answerSync(mem, g.syncReply(mem)) {
				m.renew(g, mem, mem.session)
			}
		}
		g.enter(Stable, m.now)
	})
}

// failSync takes assignments back and answers all who wait for one.
func (m *Machine) failSync(g *group, code wire.Code) {
	for _, mem := range g.order {
		mem.assignment = nil
		if m.answerSync(mem, SyncReply{Code: code}) {
			m.renew(g, mem, mem.session)
		}
	}
}

// heartbeat follows handleHeartbeat.
func (m *Machine) heartbeat(e *Heartbeat) wire.Code {
	g := m.groups[e.Group]
	if g == nil {
		return wire.CodeUnknownMemberID
	}
	if g.state == Dead {
		return wire.CodeCoordinatorNotAvailable
	}
	if code := g.validate(e.Member, e.Instance); code != wire.CodeNone {
		return code
	}
	if e.Generation != g.generation {
		return wire.CodeIllegalGeneration
	}
	mem := g.members[e.Member]
	m.renew(g, mem, mem.session)
	if g.state == PreparingRebalance {
		return wire.CodeRebalanceInProgress
	}
	return wire.CodeNone
}

// leave follows handleLeaveGroup.
func (m *Machine) leave(e *Leave) LeaveReply {
	g := m.groups[e.Group]
	if g != nil && g.state == Dead {
		return LeaveReply{Code: wire.CodeCoordinatorNotAvailable}
	}
	out := make([]LeftMember, len(e.Members))
	for i, l := range e.Members {
		out[i] = LeftMember{l.Member, l.Instance, wire.CodeUnknownMemberID}
		if g != nil {
			out[i].Code = m.leaveOne(g, l)
		}
	}
	return LeaveReply{Members: out}
}

func (m *Machine) leaveOne(g *group, l LeavingMember) wire.Code {
	id := l.Member
	if id == "" { // an administrator removes a static member
		if l.Instance == nil || g.statics[*l.Instance] == "" {
			return wire.CodeUnknownMemberID
		}
		id = g.statics[*l.Instance]
	} else if _, ok := g.pending[id]; ok {
		g.remove(id)
		m.tryCompleteJoin(g)
		return wire.CodeNone
	} else if code := g.validate(id, l.Instance); code != wire.CodeNone {
		return code
	}
	m.removeMember(g, g.members[id], fmt.Sprintf("member %s left%s", id, because(l.Reason)))
	return wire.CodeNone
}
