package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// OffsetFetch v0-9. Version 0 reads from ZooKeeper, and an offset that is not
// there is an error only then. From v2 null asks for all topics and errors of
// the group stand at the top; v1 has no such place, and Kafka answers an empty
// list that tells nothing, so here every partition carries the code. From v7
// offsets of open transactions can be waited for (KIP-447); v8 asks for several
// groups (KIP-709), v9 names a member of the groups of KIP-848, which a
// ZooKeeper cluster has none of.

const (
	topLevelCode = 2 // first version with a code of the group
	manyGroups   = 8 // first version with several groups
)

func (b *Broker) offsetFetch(c *context, req *wire.OffsetFetchRequest) {
	if c.version() == 0 {
		b.fetchOld(c, req)
		return
	}
	b.Groups.Fetch(fetchesOf(c.version(), req), func(replies []group.FetchReply) {
		if c.version() >= manyGroups {
			c.Reply(fetchGroupsResponse(replies))
			return
		}
		c.Reply(fetchGroupResponse(c.version(), req, replies[0]))
	})
}

func fetchesOf(version int16, req *wire.OffsetFetchRequest) []group.Fetch {
	if version < manyGroups {
		f := group.Fetch{Group: req.GroupID, RequireStable: req.RequireStable}
		if req.Topics != nil {
			f.Topics = make([]group.TopicPartitions, len(req.Topics))
		}
		for i, t := range req.Topics {
			f.Topics[i] = group.TopicPartitions{Topic: t.Name, Partitions: t.PartitionIndexes}
		}
		return []group.Fetch{f}
	}
	out := make([]group.Fetch, len(req.Groups))
	for i, g := range req.Groups {
		out[i] = group.Fetch{Group: g.GroupID, RequireStable: req.RequireStable}
		if g.Topics != nil {
			out[i].Topics = make([]group.TopicPartitions, len(g.Topics))
		}
		for j, t := range g.Topics {
			out[i].Topics[j] = group.TopicPartitions{Topic: t.Name, Partitions: t.PartitionIndexes}
		}
	}
	return out
}

func fetchGroupsResponse(replies []group.FetchReply) *wire.OffsetFetchResponse {
	resp := wire.NewOffsetFetchResponse()
	resp.Groups = make([]wire.OffsetFetchResponseGroup, len(replies))
	for i, r := range replies {
		out := &resp.Groups[i]
		out.GroupID, out.ErrorCode = r.Group, r.Code
		out.Topics = make([]wire.OffsetFetchResponseTopics, len(r.Topics))
		for j, t := range r.Topics {
			out.Topics[j] = wire.OffsetFetchResponseTopics{Name: t.Topic, Partitions: make([]wire.OffsetFetchResponsePartitions, len(t.Partitions))}
			for k, p := range t.Partitions {
				out.Topics[j].Partitions[k] = wire.OffsetFetchResponsePartitions{
					PartitionIndex: p.Partition, CommittedOffset: p.Offset, CommittedLeaderEpoch: p.LeaderEpoch,
					Metadata: new(p.Metadata), ErrorCode: p.Code}
			}
		}
	}
	return resp
}

func fetchGroupResponse(version int16, req *wire.OffsetFetchRequest, r group.FetchReply) *wire.OffsetFetchResponse {
	resp := wire.NewOffsetFetchResponse()
	resp.ErrorCode = r.Code
	topics := r.Topics
	if version < topLevelCode && r.Code != wire.CodeNone {
		topics = sameError(req, r.Code)
	}
	resp.Topics = make([]wire.OffsetFetchResponseTopic, len(topics))
	for i, t := range topics {
		out := &resp.Topics[i]
		out.Name, out.Partitions = t.Topic, make([]wire.OffsetFetchResponsePartition, len(t.Partitions))
		for j, p := range t.Partitions {
			out.Partitions[j] = wire.OffsetFetchResponsePartition{
				PartitionIndex: p.Partition, CommittedOffset: p.Offset, CommittedLeaderEpoch: p.LeaderEpoch,
				Metadata: new(p.Metadata), ErrorCode: p.Code}
		}
	}
	return resp
}

// sameError answers every partition asked for with one code.
func sameError(req *wire.OffsetFetchRequest, code wire.Code) []group.TopicOffsets {
	out := make([]group.TopicOffsets, len(req.Topics))
	for i, t := range req.Topics {
		out[i] = group.TopicOffsets{Topic: t.Name, Partitions: make([]group.PartitionOffset, len(t.PartitionIndexes))}
		for j, p := range t.PartitionIndexes {
			out[i].Partitions[j] = group.PartitionOffset{Partition: p, Offset: -1, LeaderEpoch: -1, Code: code}
		}
	}
	return out
}

// fetchOld reads from ZooKeeper. Partitions that this broker does not know are
// not looked up.
func (b *Broker) fetchOld(c *context, req *wire.OffsetFetchRequest) {
	reply := group.FetchReply{Topics: sameError(req, wire.CodeUnknownTopicOrPartition)}
	var offsets []OldOffset
	var slots []*group.PartitionOffset
	for i := range reply.Topics {
		t := &reply.Topics[i]
		for j := range t.Partitions {
			if p := &t.Partitions[j]; b.exists(t.Topic, p.Partition) {
				slots = append(slots, p)
				offsets = append(offsets, OldOffset{Topic: t.Topic, Partition: p.Partition})
			}
		}
	}
	if len(offsets) == 0 {
		c.Reply(fetchGroupResponse(0, req, reply))
		return
	}
	b.OldOffsets.Fetch(req.GroupID, offsets, func(results []OldOffset) {
		for i, r := range results {
			if slots[i].Code = Code(r.Err); r.Err == nil {
				slots[i].Offset = r.Offset // as committed, even below 0
			}
		}
		c.Reply(fetchGroupResponse(0, req, reply))
	})
}
