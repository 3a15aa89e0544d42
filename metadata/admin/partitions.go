package admin

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// MorePartitions asks for partitions of a topic to be added.
type MorePartitions struct {
	Topic string
	// Count is how many the topic shall have.
	Count int
	// Assignment holds the replicas of the new ones in order; nil to spread them.
	Assignment   [][]int32
	ValidateOnly bool
}

// CreatePartitions adds partitions to a topic's node and returns the whole
// assignment. Unlike Kafka's write, this one fails when somebody else changes
// the node meanwhile; it is then tried again.
func (a *Admin) CreatePartitions(ctx context.Context, m MorePartitions, brokers []Broker) (map[int32][]int32, error) {
	switch dying, err := a.marked(ctx, m.Topic); {
	case err != nil:
		return nil, err
	case dying:
		return nil, refuse(wire.CodeInvalidTopicException, "The topic is queued for deletion.")
	}
	for {
		n, stat, found, err := a.readTopic(ctx, m.Topic)
		switch {
		case err != nil:
			return nil, err
		case !found:
			return nil, refuse(wire.CodeUnknownTopicOrPartition, "The topic '%s' does not exist.", m.Topic)
		}
		added, err := a.assignMore(n, m, brokers)
		if err != nil {
			return nil, err
		}
		all := map[int32][]int32{}
		for p, replicas := range added {
			n.Partitions[p] = znode.Replicas{Replicas: replicas}
		}
		for p, r := range n.Partitions {
			all[p] = r.Replicas
		}
		if m.ValidateOnly {
			return all, nil
		}
		if n.ID != (wire.UUID{}) {
			n.Version = 0 // the newest, which keeps the id
		}
		if _, err = a.calls.Set(ctx, znode.TopicPath(m.Topic), n.Encode(), stat.Version); err == nil {
			return all, nil
		} else if !errors.Is(err, zk.ErrBadVersion) {
			return nil, err
		}
		if same, err := a.already(ctx, m.Topic, added); err != nil || same {
			return all, err
		}
	}
}

// already reports whether a refused write happened all the same, sent twice
// over a lost connection.
func (a *Admin) already(ctx context.Context, topic string, added map[int32][]int32) (bool, error) {
	n, _, found, err := a.readTopic(ctx, topic)
	if err != nil || !found {
		return false, err
	}
	for p, replicas := range added {
		if !slices.Equal(n.Partitions[p].Replicas, replicas) {
			return false, nil
		}
	}
	return true, nil
}

// assignMore returns the replicas of the partitions to add.
func (a *Admin) assignMore(n znode.Topic, m MorePartitions, brokers []Broker) (map[int32][]int32, error) {
	have := len(n.Partitions)
	first, ok := n.Partitions[0]
	switch reassigning := slices.ContainsFunc(slices.Collect(maps.Values(n.Partitions)), func(r znode.Replicas) bool {
		return len(r.Adding)+len(r.Removing) > 0
	}); {
	case reassigning:
		return nil, refuse(wire.CodeReassignmentInProgress, "A partition reassignment is in progress for the topic '%s'.", m.Topic)
	case have > m.Count:
		return nil, refuse(wire.CodeInvalidPartitions, "Topic currently has %d partitions, which is higher than the requested %d.", have, m.Count)
	case have == m.Count:
		return nil, refuse(wire.CodeInvalidPartitions, "Topic already has %d partitions.", have)
	case m.Count > a.limit:
		return nil, refuse(wire.CodeInvalidPartitions, "%d partitions are more than the %d allowed", m.Count, a.limit)
	case !ok || len(first.Replicas) == 0:
		return nil, refuse(wire.CodeUnknownServerError, "Unexpected existing replica assignment for topic '%s', partition id 0 is missing.", m.Topic)
	}
	if m.Assignment != nil {
		return manual(m, have, len(first.Replicas), brokers)
	}
	brokers = slices.SortedFunc(slices.Values(brokers), func(x, y Broker) int { return int(x.ID) - int(y.ID) })
	start := max(0, slices.IndexFunc(brokers, func(b Broker) bool { return b.ID >= first.Replicas[0] }))
	return Assign(brokers, m.Count-have, len(first.Replicas), Spread{Start: start, Shift: start, Partition: have})
}

// manual checks replicas that the client chose.
func manual(m MorePartitions, have, factor int, brokers []Broker) (map[int32][]int32, error) {
	out := map[int32][]int32{}
	for i, replicas := range m.Assignment {
		for _, id := range replicas {
			if !slices.ContainsFunc(brokers, func(b Broker) bool { return b.ID == id }) {
				return nil, refuse(wire.CodeInvalidReplicaAssignment, "Unknown broker(s) in replica assignment: %d.", id)
			}
		}
		out[int32(have+i)] = replicas
	}
	if len(m.Assignment) != m.Count-have {
		return nil, refuse(wire.CodeInvalidReplicaAssignment,
			"Increasing the number of partitions by %d but %d assignments provided.", m.Count-have, len(m.Assignment))
	}
	for i, replicas := range m.Assignment {
		switch {
		case len(replicas) == 0:
			return nil, refuse(wire.CodeInvalidReplicaAssignment, "Cannot have replication factor of 0 for partition id %d.", have+i)
		case duplicates(replicas):
			return nil, refuse(wire.CodeInvalidReplicaAssignment, "Duplicate brokers not allowed in replica assignment: %s for partition id %d.", javaList(replicas), have+i)
		case len(replicas) != factor:
			return nil, refuse(wire.CodeInvalidReplicaAssignment,
				"Inconsistent replication factor between partitions, partition 0 has %d while partitions [%d] have replication factors [%d], respectively.",
				factor, have+i, len(replicas))
		}
	}
	return out, nil
}
