package decide

import (
	"fmt"
	"slices"
)

// strategy is a way to choose a partition's leader. Choosing changes nothing.
type strategy interface {
	// choose returns the leadership to write and who has to learn of it; ok is
	// false when nobody can lead. unclean allows a leader from outside the ISR.
	choose(s *State, p *partition, unclean bool) (l Leadership, to []int32, ok bool)
	String() string
	// kafkaName is what Kafka calls it in messages to clients.
	kafkaName() string
}

type (
	// electOffline serves partitions that have no leader, and new ones. unclean
	// is set when an admin client asked for an unclean election.
	electOffline struct{ unclean bool }
	// electReassigned moves the leader into the target replicas.
	electReassigned struct{}
	// electPreferred moves the leader to the first replica of the assignment.
	electPreferred struct{}
	// electShutdown moves the leader off brokers that are shutting down.
	electShutdown struct{}
)

func (electOffline) String() string    { return "offline" }
func (electReassigned) String() string { return "reassign" }
func (electPreferred) String() string  { return "preferred" }
func (electShutdown) String() string   { return "controlled shutdown" }

func (e electOffline) kafkaName() string {
	return fmt.Sprintf("OfflinePartitionLeaderElectionStrategy(%t)", e.unclean)
}
func (electReassigned) kafkaName() string { return "ReassignPartitionLeaderElectionStrategy" }
func (electPreferred) kafkaName() string {
	return "PreferredReplicaPartitionLeaderElectionStrategy"
}
func (electShutdown) kafkaName() string { return "ControlledShutdownPartitionLeaderElectionStrategy" }

func (electOffline) choose(s *State, p *partition, unclean bool) (Leadership, []int32, bool) {
	live := s.onlineOf(p, p.assignment.Replicas)
	if leader, ok := firstIn(live, p.lead.ISR); ok {
		return p.lead.next(leader, s.onlineOf(p, p.lead.ISR)), live, true
	}
	if !unclean || len(live) == 0 {
		return Leadership{}, nil, false
	}
	// Whatever only the old ISR had is lost; the mark lasts until the leader
	// has cleaned up after itself (KIP-704).
	l := p.lead.next(live[0], []int32{live[0]})
	l.Recovering = s.cfg.LeaderRecovery
	return l, live, true
}

func (electReassigned) choose(s *State, p *partition, _ bool) (Leadership, []int32, bool) {
	target := p.assignment.Target()
	leader, ok := firstIn(s.onlineOf(p, target), p.lead.ISR)
	return p.lead.next(leader, p.lead.ISR), target, ok
}

func (electPreferred) choose(s *State, p *partition, _ bool) (Leadership, []int32, bool) {
	all := p.assignment.Replicas
	if !s.preferredAble(p) {
		return Leadership{}, nil, false
	}
	return p.lead.next(all[0], p.lead.ISR), all, true
}

func (electShutdown) choose(s *State, p *partition, _ bool) (Leadership, []int32, bool) {
	var staying, tell []int32
	for _, id := range p.assignment.Replicas {
		if !s.reachable(p, id) {
			continue
		}
		tell = append(tell, id)
		if !s.shuttingDown[id] {
			staying = append(staying, id)
		}
	}
	leader, ok := firstIn(staying, p.lead.ISR)
	var isr []int32
	for _, id := range p.lead.ISR {
		if !s.shuttingDown[id] {
			isr = append(isr, id)
		}
	}
	return p.lead.next(leader, isr), tell, ok
}

// preferredAble reports whether the first replica could lead now.
func (s *State) preferredAble(p *partition) bool {
	if len(p.assignment.Replicas) == 0 || p.lead == nil {
		return false
	}
	first := p.assignment.Replicas[0]
	return s.online(p, first) && slices.Contains(p.lead.ISR, first)
}

func firstIn(candidates, isr []int32) (int32, bool) {
	for _, id := range candidates {
		if slices.Contains(isr, id) {
			return id, true
		}
	}
	return NoLeader, false
}
