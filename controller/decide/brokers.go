package decide

import (
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// brokerChange finds out which brokers are new, dead, or came back under the
// same id (bounced), and lets them start or fail.
func (s *State) brokerChange() {
	s.znodes([]Op{{Kind: OpList, Path: znode.BrokerIDsPath, Watch: true}}, func(results []Result) {
		if err := results[0].Err; err != zk.OK {
			s.note("list %s: %v", znode.BrokerIDsPath, err)
			return
		}
		s.readBrokers(results[0].Children, s.compareBrokers)
	})
}

func (s *State) compareBrokers(now []*Broker) {
	var fresh, bounced []*Broker
	gone := maps.Clone(s.brokers)
	for _, b := range now {
		old := s.brokers[b.ID]
		delete(gone, b.ID)
		switch {
		case old == nil:
			fresh = append(fresh, b)
		case b.Epoch > old.Epoch:
			bounced = append(bounced, b)
		}
	}
	dead := slices.Sorted(maps.Keys(gone))
	if len(fresh)+len(bounced)+len(dead) == 0 {
		return
	}
	s.note("brokers: new %v, bounced %v, dead %v", ids(fresh), ids(bounced), dead)
	for _, b := range fresh {
		s.emit(Connect{Broker: *b})
	}
	for _, b := range bounced {
		s.emit(Disconnect{ID: b.ID})
		s.emit(Connect{Broker: *b})
	}
	for _, id := range dead {
		s.emit(Disconnect{ID: id})
	}
	s.then(
		func() { s.addBrokers(fresh) },
		func() { s.removeBrokers(ids(bounced)) },
		func() { s.addBrokers(bounced) },
		func() { s.removeBrokers(dead) },
	)
}

func ids(brokers []*Broker) []int32 {
	var out []int32
	for _, b := range brokers {
		out = append(out, b.ID)
	}
	return out
}

// addBrokers starts brokers that registered: first everybody hears of them, and
// they hear of everything, then they get their replicas, then leaders are
// elected where none could be without them.
func (s *State) addBrokers(brokers []*Broker) {
	if len(brokers) == 0 {
		return
	}
	old := s.registered()
	for _, b := range brokers {
		s.brokers[b.ID] = b
		delete(s.offline, b.ID)
	}
	started := ids(brokers)
	mine := s.replicasOn(started...)
	s.then(
		func() { s.announce(old) },
		func() {
			s.announce(started, s.partitions(func(p *partition) bool { return !s.queued(p.topic.name) })...)
		},
		func() { s.moveReplicas(mine, OnlineReplica) },
		func() { s.bringOnline(nil) },
		func() {
			s.resumeReassigning(func(p *partition) bool {
				return slices.ContainsFunc(p.assignment.Target(), func(id int32) bool { return slices.Contains(started, id) })
			})
		},
		func() { s.retryDeletions(topicsOf(mine)) },
	)
}

// removeBrokers is what follows when brokers are gone.
func (s *State) removeBrokers(gone []int32) {
	if len(gone) == 0 {
		return
	}
	for _, id := range gone {
		delete(s.brokers, id)
		delete(s.offline, id)
		delete(s.shuttingDown, id)
	}
	s.loseReplicas(s.replicasOn(gone...))
}

// loseReplicas takes replicas offline: partitions they led get another leader,
// the others shrink, and what was to be deleted has to wait.
func (s *State) loseReplicas(rs []replicaOf) {
	var lost, dying []replicaOf
	for _, r := range rs {
		if s.queued(r.p.topic.name) {
			dying = append(dying, r)
		} else {
			lost = append(lost, r)
		}
	}
	headless := s.partitions(func(p *partition) bool {
		return p.lead != nil && !s.online(p, p.lead.Leader) && !s.queued(p.topic.name)
	})
	out := newElections()
	s.then(
		func() { s.movePartitions(headless, OfflinePartition, nil, nil) },
		func() { s.bringOnline(out) },
		func() { s.moveReplicas(lost, OfflineReplica) },
		func() { s.failDeletion(dying) },
		func() {
			// Nothing else told the brokers that some of them are gone.
			if len(lost) == 0 && len(out.elected) == 0 {
				s.announce(s.registered())
			}
		},
	)
}

// brokerModified takes over changed listeners or features of a broker.
func (s *State) brokerModified(id int32) {
	s.znodes([]Op{{Kind: OpRead, Path: znode.BrokerPath(id), Watch: true}}, func(results []Result) {
		old, r := s.brokers[id], results[0]
		if r.Err != zk.OK || old == nil {
			return
		}
		b, err := decodeBroker(id, r.Data, r.Stat)
		if err != nil {
			s.note("ignoring the change of broker %d: %v", id, err)
			return
		}
		if b.Epoch != old.Epoch || slices.Equal(b.Endpoints, old.Endpoints) && maps.Equal(b.Features, old.Features) {
			return // another registration comes as BrokerChange
		}
		s.brokers[id] = b
		s.announce(s.registered())
	})
}

// leaderAndISRDone learns which replicas are in failed log directories.
func (s *State) leaderAndISRDone(ev LeaderAndISRDone) {
	if ev.Err != 0 {
		s.note("broker %d refused LeaderAndIsr: %s", ev.Broker, ev.Err.Name())
		return
	}
	if !s.current(ev.Channel) {
		return
	}
	var lost []replicaOf
	for _, e := range ev.Partitions {
		p := s.partition(e.TopicPartition)
		if p == nil {
			continue
		}
		switch set := s.offline[ev.Broker]; {
		case e.Err == wire.CodeKafkaStorageError && !set[p]:
			if set == nil {
				set = map[*partition]bool{}
				s.offline[ev.Broker] = set
			}
			set[p] = true
			lost = append(lost, replicaOf{p, ev.Broker})
		case e.Err == 0:
			delete(set, p)
		}
	}
	if len(lost) > 0 {
		s.note("broker %d lost %d replicas with a log directory", ev.Broker, len(lost))
		s.loseReplicas(lost)
	}
}

// controlledShutdown moves leaders off a broker that wants to leave, and its
// replicas out of the ISR. The answer waits for the writes.
func (s *State) controlledShutdown(ev ControlledShutdown) {
	id := ev.Broker
	b := s.brokers[id]
	switch {
	case ev.BrokerEpoch != -1 && b == nil:
		s.answer(Failed{wire.CodeUnknownServerError})
		return
	case b == nil:
		s.answer(Failed{wire.CodeBrokerNotAvailable})
		return
	case ev.BrokerEpoch != -1 && ev.BrokerEpoch < b.Epoch:
		s.answer(Failed{wire.CodeStaleBrokerEpoch})
		return
	}
	s.shuttingDown[id] = true
	var led []*partition
	var followed []replicaOf
	for _, r := range s.replicasOn(id) {
		p := r.p
		switch {
		case len(p.assignment.Replicas) < 2 || p.lead == nil || s.queued(p.topic.name):
		case p.lead.Leader == id:
			led = append(led, p)
		default:
			followed = append(followed, r)
		}
	}
	s.then(
		func() { s.movePartitions(led, OnlinePartition, electShutdown{}, nil) },
		func() {
			s.newBatch()
			for _, r := range followed {
				s.tellStop(r.p, id, false)
			}
			s.flush()
		},
		func() { s.moveReplicas(followed, OfflineReplica) },
		func() {
			left := s.partitions(func(p *partition) bool {
				return p.leader() == id && len(p.assignment.Replicas) > 1 && !s.queued(p.topic.name)
			})
			s.answer(ShutdownResult{Remaining: names(left)})
		},
	)
}

func names(ps []*partition) []TopicPartition {
	out := make([]TopicPartition, len(ps))
	for i, p := range ps {
		out[i] = p.tp()
	}
	return out
}
