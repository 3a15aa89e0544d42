package api

import (
	"testing"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// commitRequest commits two partitions that exist and two that do not.
func commitRequest(v int16) *wire.OffsetCommitRequest {
	req := wire.NewOffsetCommitRequest()
	req.GroupID = "g"
	partition := func(index int32, offset int64) wire.OffsetCommitRequestPartition {
		p := wire.NewOffsetCommitRequestPartition()
		p.PartitionIndex, p.CommittedOffset, p.CommittedMetadata = index, offset, nil
		return p
	}
	req.Topics = []wire.OffsetCommitRequestTopic{
		{Name: "gone", Partitions: []wire.OffsetCommitRequestPartition{partition(0, 1)}},
		{Name: "t", Partitions: []wire.OffsetCommitRequestPartition{partition(0, 10), partition(7, 2), partition(1, 11)}},
	}
	p := &req.Topics[1].Partitions[2]
	p.CommittedMetadata = new("mark")
	if v == 1 {
		p.CommitTimestamp = 99
	}
	if v >= 6 {
		p.CommittedLeaderEpoch = 5
	}
	return req
}

// commitCodes are the codes of the partitions of commitRequest in its order.
func commitCodes(resp *wire.OffsetCommitResponse) []wire.Code {
	var out []wire.Code
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out = append(out, p.ErrorCode)
		}
	}
	return out
}

func TestOffsetCommit(t *testing.T) {
	every(t, wire.KeyOffsetCommit, func(v int16) {
		if v == 0 {
			return
		}
		b := newBench(t)
		b.groups.reply = group.CommitReply{Topics: []group.TopicCodes{{Topic: "t", Partitions: []group.PartitionCode{{Partition: 0}, {Partition: 1, Code: wire.CodeOffsetMetadataTooLarge}}}}}
		req := commitRequest(v)
		req.MemberID, req.GenerationIDOrMemberEpoch, req.GroupInstanceID = "m", 4, since(v, 7, new("i"))
		if v >= 2 && v <= 4 {
			req.RetentionTimeMs = 1000
		}
		resp := ask[*wire.OffsetCommitResponse](b, v, req)
		want := group.Commit{
			Group: "g", Member: "m", Generation: 4, Instance: req.GroupInstanceID, RetentionMs: req.RetentionTimeMs,
			Topics: []group.CommitTopic{{Topic: "t", Partitions: []group.CommitPartition{
				{Partition: 0, Offset: 10, LeaderEpoch: -1, Timestamp: -1},
				{Partition: 1, Offset: 11, LeaderEpoch: -1, Timestamp: -1, Metadata: "mark"}}}},
		}
		if v == 1 {
			want.Topics[0].Partitions[1].Timestamp = 99
		}
		if v >= 6 {
			want.Topics[0].Partitions[1].LeaderEpoch = 5
		}
		same(t, v, "commit", b.groups.got, []any{want})
		same(t, v, "codes", commitCodes(resp), []wire.Code{3, 0, 3, 12})
		same(t, v, "topics", []string{resp.Topics[0].Name, resp.Topics[1].Name}, []string{"gone", "t"})

		// Nothing left to store: the coordinator is not asked.
		req.Topics = req.Topics[:1]
		same(t, v, "unknown", commitCodes(ask[*wire.OffsetCommitResponse](b, v, req)), []wire.Code{3})
		same(t, v, "asked", len(b.groups.got), 1)
	})
}

func TestOffsetsInZooKeeper(t *testing.T) {
	b := newBench(t, "offset.metadata.max.bytes=4")
	same(t, 0, "commit", commitCodes(ask[*wire.OffsetCommitResponse](b, 0, commitRequest(0))), []wire.Code{3, 0, 3, 0})
	same(t, 0, "stored", b.old.stored, map[string]int64{"g/t/0": 10, "g/t/1": 11})
	long := commitRequest(0)
	long.Topics[1].Partitions[0].CommittedMetadata = new("12\U0001F600") // four units of UTF-16
	long.Topics[1].Partitions[2].CommittedMetadata = new("12345")
	same(t, 0, "metadata", commitCodes(ask[*wire.OffsetCommitResponse](b, 0, long)), []wire.Code{3, 0, 3, 12})
	long.Topics[1].Partitions = long.Topics[1].Partitions[2:]
	same(t, 0, "only metadata", commitCodes(ask[*wire.OffsetCommitResponse](b, 0, long)), []wire.Code{3, 12})
	broken := commitRequest(0)
	broken.GroupID = "broken"
	same(t, 0, "unreachable", commitCodes(ask[*wire.OffsetCommitResponse](b, 0, broken)), []wire.Code{3, -1, 3, -1})
	same(t, 0, "coordinator", len(b.groups.got), 0)

	fetch := func(groupID string, partitions ...int32) []wire.OffsetFetchResponsePartition {
		req := wire.NewOffsetFetchRequest()
		req.GroupID, req.Topics = groupID, []wire.OffsetFetchRequestTopic{{Name: "t", PartitionIndexes: partitions}}
		return ask[*wire.OffsetFetchResponse](b, 0, req).Topics[0].Partitions
	}
	at := func(index int32, offset int64, code wire.Code) wire.OffsetFetchResponsePartition {
		return wire.OffsetFetchResponsePartition{PartitionIndex: index, CommittedOffset: offset, CommittedLeaderEpoch: -1, Metadata: new(""), ErrorCode: code}
	}
	same(t, 0, "fetch", fetch("g", 0, 7, 1), []wire.OffsetFetchResponsePartition{at(0, 10, 0), at(7, -1, 3), at(1, 11, 0)})
	b.old.stored["g/t/1"] = -1
	same(t, 0, "a stored -1", fetch("g", 1), []wire.OffsetFetchResponsePartition{at(1, -1, 0)})
	same(t, 0, "none stored", fetch("other", 1), []wire.OffsetFetchResponsePartition{at(1, -1, 3)})
	same(t, 0, "unreachable", fetch("broken", 0), []wire.OffsetFetchResponsePartition{at(0, -1, -1)})
	same(t, 0, "unknown alone", fetch("g", 7), []wire.OffsetFetchResponsePartition{at(7, -1, 3)})
}

// fetched is an OffsetFetch response in one form for all versions.
func fetched(v int16, resp *wire.OffsetFetchResponse) []group.FetchReply {
	offsets := func(index int32, offset int64, epoch int32, metadata *string, code wire.Code) group.PartitionOffset {
		return group.PartitionOffset{Partition: index, Offset: offset, LeaderEpoch: epoch, Metadata: orEmpty(metadata), Code: code}
	}
	var out []group.FetchReply
	for _, g := range resp.Groups {
		r := group.FetchReply{Group: g.GroupID, Code: g.ErrorCode}
		for _, t := range g.Topics {
			o := group.TopicOffsets{Topic: t.Name}
			for _, p := range t.Partitions {
				o.Partitions = append(o.Partitions, offsets(p.PartitionIndex, p.CommittedOffset, p.CommittedLeaderEpoch, p.Metadata, p.ErrorCode))
			}
			r.Topics = append(r.Topics, o)
		}
		out = append(out, r)
	}
	if v >= 8 {
		return out
	}
	r := group.FetchReply{Code: resp.ErrorCode}
	for _, t := range resp.Topics {
		o := group.TopicOffsets{Topic: t.Name}
		for _, p := range t.Partitions {
			o.Partitions = append(o.Partitions, offsets(p.PartitionIndex, p.CommittedOffset, p.CommittedLeaderEpoch, p.Metadata, p.ErrorCode))
		}
		r.Topics = append(r.Topics, o)
	}
	return []group.FetchReply{r}
}

// fetchRequest asks group g in the form of the version; null topics are all.
func fetchRequest(v int16, topics []group.TopicPartitions) *wire.OffsetFetchRequest {
	req := wire.NewOffsetFetchRequest()
	req.RequireStable = v >= 7
	if v < 8 {
		req.GroupID, req.Topics = "g", nil
		if topics != nil {
			req.Topics = []wire.OffsetFetchRequestTopic{}
		}
		for _, t := range topics {
			req.Topics = append(req.Topics, wire.OffsetFetchRequestTopic{Name: t.Topic, PartitionIndexes: t.Partitions})
		}
		return req
	}
	g := wire.NewOffsetFetchRequestGroup()
	g.GroupID, g.Topics = "g", nil
	if topics != nil {
		g.Topics = []wire.OffsetFetchRequestTopics{}
	}
	for _, t := range topics {
		g.Topics = append(g.Topics, wire.OffsetFetchRequestTopics{Name: t.Topic, PartitionIndexes: t.Partitions})
	}
	req.Groups = []wire.OffsetFetchRequestGroup{g}
	return req
}

func TestOffsetFetch(t *testing.T) {
	every(t, wire.KeyOffsetFetch, func(v int16) {
		if v == 0 {
			return
		}
		name := since(v, 8, "g")
		topics := []group.TopicPartitions{{Topic: "gone", Partitions: []int32{0, 3}}}
		found := []group.TopicOffsets{{Topic: "gone", Partitions: []group.PartitionOffset{
			{Partition: 0, Offset: 4, LeaderEpoch: 2, Metadata: "mark"}, {Partition: 3, Offset: -1, LeaderEpoch: -1, Code: since(v, 7, wire.CodeUnstableOffsetCommit)}}}}
		b := newBench(t)
		b.groups.reply = []group.FetchReply{{Group: "g", Topics: found}}
		got := fetched(v, ask[*wire.OffsetFetchResponse](b, v, fetchRequest(v, topics)))
		if v < 5 {
			found[0].Partitions[0].LeaderEpoch = -1
		}
		same(t, v, "offsets", got, []group.FetchReply{{Group: name, Topics: found}})
		same(t, v, "asked", b.groups.got, []any{[]group.Fetch{{Group: "g", RequireStable: v >= 7, Topics: topics}}})

		// None asked for is not all.
		b.groups.got = nil
		ask[*wire.OffsetFetchResponse](b, v, fetchRequest(v, []group.TopicPartitions{}))
		same(t, v, "asked for none", b.groups.got, []any{[]group.Fetch{{Group: "g", RequireStable: v >= 7, Topics: []group.TopicPartitions{}}}})

		b.groups.reply = []group.FetchReply{{Group: "g", Code: wire.CodeNotCoordinator}}
		got = fetched(v, ask[*wire.OffsetFetchResponse](b, v, fetchRequest(v, topics)))
		want := group.FetchReply{Group: name, Code: wire.CodeNotCoordinator}
		if v < 2 {
			want = group.FetchReply{Topics: []group.TopicOffsets{{Topic: "gone", Partitions: []group.PartitionOffset{
				{Partition: 0, Offset: -1, LeaderEpoch: -1, Code: wire.CodeNotCoordinator}, {Partition: 3, Offset: -1, LeaderEpoch: -1, Code: wire.CodeNotCoordinator}}}}}
			same(t, v, "refused", got, []group.FetchReply{want})
			return
		}
		same(t, v, "refused", got, []group.FetchReply{want})
		b.groups.got = nil
		ask[*wire.OffsetFetchResponse](b, v, fetchRequest(v, nil))
		same(t, v, "asked for all", b.groups.got, []any{[]group.Fetch{{Group: "g", RequireStable: v >= 7}}})
	})
}

func TestOffsetFetchOfSeveralGroups(t *testing.T) {
	for _, v := range []int16{8, 9} {
		b := newBench(t)
		b.groups.reply = []group.FetchReply{{Group: "g", Code: wire.CodeNotCoordinator}, {Group: "h"}}
		req := fetchRequest(v, nil)
		other := wire.NewOffsetFetchRequestGroup()
		other.GroupID = "h"
		if v == 9 {
			other.MemberID, other.MemberEpoch = new("m"), 3
		}
		req.Groups = append(req.Groups, other)
		same(t, v, "groups", fetched(v, ask[*wire.OffsetFetchResponse](b, v, req)), b.groups.reply)
		b.groups.reply, req.Groups = nil, nil
		same(t, v, "no group", len(fetched(v, ask[*wire.OffsetFetchResponse](b, v, req))), 0)
	}
}

func TestOffsetDelete(t *testing.T) {
	b := newBench(t)
	req := wire.NewOffsetDeleteRequest()
	req.GroupID = "g"
	req.Topics = []wire.OffsetDeleteRequestTopic{
		{Name: "t", Partitions: []wire.OffsetDeleteRequestPartition{{PartitionIndex: 5}, {PartitionIndex: 1}, {PartitionIndex: 1}}}, // one twice
		{Name: "gone", Partitions: []wire.OffsetDeleteRequestPartition{{PartitionIndex: 0}}},
	}
	b.groups.reply = group.DeleteOffsetsReply{Topics: []group.TopicCodes{{Topic: "t", Partitions: []group.PartitionCode{{Partition: 1, Code: wire.CodeGroupSubscribedToTopic}}}}}
	resp := ask[*wire.OffsetDeleteResponse](b, 0, req)
	same(t, 0, "asked", b.groups.got, []any{group.DeleteOffsets{Group: "g", Topics: []group.TopicPartitions{{Topic: "t", Partitions: []int32{1}}}}})
	same(t, 0, "answer", resp.Topics, []wire.OffsetDeleteResponseTopic{
		{Name: "t", Partitions: []wire.OffsetDeleteResponsePartition{{PartitionIndex: 5, ErrorCode: 3}, {PartitionIndex: 1, ErrorCode: wire.CodeGroupSubscribedToTopic}}},
		{Name: "gone", Partitions: []wire.OffsetDeleteResponsePartition{{PartitionIndex: 0, ErrorCode: 3}}}})

	b.groups.reply = group.DeleteOffsetsReply{Code: wire.CodeGroupIDNotFound}
	resp = ask[*wire.OffsetDeleteResponse](b, 0, req)
	same(t, 0, "no group", []any{resp.ErrorCode, len(resp.Topics)}, []any{wire.CodeGroupIDNotFound, 0})
}
