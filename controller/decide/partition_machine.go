package decide

import (
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// PartitionState is where a partition is in its life.
type PartitionState int8

// The states of a partition, with Kafka's numbers.
const (
	// NewPartition has an assignment, but neither leader nor ISR.
	NewPartition PartitionState = iota
	// OnlinePartition has a leader.
	OnlinePartition
	// OfflinePartition lost its leader.
	OfflinePartition
	// NonExistentPartition was never created, or is deleted.
	NonExistentPartition
)

// String returns Kafka's name of the state.
func (st PartitionState) String() string {
	names := [...]string{"NewPartition", "OnlinePartition", "OfflinePartition", "NonExistentPartition"}
	if int(st) < 0 || int(st) >= len(names) {
		return fmt.Sprintf("partition state %d", int8(st))
	}
	return names[st]
}

// CanFollow reports whether a partition may go from prev to st.
func (st PartitionState) CanFollow(prev PartitionState) bool {
	switch st {
	case NewPartition:
		return prev == NonExistentPartition
	case OnlinePartition, OfflinePartition:
		return prev != NonExistentPartition
	case NonExistentPartition:
		return prev == OfflinePartition
	}
	return false
}

// elections is what became of a call that was to bring partitions online.
type elections struct {
	// failed maps a partition to why it has no (new) leader.
	failed map[*partition]string
	// elected are those that have one, in no order.
	elected map[*partition]bool
}

func newElections() *elections {
	return &elections{failed: map[*partition]string{}, elected: map[*partition]bool{}}
}

// movePartitions takes partitions to a state. Illegal transitions are refused
// and reported, the others go on. how elects leaders for OnlinePartition; out
// gets the outcome, and may be nil.
func (s *State) movePartitions(ps []*partition, to PartitionState, how strategy, out *elections) {
	if len(ps) == 0 {
		return
	}
	if out == nil {
		out = newElections()
	}
	s.newBatch()
	var legal, fresh []*partition
	for _, p := range ps {
		switch {
		case !to.CanFollow(p.state):
			s.refuse(p.tp(), p.state, to, "illegal")
			out.failed[p] = fmt.Sprintf("partition is in state %s", p.state)
		case to == OnlinePartition && p.state == NewPartition:
			fresh = append(fresh, p)
		default:
			legal = append(legal, p)
		}
	}
	if to != OnlinePartition {
		for _, p := range legal {
			s.enter(p, to)
		}
		return
	}
	s.then(
		func() { s.initialise(fresh) },
		func() { s.elect(legal, how, out, 0) },
		s.flush,
	)
}

// bringOnline tries to elect leaders for all partitions that are new or offline
// and not about to be deleted.
func (s *State) bringOnline(out *elections) {
	s.movePartitions(s.partitions(s.waiting), OnlinePartition, electOffline{}, out)
}

func (s *State) waiting(p *partition) bool {
	return (p.state == OfflinePartition || p.state == NewPartition) && !s.queued(p.topic.name)
}

// initialise gives new partitions their first leader and ISR. The parents of
// the state nodes are made first, in passes, for nobody else makes them.
func (s *State) initialise(ps []*partition) {
	var able []*partition
	leads := map[*partition]Leadership{}
	for _, p := range ps {
		isr := s.onlineOf(p, p.assignment.Replicas)
		if len(isr) == 0 {
			s.refuse(p.tp(), p.state, OnlinePartition, "no assigned replica of %v is alive", p.assignment.Replicas)
			continue
		}
		able = append(able, p)
		leads[p] = Leadership{Leader: isr[0], ISR: isr, ControllerEpoch: s.epoch}
	}
	if len(able) == 0 {
		return
	}
	var ops []Op
	for i, p := range able {
		if i == 0 || able[i-1].topic != p.topic {
			ops = append(ops, fencedCreate(znode.PartitionsPath(p.topic.name), nil))
		}
	}
	for _, p := range able {
		ops = append(ops, fencedCreate(pathPartition(p.tp()), nil))
	}
	first := len(ops)
	for _, p := range able {
		ops = append(ops, fencedCreate(pathState(p.tp()), encodeState(leads[p])))
	}
	s.znodes(ops, func(results []Result) { s.initialised(able, leads, results[first:]) })
}

// initialised takes the results of creating state nodes. One that exists was
// made by this very write, sent twice over a lost connection, or by a
// controller that died at this point: it is read and taken as it is.
func (s *State) initialised(ps []*partition, leads map[*partition]Leadership, results []Result) {
	var existing []*partition
	for i, p := range ps {
		switch results[i].Err {
		case zk.OK:
			s.online1(p, leads[p])
		case zk.ErrNodeExists:
			existing = append(existing, p)
		default:
			s.refuse(p.tp(), p.state, OnlinePartition, "creating its state: %v", results[i].Err)
		}
	}
	s.readStates(existing, func(failed map[*partition]string) {
		for _, p := range existing {
			switch why, bad := failed[p]; {
			case bad:
				s.refuse(p.tp(), p.state, OnlinePartition, "%s", why)
			case p.lead.sameDecision(leads[p]) && p.lead.ControllerEpoch == s.epoch:
				s.online1(p, *p.lead)
			default:
				// Somebody else's: leave it to the next election.
				s.refuse(p.tp(), p.state, OnlinePartition, "its state exists already")
				s.enter(p, OfflinePartition)
			}
		}
	})
}

// online1 takes a new partition online with the leadership just written.
func (s *State) online1(p *partition, l Leadership) {
	p.lead = &l
	s.enter(p, OnlinePartition)
	s.tellLeader(p, l.ISR, true)
}

// elect chooses leaders and writes them, starting from what memory knows of the
// state nodes: this controller is their only writer, and the compare-and-set
// tells when that is not so. Then they are read and chosen again.
func (s *State) elect(ps []*partition, how strategy, out *elections, round int) {
	fail := func(p *partition, format string, args ...any) {
		out.failed[p] = fmt.Sprintf(format, args...)
		s.refuse(p.tp(), p.state, OnlinePartition, "%s", out.failed[p])
	}
	var known, unknown []*partition
	for _, p := range ps {
		if p.lead == nil {
			unknown = append(unknown, p)
		} else {
			known = append(known, p)
		}
	}
	s.then(
		func() {
			s.readStates(unknown, func(failed map[*partition]string) {
				for _, p := range unknown {
					if why, bad := failed[p]; bad {
						fail(p, "%s", why)
					} else {
						known = append(known, p)
					}
				}
			})
		},
		func() {
			sortParts(known)
			s.uncleanAllowed(known, how, func(allowed map[string]bool) { s.writeElected(known, how, allowed, out, round) })
		},
	)
}

// writeElected chooses and writes.
func (s *State) writeElected(ps []*partition, how strategy, allowed map[string]bool, out *elections, round int) {
	type choice struct {
		p  *partition
		l  Leadership
		to []int32
	}
	var choices []choice
	var ops []Op
	for _, p := range ps {
		l, to, ok := how.choose(s, p, allowed[p.topic.name])
		if !ok {
			out.failed[p] = fmt.Sprintf("Failed to elect leader for partition %s under strategy %s", p.tp(), how.kafkaName())
			s.refuse(p.tp(), p.state, OnlinePartition, "no leader by %s among %v, isr %v", how, p.assignment.Replicas, p.lead.ISR)
			continue
		}
		l.ControllerEpoch = s.epoch
		choices = append(choices, choice{p, l, to})
		ops = append(ops, s.writeState(p, l))
	}
	s.znodes(ops, func(results []Result) {
		var again []*partition
		for i, c := range choices {
			switch err := results[i].Err; {
			case err == zk.OK:
				c.l.PartitionEpoch = results[i].Stat.Version
				if !slices.Contains(c.p.lead.ISR, c.l.Leader) {
					s.unclean++
					s.warn("unclean election: %s was in sync on %v and is led by broker %d now: records it lacks are lost", c.p.tp(), c.p.lead.ISR, c.l.Leader)
				}
				c.p.lead = &c.l
				s.enter(c.p, OnlinePartition)
				out.elected[c.p] = true
				s.tellLeader(c.p, c.to, false)
			case err == zk.ErrBadVersion && round < maxConflicts:
				c.p.lead = nil
				again = append(again, c.p)
			default:
				out.failed[c.p] = fmt.Sprintf("writing the state: %v", err)
				s.refuse(c.p.tp(), c.p.state, OnlinePartition, "writing its state: %v", err)
			}
		}
		if len(again) > 0 {
			s.elect(again, how, out, round+1)
		}
	})
}

// writeState is the compare-and-set of a partition's state node.
func (s *State) writeState(p *partition, l Leadership) Op {
	return Op{Kind: OpWrite, Path: pathState(p.tp()), Data: encodeState(l), Version: p.lead.PartitionEpoch, Fence: true}
}

// readStates refreshes the leadership of partitions from their state nodes.
// next gets those that have none that this controller may use, and why.
func (s *State) readStates(ps []*partition, next func(failed map[*partition]string)) {
	var ops []Op
	for _, p := range ps {
		ops = append(ops, Op{Kind: OpRead, Path: pathState(p.tp())})
	}
	s.znodes(ops, func(results []Result) {
		failed := map[*partition]string{}
		for i, p := range ps {
			if why := s.takeState(p, results[i]); why != "" {
				failed[p] = why
			}
		}
		next(failed)
	})
}

// takeState puts a read state node into memory; it returns why it could not.
func (s *State) takeState(p *partition, r Result) string {
	switch r.Err {
	case zk.OK:
	case zk.ErrNoNode:
		return "its state does not exist"
	default:
		return fmt.Sprintf("reading its state: %v", r.Err)
	}
	l, err := decodeState(pathState(p.tp()), r)
	if err != nil {
		return err.Error()
	}
	if l.ControllerEpoch > s.epoch {
		return fmt.Sprintf("its state was written by a later controller, of epoch %d", l.ControllerEpoch)
	}
	p.lead = &l
	return ""
}

// uncleanAllowed finds out which topics may have a leader from outside the ISR.
// Configs are read only for partitions that need it.
func (s *State) uncleanAllowed(ps []*partition, how strategy, next func(map[string]bool)) {
	off, ok := how.(electOffline)
	allowed := map[string]bool{}
	if !ok {
		next(allowed)
		return
	}
	var ask []string
	for _, p := range ps {
		switch {
		case len(s.onlineOf(p, p.lead.ISR)) > 0:
		case off.unclean:
			allowed[p.topic.name] = true
		case !slices.Contains(ask, p.topic.name):
			ask = append(ask, p.topic.name)
		}
	}
	var ops []Op
	for _, name := range ask {
		ops = append(ops, Op{Kind: OpRead, Path: pathTopicConfig(name)})
	}
	s.znodes(ops, func(results []Result) {
		for i, name := range ask {
			allowed[name] = s.cfg.UncleanElection
			if results[i].Err == zk.OK {
				if v, ok := decodeUnclean(ops[i].Path, results[i].Data); ok {
					allowed[name] = v
				}
			}
		}
		next(allowed)
	})
}
