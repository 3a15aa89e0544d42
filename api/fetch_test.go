package api

import (
	"bytes"
	"testing"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

func fetches(v int16, topic string, parts ...wire.FetchRequestPartition) *wire.FetchRequest {
	req := wire.NewFetchRequest()
	req.MaxBytes, req.SessionEpoch = 1<<20, -1
	t := wire.FetchRequestTopic{Topic: topic, Partitions: parts}
	if v >= fetchByIDVersion {
		t.Topic, t.TopicID = "", wire.UUID{15: topic[0]}
	}
	req.Topics = []wire.FetchRequestTopic{t}
	return req
}

// from is partition p from an offset on.
func from(p int32, offset int64) wire.FetchRequestPartition {
	out := wire.NewFetchRequestPartition()
	out.Partition, out.FetchOffset, out.PartitionMaxBytes = p, offset, 1<<20
	return out
}

// got fetches one partition. Records that stay in files are given as nothing
// but a size.
func (b *bench) got(v int16, req *wire.FetchRequest) (p wire.FetchResponsePartitionData, size int) {
	b.t.Helper()
	reply, ok := b.send(v, req).reply.(*wire.FetchResponse)
	if !ok || len(reply.Responses) != 1 || len(reply.Responses[0].Partitions) != 1 {
		b.t.Fatalf("fetch v%d: %+v", v, reply)
	}
	p = reply.Responses[0].Partitions[0]
	size = len(p.Records.Bytes)
	if p.Records.Hole != nil {
		size = p.Records.Hole.Size()
		p.Records.Hole.(storage.Span).Release()
	}
	return p, size
}

func TestFetchOfOldVersions(t *testing.T) {
	f := func(what, topicCodec string, records []byte, v int16, code wire.Code) {
		t.Helper()
		b := leads(t, []string{"compression.type=" + topicCodec}, "a")
		if got := b.put(8, produces("a", records)); got.ErrorCode != wire.CodeNone {
			t.Fatal(got.ErrorCode)
		}
		p, size := b.got(v, fetches(v, "a", from(0, 0)))
		refused := code != wire.CodeNone
		if p.ErrorCode != code || refused != p.Records.IsNull() || refused != (size == 0) || refused != (p.HighWatermark == -1) {
			t.Errorf("%s: v%d: %v, %d bytes, high watermark %d", what, v, p.ErrorCode, size, p.HighWatermark)
		}
	}
	zstd := v2(t, record.Spec{Codec: record.Zstd})
	for v := range int16(12) {
		want, fixed := wire.CodeNone, wire.CodeNone
		if v < fetchMagic2 {
			want = wire.CodeUnsupportedCompressionType
		}
		if v < zstdFetchVersion {
			fixed = wire.CodeUnsupportedCompressionType
		}
		f("producer's zstd", "producer", bytes.Clone(zstd), v, want)
		f("the topic's zstd", "zstd", v2(t, record.Spec{}), v, fixed)
		f("another codec", "lz4", bytes.Clone(zstd), v, wire.CodeNone)
	}
	b := leads(t, []string{"log.message.downconversion.enable=false"}, "a")
	if p, _ := b.got(3, fetches(3, "a", from(0, 0))); p.ErrorCode != wire.CodeUnsupportedVersion || !p.Records.IsNull() {
		t.Errorf("no conversion: %+v", p)
	}
	if p, _ := b.got(4, fetches(4, "a", from(0, 0))); p.ErrorCode != wire.CodeNone || p.Records.IsNull() {
		t.Errorf("no conversion needed: %+v", p)
	}
}

func TestFetchAnswers(t *testing.T) {
	b := leads(t, nil, "a")
	b.put(8, produces("a", v2(t, record.Spec{})))
	f := func(v int16, isolation int8, p wire.FetchRequestPartition, code wire.Code, aborted bool) wire.FetchResponsePartitionData {
		t.Helper()
		req := fetches(v, "a", p)
		req.IsolationLevel = isolation
		got, _ := b.got(v, req)
		if got.ErrorCode != code || aborted != (got.AbortedTransactions != nil) {
			t.Errorf("v%d: %+v", v, got)
		}
		return got
	}
	f(8, 0, from(0, 0), wire.CodeNone, false)
	f(8, 1, from(0, 0), wire.CodeNone, true)
	f(8, 1, from(0, 1), wire.CodeNone, true)
	f(8, 1, from(0, 9), wire.CodeOffsetOutOfRange, false)
	f(8, 0, from(9, 0), wire.CodeUnknownTopicOrPartition, true)
	if got := f(12, 7, from(0, 0), wire.CodeUnknownServerError, true); !got.Records.IsNull() || got.HighWatermark != -1 {
		t.Errorf("isolation level 7: %+v", got)
	}
	other := from(0, 1)
	other.LastFetchedEpoch = 1
	if got := f(12, 0, other, wire.CodeNone, false); got.DivergingEpoch.Epoch != 1 || got.DivergingEpoch.EndOffset != 0 {
		t.Errorf("another history: %+v", got.DivergingEpoch)
	}
	req := fetches(13, "a", from(0, 0))
	req.IsolationLevel = 7
	if got := ask[*wire.FetchResponse](b, 13, req); got.ErrorCode != wire.CodeUnknownServerError || len(got.Responses) != 0 {
		t.Errorf("isolation level 7: %+v", got)
	}

	// Partitions that are not come last, under the same topic.
	got, ok := b.send(12, fetches(12, "a", from(9, 0), from(0, 0))).reply.(*wire.FetchResponse)
	if !ok || len(got.Responses) != 1 || got.Responses[0].Partitions[0].PartitionIndex != 0 || got.Responses[0].Partitions[1].PartitionIndex != 9 {
		t.Errorf("order: %+v", got)
	}

	fenced := from(0, 0)
	fenced.CurrentLeaderEpoch = 2
	reply := ask[*wire.FetchResponse](b, 16, fetches(16, "a", fenced))
	if p := reply.Responses[0].Partitions[0]; p.ErrorCode != wire.CodeFencedLeaderEpoch || p.CurrentLeader.LeaderID != 1 ||
		len(reply.NodeEndpoints) != 1 || reply.NodeEndpoints[0].Host != "one" {
		t.Errorf("no way to the leader: %+v", reply)
	}
}

// Consumers of version 11 and later may read from a follower, and be sent to a
// nearer one; brokers ask leaders.
func TestWhoMayReadElsewhere(t *testing.T) {
	b := newBench(t)
	f := func(version int16, replicaID int32, want replica.FetchRequest) {
		t.Helper()
		req := fetches(version, "t", from(0, 0))
		req.RackID = "r"
		if version >= 15 {
			req.ReplicaState.ReplicaID = replicaID
		} else {
			req.ReplicaID = replicaID
		}
		got := b.broker.fetchRequest(version, "L", req)
		if got.ReplicaID != replicaID || got.Anywhere != want.Anywhere || got.Rack != want.Rack || got.Listener != want.Listener {
			t.Errorf("v%d by %d: %+v", version, replicaID, got)
		}
	}
	nearer := replica.FetchRequest{Anywhere: true, Rack: "r", Listener: "L"}
	f(10, -1, replica.FetchRequest{})
	f(11, -1, nearer)
	f(17, -1, nearer)
	f(11, 2, replica.FetchRequest{})
	f(17, 2, replica.FetchRequest{})
	var out wire.FetchResponsePartitionData
	b.broker.fillFetched(11, &replica.FetchedPartition{PartitionName: replica.PartitionName{Topic: "t"}, Preferred: 7}, &out)
	if out.PreferredReadReplica != 7 || out.ErrorCode != wire.CodeNone || out.Records.IsNull() {
		t.Errorf("%+v", out)
	}
}
