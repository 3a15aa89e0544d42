package group

import (
	"maps"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/wire"
)

// Machine decides for all groups of one partition of __consumer_offsets. The
// zero value is not usable; call New, Replay what the log holds, then Step
// with Loaded before any other event.
type Machine struct {
	cfg    Config
	groups map[string]*group
	// open holds, per producer with offsets that wait for its marker, the
	// groups concerned.
	open map[int64]map[string]struct{}
	// queue holds the writes under way in log order: their ids are consecutive.
	queue    []*op
	lastID   uint64
	now      time.Time // of the Step that runs
	out      Effects
	resigned bool
}

// New returns a machine without groups.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, groups: map[string]*group{}, open: map[int64]map[string]struct{}{}}
}

// Step takes one event that happened at now and returns what to do. Its result
// depends on nothing but the machine, now and the event.
func (m *Machine) Step(now time.Time, e Event) Effects {
	m.now = now
	clear(m.out.Writes)
	clear(m.out.Replies)
	m.out = Effects{m.out.Writes[:0], m.out.Replies[:0], m.out.Wakes[:0], m.out.Notes[:0]}
	must.Hold(!m.resigned, "a machine takes no event after Resign")
	switch e := e.(type) {
	case Join:
		m.join(&e)
	case Sync:
		m.sync(&e)
	case Heartbeat:
		m.reply(e.Ticket, CodeReply{m.heartbeat(&e)})
	case Leave:
		m.reply(e.Ticket, m.leave(&e))
	case Commit:
		m.commit(&e)
	case TxnCommit:
		m.txnCommit(&e)
	case TxnEnd:
		m.txnEnd(&e)
	case Fetch:
		m.reply(e.Ticket, m.fetch(&e))
	case DeleteOffsets:
		m.deleteOffsets(&e)
	case Describe:
		m.reply(e.Ticket, m.describe(e.Group))
	case List:
		m.reply(e.Ticket, m.list(&e))
	case Delete:
		m.delete(&e)
	case PartitionsDeleted:
		m.partitionsDeleted(&e)
	case Expire:
		m.expire()
	case Tick:
		m.tick(e.Group)
	case Loaded:
		m.loaded()
	case WriteDone:
		m.writeDone(&e)
	case Resign:
		m.resign()
	default:
		must.Bug("unknown group event %T", e)
	}
	return m.out
}

// Counts returns how many groups and offsets the machine holds.
func (m *Machine) Counts() (groups, offsets int) {
	for _, g := range m.groups {
		offsets += len(g.offsets)
	}
	return len(m.groups), offsets
}

func (m *Machine) reply(t Ticket, b Body) {
	m.out.Replies = append(m.out.Replies, Reply{t, b})
}

// create returns a new empty group under a name that has none.
func (m *Machine) create(name string) *group {
	g := newGroup(name)
	g.enter(Empty, m.now)
	m.groups[name] = g
	return g
}

// names returns all groups in order, so that decisions over all of them do not
// depend on the order of a map.
func (m *Machine) names() []string {
	return slices.Sorted(maps.Keys(m.groups))
}

// resign answers all who wait; the machine is not used afterwards.
func (m *Machine) resign() {
	for _, name := range m.names() {
		g := m.groups[name]
		for _, mem := range g.order {
			m.answerJoin(g, mem, refuseJoin(mem.id, wire.CodeNotCoordinator))
			m.answerSync(mem, SyncReply{Code: wire.CodeNotCoordinator})
		}
		g.state = Dead
	}
	for len(m.queue) > 0 {
		o := m.pop()
		o.then(wire.CodeNotLeaderOrFollower)
	}
	// A failed write may have set a rebalance going; it has no future.
	m.out.Writes, m.out.Wakes = nil, nil
	m.resigned = true
}
