package decide

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/zk"
)

// ReplicaState is where one replica of a partition is in its life.
type ReplicaState int8

// The states of a replica, with Kafka's numbers. The zero value is none of them.
const (
	// NewReplica may only become a follower yet.
	NewReplica ReplicaState = iota + 1
	// OnlineReplica is started and assigned.
	OnlineReplica
	// OfflineReplica is on a dead broker or disk, or is told to stop.
	OfflineReplica
	// ReplicaDeletionStarted was told to delete its log.
	ReplicaDeletionStarted
	// ReplicaDeletionSuccessful said that it did.
	ReplicaDeletionSuccessful
	// ReplicaDeletionIneligible cannot be deleted now.
	ReplicaDeletionIneligible
	// NonExistentReplica is gone, or was never there.
	NonExistentReplica
)

// String returns Kafka's name of the state.
func (st ReplicaState) String() string {
	names := [...]string{"NewReplica", "OnlineReplica", "OfflineReplica", "ReplicaDeletionStarted",
		"ReplicaDeletionSuccessful", "ReplicaDeletionIneligible", "NonExistentReplica"}
	if st < 1 || int(st) > len(names) {
		return fmt.Sprintf("replica state %d", int8(st))
	}
	return names[st-1]
}

// CanFollow reports whether a replica may go from prev to st.
func (st ReplicaState) CanFollow(prev ReplicaState) bool {
	switch st {
	case NewReplica:
		return prev == NonExistentReplica
	case OnlineReplica, OfflineReplica:
		return prev == NewReplica || prev == OnlineReplica || prev == OfflineReplica || prev == ReplicaDeletionIneligible
	case ReplicaDeletionStarted:
		return prev == OfflineReplica
	case ReplicaDeletionSuccessful:
		return prev == ReplicaDeletionStarted
	case ReplicaDeletionIneligible:
		return prev == OfflineReplica || prev == ReplicaDeletionStarted
	case NonExistentReplica:
		return prev == ReplicaDeletionSuccessful
	}
	return false
}

func (r replicaOf) state() ReplicaState { return cmp.Or(r.p.replicas[r.broker], NonExistentReplica) }

func (r replicaOf) enter(st ReplicaState) {
	if st == NonExistentReplica {
		delete(r.p.replicas, r.broker)
		return
	}
	r.p.replicas[r.broker] = st
}

// moveReplicas takes replicas to a state. Illegal transitions are refused and
// reported, the others go on.
func (s *State) moveReplicas(rs []replicaOf, to ReplicaState) {
	if len(rs) == 0 {
		return
	}
	s.newBatch()
	var legal []replicaOf
	for _, r := range rs {
		if to.CanFollow(r.state()) {
			legal = append(legal, r)
		} else {
			s.refuse(r, r.state(), to, "illegal")
		}
	}
	if to == OfflineReplica {
		s.then(s.offlineByBroker(legal)...)
		return
	}
	for _, r := range legal {
		s.moveReplica(r, to)
	}
	s.flush()
}

// moveReplica is every transition that needs no znode.
func (s *State) moveReplica(r replicaOf, to ReplicaState) {
	p := r.p
	switch to {
	case NewReplica:
		if p.lead != nil && p.lead.Leader == r.broker {
			s.refuse(r, r.state(), to, "it is to be the leader")
			return
		}
		if p.lead != nil {
			s.tellLeader(p, []int32{r.broker}, true)
		}
	case OnlineReplica:
		switch {
		case r.state() == NewReplica:
			if !p.holds(r.broker) {
				p.assignment.Replicas = append(slices.Clip(p.assignment.Replicas), r.broker)
			}
		case p.lead != nil:
			s.tellLeader(p, []int32{r.broker}, false)
		}
	case ReplicaDeletionStarted:
		s.tellStop(p, r.broker, true)
	case NonExistentReplica:
		p.assignment = p.assignment.drop(r.broker)
	case OfflineReplica, ReplicaDeletionSuccessful, ReplicaDeletionIneligible:
		// Nobody needs to know; offline has its own way, offlineByBroker.
	}
	s.enterReplica(r, to)
}

func (a Assignment) drop(broker int32) Assignment {
	gone := []int32{broker}
	return Assignment{without(a.Replicas, gone), without(a.Adding, gone), without(a.Removing, gone)}
}

// offlineByBroker takes replicas offline, broker by broker: two of one
// partition would otherwise race for the same state node.
func (s *State) offlineByBroker(rs []replicaOf) []func() {
	slices.SortStableFunc(rs, func(a, b replicaOf) int { return cmp.Compare(a.broker, b.broker) })
	var steps []func()
	for len(rs) > 0 {
		n := 1
		for n < len(rs) && rs[n].broker == rs[0].broker {
			n++
		}
		one := rs[:n:n]
		steps = append(steps, func() { s.offline1(one) })
		rs = rs[n:]
	}
	return append(steps, s.flush)
}

// offline1 takes replicas of one broker offline: the broker is told to stop
// them, and they leave the ISR.
func (s *State) offline1(rs []replicaOf) {
	var led []replicaOf
	for _, r := range rs {
		s.tellStop(r.p, r.broker, false)
		if r.p.lead != nil {
			led = append(led, r)
			continue
		}
		s.tellAll(r.p)
		s.enterReplica(r, OfflineReplica)
	}
	s.leaveISR(led, 0)
}

// leaveISR removes replicas of one broker from the ISR of their partitions. The
// last member stays, so that only it can lead again.
func (s *State) leaveISR(rs []replicaOf, round int) {
	var writes []replicaOf
	var leads []Leadership
	var ops []Op
	for _, r := range rs {
		l := *r.p.lead
		if !slices.Contains(l.ISR, r.broker) {
			s.leftISR(r)
			continue
		}
		isr, leader := l.ISR, l.Leader
		if len(isr) > 1 {
			isr = without(isr, []int32{r.broker})
		}
		if leader == r.broker {
			leader = NoLeader
		}
		l = l.next(leader, isr)
		l.ControllerEpoch = s.epoch
		writes, leads, ops = append(writes, r), append(leads, l), append(ops, s.writeState(r.p, l))
	}
	s.znodes(ops, func(results []Result) {
		var again []replicaOf
		for i, r := range writes {
			switch err := results[i].Err; {
			case err == zk.OK:
				leads[i].PartitionEpoch = results[i].Stat.Version
				r.p.lead = &leads[i]
				s.leftISR(r)
			case err == zk.ErrBadVersion && round < maxConflicts:
				again = append(again, r)
			default:
				s.refuse(r, r.state(), OfflineReplica, "writing the partition's state: %v", err)
			}
		}
		s.leaveISRAgain(again, round)
	})
}

func (s *State) leaveISRAgain(rs []replicaOf, round int) {
	if len(rs) == 0 {
		return
	}
	ps := make([]*partition, len(rs))
	for i, r := range rs {
		ps[i] = r.p
	}
	s.readStates(ps, func(failed map[*partition]string) {
		rs = slices.DeleteFunc(rs, func(r replicaOf) bool {
			why, bad := failed[r.p]
			if bad {
				s.refuse(r, r.state(), OfflineReplica, "%s", why)
			}
			return bad
		})
		s.leaveISR(rs, round+1)
	})
}

// leftISR finishes the way offline: the other replicas learn the ISR, even an
// unchanged one (they answer that they know).
func (s *State) leftISR(r replicaOf) {
	if !s.queued(r.p.topic.name) {
		s.tellLeader(r.p, without(r.p.assignment.Replicas, []int32{r.broker}), false)
	}
	s.enterReplica(r, OfflineReplica)
}
