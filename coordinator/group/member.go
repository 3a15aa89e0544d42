package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// member is one member of a group.
type member struct {
	id                   string
	instance             *string
	clientID, clientHost string
	rebalance, session   time.Duration
	protocols            []Protocol
	assignment           []byte

	join Ticket // a parked Join, or zero
	sync Ticket // a parked Sync, or zero
	// fresh is set until the member's first generation: it does not know its
	// id yet, so that it cannot heartbeat, and waiting does not keep it alive.
	fresh bool
	// owesSync is set from a new generation until the member's Sync.
	owesSync bool
	deadline time.Time // when its session ends
}

// metadata returns what the member said about a protocol.
func (mem *member) metadata(protocol string) []byte {
	for _, p := range mem.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// matches reports whether a rejoin brings nothing new.
func (mem *member) matches(protocols []Protocol) bool {
	return slices.EqualFunc(mem.protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// count adds n to the support of each of the member's protocols, once even
// when a client names one twice.
func (g *group) count(protocols []Protocol, n int) {
	for i, p := range protocols {
		if slices.ContainsFunc(protocols[:i], func(q Protocol) bool { return q.Name == p.Name }) {
			continue
		}
		if g.supported[p.Name] += n; g.supported[p.Name] == 0 {
			delete(g.supported, p.Name)
		}
	}
}

// add makes mem a member; the first one leads and sets the protocol type.
func (g *group) add(mem *member, protocolType string) {
	if len(g.members) == 0 {
		g.protocolType = protocolType
	}
	if g.leader == "" {
		g.leader = mem.id
	}
	if mem.instance != nil {
		g.statics[*mem.instance] = mem.id
	}
	g.members[mem.id] = mem
	g.order = append(g.order, mem)
	g.count(mem.protocols, 1)
	if mem.join != 0 {
		g.awaiting++
	}
	delete(g.pending, mem.id)
}

// remove ends a membership, real or pending. The caller has answered what the
// member waits for.
func (g *group) remove(id string) {
	delete(g.pending, id)
	mem := g.members[id]
	if mem == nil {
		return
	}
	g.synced(mem)
	g.count(mem.protocols, -1)
	if mem.join != 0 {
		g.awaiting--
	}
	if mem.instance != nil {
		delete(g.statics, *mem.instance)
	}
	delete(g.members, id)
	g.order = slices.DeleteFunc(g.order, func(o *member) bool { return o == mem })
	if g.leader == id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0].id
		}
	}
}

// synced notes that a member no longer owes a sync.
func (g *group) synced(mem *member) {
	if mem.owesSync {
		mem.owesSync = false
		g.unsynced--
	}
	if g.unsynced == 0 {
		g.syncBy = time.Time{}
	}
}

// rename moves a static member to a new id.
func (g *group) rename(mem *member, id string) {
	delete(g.members, mem.id)
	if g.leader == mem.id {
		g.leader = id
	}
	mem.id = id
	g.members[id] = mem
	g.statics[*mem.instance] = id
}

// renew restarts a member's session.
func (m *Machine) renew(g *group, mem *member, d time.Duration) {
	mem.deadline = m.now.Add(d)
	m.arm(g, mem.deadline)
}

// answerJoin replies to a member's parked join, if it has one.
func (m *Machine) answerJoin(g *group, mem *member, r JoinReply) {
	if mem.join == 0 {
		return
	}
	m.reply(mem.join, r)
	mem.join = 0
	g.awaiting--
}

// parkJoin makes a join wait. One that waited before, on a connection that
// must be gone, is told to come again.
func (m *Machine) parkJoin(g *group, mem *member, t Ticket) {
	m.answerJoin(g, mem, refuseJoin(mem.id, wire.CodeRebalanceInProgress))
	mem.join = t
	g.awaiting++
}

// answerSync replies to a member's parked sync, if it has one.
func (m *Machine) answerSync(mem *member, r SyncReply) bool {
	if mem.sync == 0 {
		return false
	}
	m.reply(mem.sync, r)
	mem.sync = 0
	return true
}
