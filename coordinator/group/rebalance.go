package group

import (
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// prepareRebalance asks all members to join again, unless that is so already.
func (m *Machine) prepareRebalance(g *group, why string) {
	if g.state == PreparingRebalance || g.state == Dead {
		return
	}
	if g.state == CompletingRebalance {
		m.failSync(g, wire.CodeRebalanceInProgress)
	}
	for _, mem := range g.order {
		g.synced(mem)
	}
	timeout := g.rebalanceTimeout()
	if g.state == Empty {
		delay := m.cfg.InitialDelay
		g.joining = joining{by: m.now.Add(delay), initial: true, delay: delay, remaining: max(timeout-delay, 0)}
	} else {
		g.joining = joining{by: m.now.Add(timeout)}
	}
	m.note(g, fmt.Sprintf("rebalancing from generation %d, %s: %s", g.generation, g.state, why))
	g.enter(PreparingRebalance, m.now)
	m.arm(g, g.joining.by)
	m.tryCompleteJoin(g)
}

// tryCompleteJoin ends the wait for members when all are here or it is time.
func (m *Machine) tryCompleteJoin(g *group) {
	if g.state != PreparingRebalance {
		return
	}
	j := &g.joining
	due := !m.now.Before(j.by)
	switch {
	case j.initial && !due:
	case j.initial && j.more && j.remaining > 0:
		ran := j.delay
		j.more = false
		j.delay = min(m.cfg.InitialDelay, j.remaining)
		j.remaining = max(j.remaining-ran, 0)
		j.by = m.now.Add(j.delay)
		m.arm(g, j.by)
		m.tryCompleteJoin(g) // without a delay it is due at once
	case due, g.awaiting == len(g.members) && len(g.pending) == 0:
		m.completeJoin(g)
	}
}

// completeJoin starts the next generation with those who joined. Static
// members stay until their session ends.
func (m *Machine) completeJoin(g *group) {
	for i := 0; i < len(g.order); {
		if mem := g.order[i]; mem.join == 0 && mem.instance == nil {
			m.note(g, fmt.Sprintf("member %s did not rejoin in time", mem.id))
			g.remove(mem.id)
			continue
		}
		i++
	}
	if len(g.members) == 0 {
		m.becomeEmpty(g)
		return
	}
	if !g.electLeader() {
		m.note(g, "nobody rejoined; waiting for sessions to end")
		g.joining = joining{by: m.now.Add(max(g.rebalanceTimeout(), minRetryDelay))}
		m.arm(g, g.joining.by)
		return
	}
	g.generation++
	g.protocol = new(g.selectProtocol())
	g.subscribed = g.subscriptions()
	g.enter(CompletingRebalance, m.now)
	m.note(g, fmt.Sprintf("generation %d: %d members, protocol %s, leader %s", g.generation, len(g.members), *g.protocol, g.leader))
	for _, mem := range g.order {
		r := g.joinReply(mem)
		if g.leader == mem.id {
			r.Members = g.joinMembers()
		}
		m.answerJoin(g, mem, r)
		m.renew(g, mem, mem.session)
		mem.fresh = false
		mem.owesSync = true
	}
	g.unsynced = len(g.order)
	g.syncBy = m.now.Add(g.rebalanceTimeout())
	m.arm(g, g.syncBy)
}

// becomeEmpty starts a generation without members. It holds from now on even
// if the write fails: the generation in the log then has members without
// sessions, who end on the next leader.
func (m *Machine) becomeEmpty(g *group) {
	g.generation++
	g.protocol = nil
	g.subscribed = g.subscriptions()
	g.enter(Empty, m.now)
	m.note(g, fmt.Sprintf("generation %d: empty", g.generation))
	m.writeGroup(g, nil, func(code wire.Code) {
		g.value = nil
		if code != wire.CodeNone {
			m.note(g, fmt.Sprintf("storing the empty generation: %v", code))
		}
	})
}

// electLeader keeps a leader that joined and otherwise takes the oldest member
// that did; it reports whether there is one.
func (g *group) electLeader() bool {
	if mem := g.members[g.leader]; mem != nil && mem.join != 0 {
		return true
	}
	for _, mem := range g.order {
		if mem.join != 0 {
			g.leader = mem.id
			return true
		}
	}
	return false
}

// removeMember ends a membership that somebody or the clock ended, and sees to
// the rebalance that follows.
func (m *Machine) removeMember(g *group, mem *member, why string) {
	// A client that is still there joins again on this answer.
	m.answerJoin(g, mem, refuseJoin("", wire.CodeUnknownMemberID))
	m.answerSync(mem, SyncReply{Code: wire.CodeUnknownMemberID})
	g.remove(mem.id)
	switch g.state {
	case Stable, CompletingRebalance:
		m.prepareRebalance(g, why)
	case PreparingRebalance:
		m.note(g, why)
		m.tryCompleteJoin(g)
	}
}

// tick does all that is due in a group and asks for the next Tick.
func (m *Machine) tick(name string) {
	g := m.groups[name]
	if g == nil {
		return
	}
	g.wake = time.Time{}
	if g.state == Dead {
		return
	}
	m.lapse(g)
	m.endSessions(g)
	m.tryCompleteJoin(g)
	if !g.syncBy.IsZero() && !m.now.Before(g.syncBy) {
		m.syncDue(g)
	}
	if next := g.nextDeadline(); !next.IsZero() {
		m.arm(g, next)
	}
}

// lapse drops ids that were handed out and never came back.
func (m *Machine) lapse(g *group) {
	lapsed := false
	for id, by := range g.pending {
		if !m.now.Before(by) {
			delete(g.pending, id)
			lapsed = true
		}
	}
	if lapsed {
		m.tryCompleteJoin(g)
	}
}

// endSessions removes members that were not heard of in time. A member whose
// request waits here is alive, except one in its first join: its client may
// have gone and joined again under another id.
func (m *Machine) endSessions(g *group) {
	var over []*member
	for _, mem := range g.order {
		if m.now.Before(mem.deadline) {
			continue
		}
		if !mem.fresh && (mem.join != 0 || mem.sync != 0) {
			mem.deadline = m.now.Add(mem.session)
			continue
		}
		over = append(over, mem)
	}
	for _, mem := range over {
		// Removing one may have started a generation, which renews the others.
		if g.members[mem.id] == mem && !m.now.Before(mem.deadline) {
			m.removeMember(g, mem, fmt.Sprintf("session of member %s ended", mem.id))
		}
	}
}

// syncDue removes members that joined the generation and never asked for
// their assignment.
func (m *Machine) syncDue(g *group) {
	for i := 0; i < len(g.order); {
		if mem := g.order[i]; mem.owesSync {
			m.answerJoin(g, mem, refuseJoin("", wire.CodeUnknownMemberID))
			g.remove(mem.id)
			continue
		}
		i++
	}
	g.syncBy = time.Time{}
	m.prepareRebalance(g, "members did not sync in time")
}

// arm asks for a Tick at t unless an earlier one is asked for already. So a
// heartbeat, which only moves a deadline away, costs nothing here: the Tick
// finds nothing due and asks again.
func (m *Machine) arm(g *group, t time.Time) {
	if g.wake.IsZero() || t.Before(g.wake) {
		g.wake = t
		m.out.Wakes = append(m.out.Wakes, Wake{g.name, t})
	}
}

// nextDeadline returns the earliest time something may be due, zero if never.
func (g *group) nextDeadline() time.Time {
	var next time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, mem := range g.order {
		earlier(mem.deadline)
	}
	for _, by := range g.pending {
		earlier(by)
	}
	if g.state == PreparingRebalance {
		earlier(g.joining.by)
	}
	earlier(g.syncBy)
	return next
}

func (m *Machine) note(g *group, text string) {
	m.out.Notes = append(m.out.Notes, Note{g.name, text})
}
