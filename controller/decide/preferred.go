package decide

import (
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// autoBalance elects preferred leaders for brokers that lead too few of the
// partitions they are first for.
func (s *State) autoBalance() {
	s.emit(After{Delay: s.cfg.BalanceInterval, Event: AutoBalance{}})
	prefer := map[int32][]*partition{}
	for _, p := range s.partitions(func(p *partition) bool { return !s.queued(p.topic.name) && len(p.assignment.Replicas) > 0 }) {
		prefer[p.assignment.Replicas[0]] = append(prefer[p.assignment.Replicas[0]], p)
	}
	var elect []*partition
	for id, ps := range prefer {
		var away []*partition
		for _, p := range ps {
			if p.lead != nil && p.lead.Leader != id {
				away = append(away, p)
			}
		}
		if len(away)*100 <= s.cfg.BalancePercent*len(ps) {
			continue
		}
		for _, p := range away {
			if s.preferredAble(p) {
				elect = append(elect, p)
			}
		}
	}
	sortParts(elect)
	s.movePartitions(elect, OnlinePartition, electPreferred{}, nil)
}

// preferredNode does what /admin/preferred_replica_election asks for, deletes
// the node, and watches for the next.
func (s *State) preferredNode() {
	s.readPreferred(func(tps []znode.TopicPartition) {
		var ps []*partition
		for _, n := range tps {
			tp := TopicPartition(n)
			p := s.partition(tp)
			switch {
			case p == nil:
				s.note("preferred election: partition %s does not exist", tp)
			case s.queued(tp.Topic):
				s.note("preferred election: topic %s is being deleted", tp.Topic)
			case p.lead != nil && len(p.assignment.Replicas) > 0 && p.lead.Leader != p.assignment.Replicas[0]:
				ps = append(ps, p)
			}
		}
		sortParts(ps)
		ps = slices.Compact(ps)
		s.then(
			func() { s.movePartitions(ps, OnlinePartition, electPreferred{}, nil) },
			s.dropPreferred,
		)
	})
}

// readPreferred reads the node and arms its watch; next runs only when there is
// one.
func (s *State) readPreferred(next func([]znode.TopicPartition)) {
	s.znodes([]Op{
		{Kind: OpExists, Path: znode.PreferredElectionPath, Watch: true},
		{Kind: OpRead, Path: znode.PreferredElectionPath},
	}, func(results []Result) {
		switch r := results[1]; r.Err {
		case zk.OK:
			tps, err := znode.DecodePartitions(znode.PreferredElectionPath, r.Data)
			if err != nil {
				s.warn("ignoring %s: %v", znode.PreferredElectionPath, err)
			}
			next(tps)
		case zk.ErrNoNode:
		default:
			s.note("read %s: %v", znode.PreferredElectionPath, r.Err)
		}
	})
}

// dropPreferred deletes the node. The watch that readPreferred armed fires for
// that, and the event it becomes looks for the next.
func (s *State) dropPreferred() {
	s.znodes([]Op{{Kind: OpRemove, Path: znode.PreferredElectionPath, Version: anyVersion, Fence: true}}, func([]Result) {})
}

// electLeaders is the ElectLeaders API.
func (s *State) electLeaders(ev ElectLeaders) {
	results := map[TopicPartition]ElectionResult{}
	var ps []*partition
	for _, tp := range ev.Partitions {
		r := ElectionResult{TopicPartition: tp, Leader: NoLeader}
		switch p := s.partition(tp); {
		case p == nil:
			r.Err, r.Message = wire.CodeUnknownTopicOrPartition, "The partition does not exist."
		case s.queued(tp.Topic):
			r.Err, r.Message = wire.CodeInvalidTopicException, "The topic is being deleted"
		case !s.electionNeeded(p, ev.Type):
			r.Err, r.Message = wire.CodeElectionNotNeeded, "Leader election not needed for topic partition."
		default:
			ps = append(ps, p)
		}
		results[tp] = r
	}
	sortParts(ps)
	ps = slices.Compact(ps)
	var how strategy = electPreferred{}
	refusal := wire.CodePreferredLeaderNotAvailable
	if ev.Type == UncleanElection {
		how, refusal = electOffline{unclean: true}, wire.CodeEligibleLeadersNotAvailable
	}
	out := newElections()
	s.then(
		func() { s.movePartitions(ps, OnlinePartition, how, out) },
		func() {
			for _, p := range ps {
				r := results[p.tp()]
				if why, failed := out.failed[p]; failed || p.leader() == NoLeader {
					r.Err, r.Message = refusal, why
				} else {
					r.Leader = p.leader()
				}
				results[p.tp()] = r
			}
			s.answer(ElectionResults{Items: slices.SortedFunc(maps.Values(results), func(a, b ElectionResult) int {
				return compareTP(a.TopicPartition, b.TopicPartition)
			})})
		},
	)
}

func (s *State) electionNeeded(p *partition, t ElectionType) bool {
	if t == UncleanElection {
		return p.leader() == NoLeader || !s.live(p.leader())
	}
	return len(p.assignment.Replicas) > 0 && p.leader() != p.assignment.Replicas[0]
}

// uncleanTopic tries the partitions of a topic that may now be led by anybody.
func (s *State) uncleanTopic(name string) {
	t := s.topics[name]
	if t == nil {
		return
	}
	var ps []*partition
	for _, p := range t.parts {
		if s.waiting(p) {
			ps = append(ps, p)
		}
	}
	s.movePartitions(ps, OnlinePartition, electOffline{}, nil)
}
