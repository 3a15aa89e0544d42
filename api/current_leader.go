package api

import (
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// currentLeader says whom a client should ask instead of this broker, and where
// that one listens (KIP-951: Produce from version 10, Fetch from version 16).
type currentLeader struct {
	id, epoch int32 // -1 when unknown
	node      *leaderNode
}

// leaderNode is the leader on the client's listener; there is none when it is
// not live or does not listen there.
type leaderNode struct {
	metadata.Endpoint
	rack *string
}

// currentLeader looks a partition up by the name of its topic or, where that is
// not known, by the topic's id. A change of leaders reaches the replicas before
// the cluster's picture, and it is then that clients ask.
func (b *Broker) currentLeader(listener, name string, id wire.UUID, partition int32) currentLeader {
	image := b.Metadata.Image()
	topic := image.Topic(name)
	if topic == nil {
		topic = image.TopicByID(id)
	}
	if topic == nil {
		return currentLeader{id: metadata.NoLeader, epoch: -1}
	}
	part, ok := topic.Partition(partition)
	if !ok {
		return currentLeader{id: metadata.NoLeader, epoch: -1}
	}
	out := currentLeader{id: part.Leader, epoch: part.LeaderEpoch}
	if leader, epoch, ok := b.Replicas.Leadership(topic.Name, partition); ok && epoch > out.epoch {
		out.id, out.epoch = leader, epoch
	}
	if leader, ok := image.Broker(out.id); ok {
		if e, ok := leader.Endpoint(listener); ok {
			out.node = &leaderNode{Endpoint: e, rack: leader.Rack}
		}
	}
	return out
}
