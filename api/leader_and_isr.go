package api

import (
	"slices"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/wire"
)

// LeaderAndIsr v0-7, StopReplica v0-4 and UpdateMetadata v0-8: what the
// controller tells a broker. Every version is accepted: the sender's
// inter.broker.protocol.version alone decides which one comes.

// leaderAndIsrByTopic is the first version that answers topic by topic.
const leaderAndIsrByTopic = 5

func (b *Broker) leaderAndIsr(c *context, req *wire.LeaderAndIsrRequest) {
	// A new log is opened with its topic's settings, as Kafka does it.
	var topics []string
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		if slices.ContainsFunc(t.PartitionStates, func(p wire.LeaderAndIsrRequestPartitionState) bool { return p.IsNew }) {
			topics = append(topics, t.TopicName)
		}
	}
	if len(topics) > 0 {
		b.Refresh(topics)
	}
	resp := b.Replicas.LeaderAndIsr(req)
	if c.version() < leaderAndIsrByTopic {
		resp.Topics = nil
	} else {
		resp.PartitionErrors = nil
	}
	c.Reply(resp)
}

func (b *Broker) stopReplica(c *context, req *wire.StopReplicaRequest) {
	stops := stopsOf(req)
	resp := wire.NewStopReplicaResponse()
	code, codes := b.Replicas.StopReplica(req.ControllerEpoch, req.BrokerEpoch, stops)
	resp.ErrorCode = code
	for i, s := range stops {
		if codes != nil {
			resp.PartitionErrors = append(resp.PartitionErrors, wire.StopReplicaResponsePartitionError{
				TopicName: s.Topic, PartitionIndex: s.Partition, ErrorCode: codes[i]})
		}
	}
	c.Reply(resp)
}

// stopsOf reads the partitions in the three forms that the versions have.
func stopsOf(req *wire.StopReplicaRequest) []replica.Stop {
	var out []replica.Stop
	const noEpoch = -1
	for _, p := range req.UngroupedPartitions {
		out = append(out, replica.Stop{Topic: p.TopicName, Partition: p.PartitionIndex, LeaderEpoch: noEpoch, Delete: req.DeletePartitions})
	}
	for _, t := range req.Topics {
		for _, index := range t.PartitionIndexes {
			out = append(out, replica.Stop{Topic: t.Name, Partition: index, LeaderEpoch: noEpoch, Delete: req.DeletePartitions})
		}
	}
	for _, t := range req.TopicStates {
		for _, p := range t.PartitionStates {
			out = append(out, replica.Stop{Topic: t.TopicName, Partition: p.PartitionIndex, LeaderEpoch: p.LeaderEpoch, Delete: p.DeletePartition})
		}
	}
	return out
}

func (b *Broker) updateMetadata(c *context, req *wire.UpdateMetadataRequest) {
	resp := wire.NewUpdateMetadataResponse()
	var gone []metadata.Gone
	resp.ErrorCode = b.Replicas.Admit(req.ControllerEpoch, req.BrokerEpoch, func() wire.Code {
		var err error
		gone, err = b.Metadata.Apply(req)
		return Code(err)
	})
	if len(gone) > 0 {
		b.forget(gone)
	}
	c.Reply(resp)
}

// forget lets the group coordinator drop the offsets of deleted partitions.
func (b *Broker) forget(gone []metadata.Gone) {
	var topics []group.TopicPartitions
	for _, g := range gone {
		if last := len(topics) - 1; last < 0 || topics[last].Topic != g.Topic {
			topics = append(topics, group.TopicPartitions{Topic: g.Topic})
		}
		t := &topics[len(topics)-1]
		t.Partitions = append(t.Partitions, g.Partition)
	}
	b.Groups.OnPartitionsDeleted(topics)
}
