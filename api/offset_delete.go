package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// OffsetDelete v0 (KIP-496). The group is asked even when no partition of the
// request exists, because an error of the group hides those of partitions.

func (b *Broker) offsetDelete(c *context, req *wire.OffsetDeleteRequest) {
	resp := wire.NewOffsetDeleteResponse()
	topics := make([]wire.OffsetDeleteResponseTopic, len(req.Topics))
	del := group.DeleteOffsets{Group: req.GroupID}
	var slots partitionSlots
	for i, t := range req.Topics {
		out := &topics[i]
		// The capacity keeps the slots where they are.
		out.Name, out.Partitions = t.Name, make([]wire.OffsetDeleteResponsePartition, 0, len(t.Partitions))
		valid := group.TopicPartitions{Topic: t.Name}
		seen := map[int32]bool{}
		for _, p := range t.Partitions {
			if seen[p.PartitionIndex] {
				continue // the answer names a partition once
			}
			seen[p.PartitionIndex] = true
			out.Partitions = append(out.Partitions, wire.OffsetDeleteResponsePartition{PartitionIndex: p.PartitionIndex})
			answer := &out.Partitions[len(out.Partitions)-1]
			if !b.exists(t.Name, p.PartitionIndex) {
				answer.ErrorCode = wire.CodeUnknownTopicOrPartition
				continue
			}
			slots = append(slots, &answer.ErrorCode)
			valid.Partitions = append(valid.Partitions, p.PartitionIndex)
		}
		if len(valid.Partitions) > 0 {
			del.Topics = append(del.Topics, valid)
		}
	}
	b.Groups.DeleteOffsets(del, func(r group.DeleteOffsetsReply) {
		if resp.ErrorCode = r.Code; r.Code == wire.CodeNone {
			slots.fill(r.Topics)
			resp.Topics = topics
		}
		c.Reply(resp)
	})
}
