package api

import (
	"unicode/utf16"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// OffsetCommit v0-9. Version 0 stores in ZooKeeper, version 1 may carry the time
// of the commit, versions 2 to 4 their own retention, 6 and later the leader
// epoch (KIP-320), 7 and later static members (KIP-345). Offsets of partitions
// that this broker does not know are refused one by one; the others go on.

func (b *Broker) offsetCommit(c *context, req *wire.OffsetCommitRequest) {
	resp := wire.NewOffsetCommitResponse()
	resp.Topics = make([]wire.OffsetCommitResponseTopic, len(req.Topics))
	refused := b.staticRefused(req.GroupInstanceID)
	commit := group.Commit{
		Group: req.GroupID, Member: req.MemberID, Instance: req.GroupInstanceID,
		Generation: req.GenerationIDOrMemberEpoch, RetentionMs: req.RetentionTimeMs,
	}
	var slots partitionSlots
	for i, t := range req.Topics {
		out := &resp.Topics[i]
		out.Name, out.Partitions = t.Name, make([]wire.OffsetCommitResponsePartition, len(t.Partitions))
		valid := group.CommitTopic{Topic: t.Name}
		for j, p := range t.Partitions {
			answer := &out.Partitions[j]
			answer.PartitionIndex = p.PartitionIndex
			switch {
			case refused:
				answer.ErrorCode = wire.CodeUnsupportedVersion
			case !b.exists(t.Name, p.PartitionIndex):
				answer.ErrorCode = wire.CodeUnknownTopicOrPartition
			default:
				slots = append(slots, &answer.ErrorCode)
				valid.Partitions = append(valid.Partitions, group.CommitPartition{
					Partition: p.PartitionIndex, Offset: p.CommittedOffset, LeaderEpoch: p.CommittedLeaderEpoch,
					Metadata: orEmpty(p.CommittedMetadata), Timestamp: p.CommitTimestamp})
			}
		}
		if len(valid.Partitions) > 0 {
			commit.Topics = append(commit.Topics, valid)
		}
	}
	switch {
	case len(slots) == 0:
		c.Reply(resp)
	case c.version() == 0:
		b.commitOld(commit, slots, func() { c.Reply(resp) })
	default:
		b.Groups.Commit(commit, func(r group.CommitReply) {
			slots.fill(r.Topics)
			c.Reply(resp)
		})
	}
}

// javaLength is the length of a string as Java counts it.
func javaLength(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// commitOld stores in ZooKeeper what is not refused for its metadata, which
// ZooKeeper does not keep.
func (b *Broker) commitOld(commit group.Commit, slots partitionSlots, done func()) {
	limit := int(b.Settings.Broker().Int("offset.metadata.max.bytes"))
	var offsets []OldOffset
	var stored partitionSlots
	i := 0
	for _, t := range commit.Topics {
		for _, p := range t.Partitions {
			if javaLength(p.Metadata) > limit {
				*slots[i] = wire.CodeOffsetMetadataTooLarge
			} else {
				stored = append(stored, slots[i])
				offsets = append(offsets, OldOffset{Topic: t.Topic, Partition: p.Partition, Offset: p.Offset})
			}
			i++
		}
	}
	if len(offsets) == 0 {
		done()
		return
	}
	b.OldOffsets.Commit(commit.Group, offsets, func(results []OldOffset) {
		for i, r := range results {
			*stored[i] = Code(r.Err)
		}
		done()
	})
}
