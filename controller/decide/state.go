package decide

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/must"
)

// Config is what the controller takes from the broker's configuration.
type Config struct {
	// BrokerID is this broker.
	BrokerID int32
	// DeleteTopics is delete.topic.enable.
	DeleteTopics bool
	// UncleanElection is unclean.leader.election.enable of the broker.
	UncleanElection bool
	// AutoBalance is auto.leader.rebalance.enable.
	AutoBalance bool
	// BalanceInterval is leader.imbalance.check.interval.seconds.
	BalanceInterval time.Duration
	// BalancePercent is leader.imbalance.per.broker.percentage.
	BalancePercent int
	// FeatureVersion is the version of /feature to write: 2 from
	// inter.broker.protocol.version 3.3 on, 1 below, 0 (feature off) below 2.7.
	FeatureVersion int
	// LeaderRecovery is set from inter.broker.protocol.version 3.2 on: unclean
	// elections mark the partition as recovering.
	LeaderRecovery bool
	// NewTopicID draws a random topic id for a topic created without one. It is
	// the only thing a Step takes from outside; the shell seeds it.
	NewTopicID func() TopicID
	// Changed is told of every step of the partition and replica machines, for
	// the log; nil for nobody. It must not keep the ISR.
	Changed func(Change)
}

// State is one broker's controller. Only Step changes it.
type State struct {
	cfg Config
	now time.Time
	out Effects

	prog  program
	batch batch

	// controller is who /controller names, -1 for nobody.
	controller int32
	// vacant is set while /controller does not exist.
	vacant bool
	// epoch is the controller epoch won, fence the data version of
	// /controller_epoch at that time; both 0 while not active.
	epoch int32
	fence int32

	// brokers are the registered ones, those shutting down included.
	brokers map[int32]*Broker
	// shuttingDown asked for a controlled shutdown and are still registered.
	shuttingDown map[int32]bool
	// offline holds the replicas in failed log directories, per broker.
	offline map[int32]map[*partition]bool

	topics map[string]*topic
	ids    map[TopicID]*topic
	// deleting maps a topic queued for deletion to how far it is.
	deleting map[string]*deletion
	// unclean counts elections of leaders from outside the ISR, for good.
	unclean int64
	// features are the finalized ones of /feature.
	features map[string]int16
}

// New returns a controller that has not started.
func New(cfg Config) *State {
	must.Hold(cfg.NewTopicID != nil, "Config.NewTopicID is missing")
	s := &State{cfg: cfg, controller: -1}
	s.reset()
	return s
}

// reset forgets the cluster, as a resignation does.
func (s *State) reset() {
	s.epoch, s.fence = 0, 0
	s.brokers = map[int32]*Broker{}
	s.shuttingDown = map[int32]bool{}
	s.offline = map[int32]map[*partition]bool{}
	s.topics = map[string]*topic{}
	s.ids = map[TopicID]*topic{}
	s.deleting = map[string]*deletion{}
	s.features = map[string]int16{}
	s.batch.clear()
}

// Active reports whether this broker is the controller.
func (s *State) Active() bool { return s.controller == s.cfg.BrokerID }

// Epoch returns the controller epoch, 0 while not active.
func (s *State) Epoch() int32 { return s.epoch }

// live reports whether a broker is registered and not shutting down.
func (s *State) live(id int32) bool { return s.brokers[id] != nil && !s.shuttingDown[id] }

// registered returns the ids of all registered brokers, sorted.
func (s *State) registered() []int32 { return slices.Sorted(maps.Keys(s.brokers)) }

// online reports whether a replica can serve.
func (s *State) online(p *partition, broker int32) bool {
	return s.live(broker) && !s.offline[broker][p]
}

// reachable is online, counting brokers that are shutting down too.
func (s *State) reachable(p *partition, broker int32) bool {
	return s.brokers[broker] != nil && !s.offline[broker][p]
}

func (s *State) onlineOf(p *partition, ids []int32) []int32 {
	var out []int32
	for _, id := range ids {
		if s.online(p, id) {
			out = append(out, id)
		}
	}
	return out
}

// topicNames returns the names of all topics, sorted.
func (s *State) topicNames() []string { return slices.Sorted(maps.Keys(s.topics)) }

// partitions returns all partitions that keep says yes to, in order.
func (s *State) partitions(keep func(*partition) bool) []*partition {
	var out []*partition
	for _, name := range s.topicNames() {
		for _, p := range s.topics[name].parts {
			if keep == nil || keep(p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// partition looks one up, nil when unknown.
func (s *State) partition(tp TopicPartition) *partition {
	t := s.topics[tp.Topic]
	if t == nil {
		return nil
	}
	return t.find(tp.Partition)
}

// replicasOn returns the replicas that brokers hold, in partition order.
func (s *State) replicasOn(brokers ...int32) []replicaOf {
	var out []replicaOf
	for _, p := range s.partitions(nil) {
		for _, id := range brokers {
			if p.holds(id) {
				out = append(out, replicaOf{p, id})
			}
		}
	}
	return out
}

// replicas returns every replica of partitions.
func replicas(ps []*partition) []replicaOf {
	var out []replicaOf
	for _, p := range ps {
		for _, id := range p.assignment.Replicas {
			out = append(out, replicaOf{p, id})
		}
	}
	return out
}

// queued reports whether a topic is queued for deletion.
func (s *State) queued(topic string) bool { return s.deleting[topic] != nil }

// addTopic puts a topic into the context.
func (s *State) addTopic(name string, id TopicID) *topic {
	t := &topic{name: name, id: id}
	s.topics[name] = t
	if id != (TopicID{}) {
		s.ids[id] = t
	}
	return t
}

// dropTopic forgets a topic and all its partitions.
func (s *State) dropTopic(name string) {
	t := s.topics[name]
	delete(s.deleting, name)
	if t == nil {
		return
	}
	delete(s.topics, name)
	delete(s.ids, t.id)
	for _, set := range s.offline {
		for _, p := range t.parts {
			delete(set, p)
		}
	}
}

func sortParts(ps []*partition) {
	slices.SortFunc(ps, comparePartitions)
}

func comparePartitions(a, b *partition) int {
	return cmp.Or(cmp.Compare(a.topic.name, b.topic.name), cmp.Compare(a.id, b.id))
}
