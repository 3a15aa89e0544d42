package decide

import (
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// firstBalance is when a new controller looks for imbalance the first time, as
// Kafka does: after the brokers had time to answer.
const firstBalance = 5 * time.Second

// watchedLists are the parents whose children the controller watches.
var watchedLists = []string{znode.BrokerIDsPath, znode.TopicsPath, znode.DeleteTopicsPath, znode.LogDirEventsPath, znode.ISRChangesPath}

// failover is what a new controller does, in Kafka's order.
func (s *State) failover() []func() {
	return []func(){
		s.setUpFeatures,
		s.loadContext,
		func() { s.announce(s.registered()) }, // brokers must know each other before they learn leaders
		s.startReplicas,
		s.startPartitions,
		func() { s.prog.rescue = nil }, // from here on an error costs one duty, not the office
		s.resumeReassignments,
		s.resumeDeletions,
		s.preferredNode,
		func() {
			if s.cfg.AutoBalance {
				s.emit(After{Delay: firstBalance, Event: AutoBalance{}})
			}
		},
	}
}

// loadContext reads the cluster. Every list is read by the operation that
// watches it, so nothing can slip in between.
func (s *State) loadContext() {
	var ops []Op
	for _, path := range watchedLists {
		ops = append(ops, Op{Kind: OpList, Path: path, Watch: true})
	}
	ops = append(ops,
		Op{Kind: OpExists, Path: znode.PreferredElectionPath, Watch: true},
		Op{Kind: OpExists, Path: znode.ReassignPath, Watch: true})
	s.znodes(ops, func(results []Result) {
		for i := range watchedLists {
			if err := results[i].Err; err != zk.OK && err != zk.ErrNoNode {
				s.abort(fmt.Errorf("list %s: %w", watchedLists[i], err))
				return
			}
		}
		brokers, topics, deletions := results[0].Children, results[1].Children, results[2].Children
		logDirs, isrs := results[3].Children, results[4].Children
		s.then(
			func() { s.removeAll(znode.LogDirEventsPath, logDirs) },
			func() { s.removeAll(znode.ISRChangesPath, isrs) },
			func() { s.readBrokers(brokers, s.loadBrokers) },
			func() { s.readTopics(topics, nil) },
			s.loadStates,
			func() { s.loadDeletions(deletions) },
		)
	})
}

// removeAll deletes children of a notification node.
func (s *State) removeAll(parent string, names []string) {
	var ops []Op
	for _, name := range sorted(names) {
		ops = append(ops, Op{Kind: OpRemove, Path: parent + "/" + name, Version: anyVersion, Fence: true})
	}
	s.znodes(ops, func([]Result) {})
}

func (s *State) loadBrokers(brokers []*Broker) {
	for _, b := range brokers {
		s.brokers[b.ID] = b
		s.emit(Connect{Broker: *b})
	}
}

// loadStates reads the state of every partition. One without state is new.
func (s *State) loadStates() {
	all := s.partitions(nil)
	for _, p := range all {
		p.reassigning = p.assignment.Reassigning()
	}
	s.readStates(all, func(failed map[*partition]string) {
		for _, p := range sortedParts(failed) {
			s.note("partition %s has no leader yet: %s", p.tp(), failed[p])
		}
	})
}

// startReplicas gives every replica its first state and tells the brokers all.
func (s *State) startReplicas() {
	var on, off []replicaOf
	for _, r := range replicas(s.partitions(nil)) {
		if s.online(r.p, r.broker) {
			s.enterReplica(r, OnlineReplica)
			on = append(on, r)
		} else {
			s.enterReplica(r, ReplicaDeletionIneligible)
			off = append(off, r)
		}
	}
	s.then(
		func() { s.moveReplicas(on, OnlineReplica) },
		func() { s.moveReplicas(off, OfflineReplica) },
	)
}

// startPartitions gives every partition its first state and elects where that
// is needed.
func (s *State) startPartitions() {
	for _, p := range s.partitions(nil) {
		switch {
		case p.lead == nil:
			s.enter(p, NewPartition)
		case s.online(p, p.lead.Leader):
			s.enter(p, OnlinePartition)
		default:
			s.enter(p, OfflinePartition)
		}
	}
	s.bringOnline(nil)
}
