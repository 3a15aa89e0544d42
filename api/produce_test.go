package api

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// leads gives the broker replicas on a disk in memory, of which it leads one
// partition of each topic. Topics are configured as the overrides say.
func leads(t *testing.T, overrides []string, topics ...string) *bench {
	t.Helper()
	return leadsIn(t, []string{"/d"}, overrides, topics...)
}

// leadsIn is leads with these log directories.
func leadsIn(t *testing.T, paths, overrides []string, topics ...string) *bench {
	t.Helper()
	b := newBench(t, overrides...)
	e := b.broker.Env
	e.FS = memfs.New(0, e.Clock.Now)
	var dirs []*storage.Dir
	for _, path := range paths {
		dir, err := storage.OpenDir(e, path, storage.DirOptions{})
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	defaults, err := storage.ConfigOf(b.broker.Settings.Topic(""), 1000, false)
	if err != nil {
		t.Fatal(err)
	}
	m := replica.New(replica.Config{
		BrokerID: 1, SessionSlots: 10, RetentionInterval: time.Minute, TaskDelay: time.Second, CheckpointInterval: time.Minute,
		WatermarkInterval: time.Minute, Topic: func(string) replica.TopicConfig { c := *defaults; return replica.TopicConfig{Storage: &c, MinISR: 1} },
	}, dirs, b.broker.Metadata, quiet{}, e, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := m.Load(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	b.broker.Replicas = m
	for _, name := range topics {
		b.topic(name, 1)
		req := wire.NewLeaderAndIsrRequest()
		req.BrokerEpoch = -1
		req.TopicStates = []wire.LeaderAndIsrRequestTopicState{{TopicName: name, TopicID: wire.UUID{15: name[0]},
			PartitionStates: []wire.LeaderAndIsrRequestPartitionState{{Leader: 1, LeaderEpoch: 3, Isr: []int32{1}, Replicas: []int32{1}, IsNew: true}}}}
		if resp := m.LeaderAndIsr(req); resp.ErrorCode != wire.CodeNone {
			t.Fatal(resp.ErrorCode)
		}
	}
	return b
}

type quiet struct{}

func (quiet) BecameLeader(string, int32, int32)   {}
func (quiet) Resigned(string, int32, int32, bool) {}

// v2 is one batch of a record.
func v2(t *testing.T, spec record.Spec) []byte {
	t.Helper()
	var bl record.Builder
	bl.Reset(spec)
	bl.Append(time.Now().UnixMilli(), nil, []byte("value"))
	out, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out)
}

// old is the same in a message of magic 1.
func old(t *testing.T) []byte {
	t.Helper()
	out, err := record.Downconvert(nil, v2(t, record.Spec{}), 1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func produces(topic string, records []byte) *wire.ProduceRequest {
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = 1, 1000
	req.TopicData = []wire.ProduceRequestTopicData{{Name: topic, PartitionData: []wire.ProduceRequestPartitionData{{Records: wire.Records{Bytes: records}}}}}
	return req
}

// put produces and returns the answer of the partition.
func (b *bench) put(v int16, req *wire.ProduceRequest) wire.ProduceResponsePartitionResponse {
	b.t.Helper()
	return ask[*wire.ProduceResponse](b, v, req).Responses[0].PartitionResponses[0]
}

func TestProduceIsRefused(t *testing.T) {
	b := leads(t, []string{"log.message.timestamp.before.max.ms=1000000"}, "a", offsetsTopic)
	good := v2(t, record.Spec{})
	resum := func(batch []byte) []byte { // a change of the time computes the checksum again
		b := record.Batch(batch)
		b.SetMaxTimestamp(b.TimestampType(), b.MaxTimestamp()+1)
		return b
	}
	early := bytes.Clone(good)
	record.Batch(early).SetMaxTimestamp(record.LogAppendTime, 5)
	negative := bytes.Clone(good)
	copy(negative[8:], []byte{0xff, 0xff, 0xff, 0xfb})
	magic := bytes.Clone(good)
	magic[16] = 7
	moved := bytes.Clone(good)
	record.Batch(moved).SetBaseOffset(5)
	unknown := bytes.Clone(good)
	unknown[22] |= 5
	lying := bytes.Clone(good)
	lying[22] |= byte(record.Gzip)
	txn := v2(t, record.Spec{HasProducer: true, ProducerID: 5, Transactional: true})
	f := func(what string, v int16, topic string, records []byte, code wire.Code, start int64, text string) {
		t.Helper()
		got := b.put(v, produces(topic, bytes.Clone(records)))
		message := ""
		if got.ErrorMessage != nil {
			message = *got.ErrorMessage
		}
		if got.ErrorCode != code || got.BaseOffset != -1 || got.LogStartOffset != start || message != text {
			t.Errorf("%s: %v, base offset %d, start %d, %q", what, got.ErrorCode, got.BaseOffset, got.LogStartOffset, message)
		}
	}
	f("an internal topic", 8, offsetsTopic, good, wire.CodeInvalidTopicException, -1, "")
	f("an internal topic, old", 2, offsetsTopic, old(t), wire.CodeInvalidTopicException, -1, "")
	f("a topic that is not", 8, "z", nil, wire.CodeUnknownTopicOrPartition, -1, "")
	f("a transaction without an id", 8, "a", txn, wire.CodeTransactionalIDAuthorizationFailed, -1, "")
	f("nothing", 8, "a", nil, wire.CodeInvalidRecord, -1, "")
	f("a part", 8, "a", good[:40], wire.CodeInvalidRecord, -1, "")
	f("an old message", 8, "a", old(t), wire.CodeInvalidRecord, -1, "")
	f("two batches", 8, "a", slices.Concat(good, good), wire.CodeInvalidRecord, -1, "")
	f("zstd", 6, "a", v2(t, record.Spec{Codec: record.Zstd}), wire.CodeUnsupportedCompressionType, -1, "")
	f("length", 8, "a", negative, wire.CodeCorruptMessage, -1, "Record size -5 is less than the minimum record overhead (14)")
	f("magic", 8, "a", magic, wire.CodeCorruptMessage, -1, "Invalid magic found in record: 7")
	f("length behind", 8, "a", slices.Concat(good, negative), wire.CodeCorruptMessage, -1, "")
	f("checksum", 8, "a", unknown, wire.CodeCorruptMessage, -1, "")
	f("base offset", 8, "a", moved, wire.CodeInvalidRecord, 0, "")
	f("a codec that is not", 8, "a", resum(unknown), wire.CodeUnknownServerError, 0, "")
	f("not gzip", 8, "a", resum(lying), wire.CodeUnknownServerError, 0, "")
	f("too early", 8, "a", early, wire.CodeInvalidTimestamp, 0,
		"One or more records have been rejected due to invalid timestamp")

	acks := produces("a", good)
	acks.Acks = 2
	if got := b.put(8, acks); got.ErrorCode != wire.CodeInvalidRequiredAcks {
		t.Errorf("acks 2: %v", got.ErrorCode)
	}
}

func TestProduceIsTaken(t *testing.T) {
	b := leads(t, []string{"log.message.timestamp.type=LogAppendTime"}, "a")
	good, next := v2(t, record.Spec{}), int64(0)
	f := func(what string, v int16, records []byte, taken bool) {
		t.Helper()
		got, want := b.put(v, produces("a", bytes.Clone(records))), int64(-1)
		if taken {
			want, next = next, next+1
		}
		if got.ErrorCode != wire.CodeNone || got.BaseOffset != want || (v >= 2 && taken) != (got.LogAppendTimeMs > 0) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	f("a batch", 8, good, true)
	f("and a part of one", 8, slices.Concat(good, good[:30]), true)
	for v := range int16(3) {
		f("an old message", v, old(t), true)
		f("and a part of one", v, slices.Concat(old(t), old(t)[:30]), true)
		f("a batch", v, good, true)
		f("a part", v, old(t)[:30], false)
		f("nothing", v, nil, false)
	}
	b.broker.Replicas.Append(&replica.AppendRequest{Topic: "a", LeaderEpoch: replica.AnyEpoch, Records: bytes.Clone(good)}, func(r replica.AppendResult) {
		if r.BaseOffset != next {
			t.Errorf("the log ends at %d, not %d", r.BaseOffset, next)
		}
	})
}

// Whoever asks the wrong broker is told whom to ask, and where that one listens.
func TestProduceNamesTheLeader(t *testing.T) {
	b := leads(t, nil, "a")
	b.topic("b", 1, 1, 2)
	f := func(v int16, nodes int, leaders ...int32) {
		t.Helper()
		req := produces("b", v2(t, record.Spec{}))
		for p := range leaders[1:] {
			req.TopicData[0].PartitionData = append(req.TopicData[0].PartitionData, wire.ProduceRequestPartitionData{
				Index: int32(p + 1), Records: wire.Records{Bytes: v2(t, record.Spec{})}})
		}
		resp := ask[*wire.ProduceResponse](b, v, req)
		for p, leader := range leaders {
			if got := resp.Responses[0].PartitionResponses[p]; got.ErrorCode != wire.CodeNotLeaderOrFollower || got.CurrentLeader.LeaderID != leader {
				t.Errorf("v%d partition %d: %+v", v, p, got)
			}
		}
		if len(resp.NodeEndpoints) != nodes || nodes > 0 && (resp.NodeEndpoints[0].NodeID != 1 || resp.NodeEndpoints[0].Host != "one") {
			t.Errorf("v%d: nodes %+v", v, resp.NodeEndpoints)
		}
	}
	f(9, 0, -1, -1, -1)
	f(10, 1, 1, 1, 2) // 2 does not listen where we do

	// The replica hears of a new leader before the cluster's picture does.
	req := wire.NewLeaderAndIsrRequest()
	req.BrokerEpoch = -1
	req.TopicStates = []wire.LeaderAndIsrRequestTopicState{{TopicName: "a", TopicID: wire.UUID{15: 'a'},
		PartitionStates: []wire.LeaderAndIsrRequestPartitionState{{Leader: 2, LeaderEpoch: 9, Isr: []int32{2}, Replicas: []int32{1, 2}}}}}
	if resp := b.broker.Replicas.LeaderAndIsr(req); resp.ErrorCode != wire.CodeNone {
		t.Fatal(resp.ErrorCode)
	}
	got := b.put(10, produces("a", v2(t, record.Spec{}))).CurrentLeader
	if got.LeaderID != 2 || got.LeaderEpoch != 9 {
		t.Errorf("leader %d since %d, want 2 since 9", got.LeaderID, got.LeaderEpoch)
	}
}

// The admin client may write to internal topics.
func TestAdminProducesToInternalTopics(t *testing.T) {
	b := leads(t, nil, offsetsTopic)
	body, err := wire.Append(nil, produces(offsetsTopic, v2(t, record.Spec{})), 8)
	if err != nil {
		t.Fatal(err)
	}
	call := &fakeCall{t: t, header: wire.RequestHeader{Key: wire.KeyProduce, Version: 8, ClientID: new(adminClientID)}, body: body}
	b.broker.Handle(call)
	if got := decoded[*wire.ProduceResponse](t, 8, call).Responses[0].PartitionResponses[0]; got.ErrorCode != wire.CodeNone {
		t.Error(got.ErrorCode)
	}
}
