package decide

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/znode"
)

// NoLeader is the leader id of a partition without one.
const NoLeader int32 = -1

// Leader and epoch values that brokers understand as "this topic is going".
const (
	leaderDuringDelete int32 = -2 // UpdateMetadata: drop the partition
	epochDuringDelete  int32 = -2 // StopReplica: no epoch check
	noEpoch            int32 = -1 // StopReplica: leadership unknown
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns topic-partition, as Kafka's logs do.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

func compareTP(a, b TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// Broker is a registered broker.
type Broker struct {
	ID int32
	// Epoch is the czxid of /brokers/ids/N: it grows with every registration.
	Epoch     int64
	Endpoints []znode.Endpoint
	// Rack is nil when broker.rack is unset.
	Rack *string
	// Features are the supported ones.
	Features map[string]znode.VersionRange
}

// Assignment says which brokers hold a partition (KIP-455).
type Assignment struct {
	// Replicas is all of them: while reassigning, the target ones first, then
	// those that will go.
	Replicas []int32
	// Adding and Removing are empty unless a reassignment is under way.
	Adding, Removing []int32
}

// Reassigning reports whether a reassignment is under way.
func (a Assignment) Reassigning() bool { return len(a.Adding) > 0 || len(a.Removing) > 0 }

// Target returns the replicas as they will be.
func (a Assignment) Target() []int32 { return without(a.Replicas, a.Removing) }

// Origin returns the replicas as they were before the reassignment.
func (a Assignment) Origin() []int32 { return without(a.Replicas, a.Adding) }

// ReassignTo returns the assignment that moves towards target.
func (a Assignment) ReassignTo(target []int32) Assignment {
	origin := a.Origin()
	return Assignment{
		Replicas: slices.Concat(target, without(origin, target)),
		Adding:   without(target, origin),
		Removing: without(origin, target),
	}
}

func (a Assignment) equal(b Assignment) bool {
	return slices.Equal(a.Replicas, b.Replicas) && slices.Equal(a.Adding, b.Adding) && slices.Equal(a.Removing, b.Removing)
}

// Leadership is the content of a partition's state znode.
type Leadership struct {
	Leader      int32
	LeaderEpoch int32
	ISR         []int32
	// Recovering is set by an unclean election until the leader is done with it.
	Recovering bool
	// PartitionEpoch is the znode's data version: the expected version of the
	// next write.
	PartitionEpoch int32
	// ControllerEpoch is that of the controller which wrote it.
	ControllerEpoch int32
}

// next returns l with another leader and ISR, one leader epoch on.
func (l Leadership) next(leader int32, isr []int32) Leadership {
	l.Leader, l.ISR = leader, isr
	l.LeaderEpoch++
	return l
}

// sameDecision ignores who wrote it and at which version.
func (l Leadership) sameDecision(o Leadership) bool {
	return l.Leader == o.Leader && l.LeaderEpoch == o.LeaderEpoch && slices.Equal(l.ISR, o.ISR) && l.Recovering == o.Recovering
}

// topic is one topic of the context.
type topic struct {
	name string
	id   TopicID
	// parts is in partition order.
	parts []*partition
}

func (t *topic) find(id int32) *partition {
	i, ok := slices.BinarySearchFunc(t.parts, id, func(p *partition, id int32) int { return cmp.Compare(p.id, id) })
	if !ok {
		return nil
	}
	return t.parts[i]
}

// ensure returns the partition, adding it when it is new.
func (t *topic) ensure(id int32) *partition {
	i, ok := slices.BinarySearchFunc(t.parts, id, func(p *partition, id int32) int { return cmp.Compare(p.id, id) })
	if !ok {
		t.parts = slices.Insert(t.parts, i, &partition{
			topic: t, id: id, state: NonExistentPartition, replicas: map[int32]ReplicaState{},
		})
	}
	return t.parts[i]
}

// partition is one partition of the context.
type partition struct {
	topic      *topic
	id         int32
	state      PartitionState
	assignment Assignment
	// lead is nil until the state znode is known to exist.
	lead *Leadership
	// replicas holds the states of the replica state machine; absent means
	// NonExistentReplica.
	replicas map[int32]ReplicaState
	// reassigning stays set until the reassignment's last step.
	reassigning bool
}

func (p *partition) tp() TopicPartition { return TopicPartition{p.topic.name, p.id} }

// leader returns the leader's id, NoLeader when unknown.
func (p *partition) leader() int32 {
	if p.lead == nil {
		return NoLeader
	}
	return p.lead.Leader
}

func (p *partition) holds(broker int32) bool { return slices.Contains(p.assignment.Replicas, broker) }

// replicaOf is one replica of a partition: the thing the replica machine moves.
type replicaOf struct {
	p      *partition
	broker int32
}

func (r replicaOf) String() string { return fmt.Sprintf("%s on %d", r.p.tp(), r.broker) }

// without returns the elements of a that are not in b, in a's order.
func without(a, b []int32) []int32 {
	var out []int32
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func subset(a, b []int32) bool { return len(without(a, b)) == 0 }
