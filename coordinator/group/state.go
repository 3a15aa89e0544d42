package group

import (
	"time"
)

// State is where a classic group is between rebalances.
type State int8

// The states; their names are part of the protocol (DescribeGroups,
// ListGroups).
const (
	// Empty has no members; it may hold offsets.
	Empty State = iota
	// PreparingRebalance waits for members to join.
	PreparingRebalance
	// CompletingRebalance waits for the leader's assignment.
	CompletingRebalance
	// Stable has handed assignments out.
	Stable
	// Dead is going: its tombstones are being written.
	Dead
)

// String returns Kafka's name of the state.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	case Stable:
		return "Stable"
	}
	return "Dead"
}

// topicPartition is the key of an offset.
type topicPartition struct {
	topic     string
	partition int32
}

// offset is one stored offset.
type offset struct {
	offset    int64
	epoch     int32
	metadata  string
	committed int64 // ms, when the client committed
	expires   int64 // ms, explicit expiry of old commits; -1 for none
	// at is the log offset of the batch it came in: a transaction's offset
	// must not replace one that was written after it.
	at int64
}

// group is one consumer group. What Replay writes (stored, value, offsets,
// txn) equals the log; all else lives from here to the end of leadership.
type group struct {
	name  string
	state State
	// since is when the state was entered, ms; -1 in groups from records older
	// than version 2, which do not say.
	since        int64
	protocolType string  // "" in groups that only store offsets
	protocol     *string // chosen for the generation
	generation   int32
	leader       string // "" without members

	members map[string]*member
	order   []*member         // the same, in the order they joined
	statics map[string]string // instance id to member id
	// pending are ids that were given out and not joined with yet, with the
	// time they lapse.
	pending   map[string]time.Time
	supported map[string]int // protocol name to number of members
	awaiting  int            // members with a parked join
	unsynced  int            // members that owe a sync in this generation
	assigning int32          // the last generation whose assignment was written
	// subscribed are the topics members of a "consumer" group read; nil when
	// that is not known, and then every topic counts as read.
	subscribed map[string]struct{}

	joining joining
	syncBy  time.Time // when members that owe a sync are removed; zero: never
	wake    time.Time // the Wake the shell has been asked for

	// stored says that the log holds metadata of this group; value is the
	// newest such record while it waits to be adopted.
	stored bool
	value  *storedValue

	offsets map[topicPartition]offset
	// txn holds offsets that wait for their producer's marker.
	txn map[int64]map[topicPartition]offset
	// inflight counts plain and transactional commits under way.
	inflight map[topicPartition]int
}

// joining is the deadline of a rebalance that waits for members.
type joining struct {
	by time.Time
	// initial is set in the first rebalance of an empty group: it ends at by
	// and not earlier, and is put off while members arrive.
	initial          bool
	more             bool          // a member arrived since the last delay
	delay, remaining time.Duration // the running delay, and what putting off may still use
}

func newGroup(name string) *group {
	return &group{
		name:      name,
		since:     -1,
		members:   map[string]*member{},
		statics:   map[string]string{},
		pending:   map[string]time.Time{},
		supported: map[string]int{},
		offsets:   map[topicPartition]offset{},
		txn:       map[int64]map[topicPartition]offset{},
		inflight:  map[topicPartition]int{},
	}
}

func (g *group) enter(s State, now time.Time) {
	g.state = s
	g.since = now.UnixMilli()
}

// rebalanceTimeout is the longest that any member asked for.
func (g *group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, mem := range g.order {
		d = max(d, mem.rebalance)
	}
	return d
}

// accepts reports whether a member may join: with its protocol type, and at
// least one protocol that all others support.
func (g *group) accepts(protocolType string, protocols []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	if g.protocolType != protocolType {
		return false
	}
	for _, p := range protocols {
		if g.supported[p.Name] == len(g.members) {
			return true
		}
	}
	return false
}

// selectProtocol lets each member vote for the first of its protocols that all
// support; the most votes win, and of equal ones the oldest member's.
func (g *group) selectProtocol() string {
	votes := map[string]int{}
	best := ""
	for _, mem := range g.order {
		for _, p := range mem.protocols {
			if g.supported[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	for _, mem := range g.order {
		for _, p := range mem.protocols {
			if votes[p.Name] > votes[best] {
				best = p.Name
			}
		}
	}
	return best
}

// isConsumer reports whether members speak the consumer's embedded protocol,
// whose subscriptions can be read here.
func (g *group) isConsumer() bool { return g.protocolType == consumerProtocol }

// reads reports whether a member may be reading the topic.
func (g *group) reads(topic string) bool {
	if g.subscribed == nil {
		return true
	}
	_, ok := g.subscribed[topic]
	return ok
}

// unstable reports whether an offset has a commit under way, its own or a
// transaction's.
func (g *group) unstable(tp topicPartition) bool {
	if g.inflight[tp] > 0 {
		return true
	}
	for _, offsets := range g.txn {
		if _, ok := offsets[tp]; ok {
			return true
		}
	}
	return false
}
