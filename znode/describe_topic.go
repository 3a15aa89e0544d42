package znode

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// tellTopic tells of topics, their partitions and what is asked to be done with
// them.
func (n Node) tellTopic(f *facts, path string, data []byte) (known bool, err error) {
	switch n.Kind {
	case TopicNode:
		var t Topic
		if t, err = DecodeTopic(path, data); err == nil {
			t.tell(f)
		}
	case OldTopicBroker:
		var count int32
		if count, err = DecodeControllerEpoch(path, data); err == nil { // the same format
			f.add("partitions", "%d", count)
		}
	case StateNode:
		var s PartitionState
		if s, err = DecodePartitionState(path, data); err == nil {
			s.tell(f)
		}
	case ReassignNode:
		var list []Reassignment
		list, err = DecodeReassignments(path, data)
		for _, r := range list {
			f.add(r.words(), "to brokers %s", brokers(r.Replicas))
		}
	case PreferredElectNode, ISRChangeNode:
		var list []TopicPartition
		list, err = DecodePartitions(path, data)
		for _, tp := range list {
			f.add("partition", "%s", tp.words())
		}
	case EntityConfigNode:
		var c map[string]string
		if c, err = DecodeConfig(path, data); err == nil {
			f.settings(c)
		}
	case ConfigChangeNode:
		var e Entity
		if e, err = DecodeConfigChange(path, data); err == nil {
			f.add("of", "%s", e.words())
		}
	default:
		return false, nil
	}
	return true, err
}

func (p TopicPartition) words() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

func (t Topic) tell(f *facts) {
	if t.ID == (wire.UUID{}) {
		f.add("id", "none: the controller will give one")
	} else {
		f.add("id", "%s", t.ID)
	}
	for _, p := range slices.Sorted(maps.Keys(t.Partitions)) {
		r := t.Partitions[p]
		words := "brokers " + brokers(r.Replicas)
		if len(r.Adding) > 0 {
			words += "; adding " + brokers(r.Adding)
		}
		if len(r.Removing) > 0 {
			words += "; removing " + brokers(r.Removing)
		}
		f.add(fmt.Sprintf("partition %d", p), "%s", words)
	}
}

// leaderDuringDelete is LeaderAndIsr.LeaderDuringDelete.
const leaderDuringDelete = -2

func (s PartitionState) tell(f *facts) {
	switch {
	case s.Leader == leaderDuringDelete:
		f.add("leader", "none: the topic is being deleted")
	case s.Leader < 0:
		f.add("leader", "none")
	default:
		f.add("leader", "%d", s.Leader)
	}
	f.add("leader epoch", "%d", s.LeaderEpoch)
	f.add("in sync", "%s", brokers(s.ISR))
	f.add("controller epoch", "%d", s.ControllerEpoch)
	if s.Recovering {
		f.add("recovering", "yes: the leader was elected uncleanly")
	}
}
