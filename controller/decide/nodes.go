package decide

import (
	"maps"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

func pathPartition(tp TopicPartition) string { return znode.PartitionPath(tp.Topic, tp.Partition) }
func pathState(tp TopicPartition) string     { return znode.StatePath(tp.Topic, tp.Partition) }

func pathTopicConfig(name string) string {
	return znode.EntityConfigPath(znode.Entity{Topic: znode.Named(name)})
}

// fencedCreate makes a persistent node under the controller's fence.
func fencedCreate(path string, data []byte) Op {
	return Op{Kind: OpCreate, Path: path, Data: data, Fence: true}
}

func encodeState(l Leadership) []byte {
	return znode.PartitionState{
		Leader: l.Leader, LeaderEpoch: l.LeaderEpoch, ISR: l.ISR, ControllerEpoch: l.ControllerEpoch, Recovering: l.Recovering,
	}.Encode()
}

func decodeState(path string, r Result) (Leadership, error) {
	n, err := znode.DecodePartitionState(path, r.Data)
	return Leadership{
		Leader: n.Leader, LeaderEpoch: n.LeaderEpoch, ISR: n.ISR, Recovering: n.Recovering,
		PartitionEpoch: r.Stat.Version, ControllerEpoch: n.ControllerEpoch,
	}, err
}

func encodeController(id int32, now time.Time) []byte {
	return znode.Controller{BrokerID: id, Timestamp: now.UnixMilli(), KRaftEpoch: znode.NoKRaftEpoch}.Encode()
}

// decodeBroker reads a registration; its czxid is the broker epoch.
func decodeBroker(id int32, data []byte, stat zk.Stat) (*Broker, error) {
	n, err := znode.DecodeBroker(znode.BrokerPath(id), data)
	if err != nil {
		return nil, err
	}
	return &Broker{ID: id, Epoch: stat.Czxid, Endpoints: n.Endpoints, Rack: n.Rack, Features: n.Features}, nil
}

// topicNode is a topic's node as read, with its data version.
type topicNode struct {
	znode.Topic
	version int32
}

// order returns the partitions' numbers, sorted.
func (n *topicNode) order() []int32 { return slices.Sorted(maps.Keys(n.Partitions)) }

// uncleanKey is the topic config that decides about leaders from outside the ISR.
const uncleanKey = "unclean.leader.election.enable"

// decodeUnclean returns a topic's own setting; ok is false when it has none.
func decodeUnclean(path string, data []byte) (value, ok bool) {
	config, err := znode.DecodeConfig(path, data)
	if err != nil {
		return false, false
	}
	v, ok := config[uncleanKey]
	return v == "true", ok
}

func encodeReassignments(items []Reassignment) []byte {
	list := make([]znode.Reassignment, len(items))
	for i, r := range items {
		list[i] = znode.Reassignment{TopicPartition: znode.TopicPartition(r.TopicPartition), Replicas: r.Target}
	}
	return znode.EncodeReassignments(list)
}

func decodeReassignments(data []byte) ([]Reassignment, error) {
	list, err := znode.DecodeReassignments(znode.ReassignPath, data)
	items := make([]Reassignment, len(list))
	for i, r := range list {
		items[i] = Reassignment{TopicPartition: TopicPartition(r.TopicPartition), Target: r.Replicas}
	}
	return items, err
}
