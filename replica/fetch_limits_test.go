package replica

import (
	"log/slog"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

type nobody struct{}

func (nobody) BecameLeader(string, int32, int32)   {}
func (nobody) Resigned(string, int32, int32, bool) {}

// leading returns a manager that leads the partitions of topic "t".
func leading(t *testing.T, partitions int32) *Manager {
	t.Helper()
	e := env.Real()
	e.FS = memfs.New(1<<30, time.Now)
	dir, err := storage.OpenDir(e, "/logs", storage.DirOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := storage.DefaultConfig()
	m := New(Config{SessionSlots: 10, Topic: func(string) TopicConfig { return TopicConfig{Storage: &cfg, MinISR: 1} }},
		[]*storage.Dir{dir}, metadata.NewCache(), nobody{}, e, slog.New(slog.DiscardHandler))
	req := wire.NewLeaderAndIsrRequest()
	req.BrokerEpoch = -1
	state := wire.LeaderAndIsrRequestTopicState{TopicName: "t"}
	for p := range partitions {
		s := wire.NewLeaderAndIsrRequestPartitionState()
		s.PartitionIndex, s.IsNew, s.Replicas, s.Isr = p, true, []int32{0}, []int32{0}
		state.PartitionStates = append(state.PartitionStates, s)
	}
	req.TopicStates = append(req.TopicStates, state)
	if resp := m.LeaderAndIsr(req); resp.ErrorCode != wire.CodeNone || len(resp.PartitionErrors) != int(partitions) {
		t.Fatalf("LeaderAndIsr: %+v", resp)
	}
	return m
}

// fillPartition appends batches of one record each.
func fillPartition(t *testing.T, m *Manager, partition int32, batches, size int) {
	t.Helper()
	for range batches {
		var b record.Builder
		b.Reset(record.Spec{})
		b.Append(time.Now().UnixMilli(), nil, make([]byte, size))
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		m.Append(&AppendRequest{Topic: "t", Partition: partition, Records: batch, Acks: 1, LeaderEpoch: AnyEpoch}, func(r AppendResult) {
			if r.Err != nil {
				t.Errorf("append: %v", r.Err)
			}
		})
	}
}

// drain fetches like a consumer that names only what moved, until it has read
// n batches; it returns the order in which partitions brought them.
func drain(t *testing.T, m *Manager, req FetchRequest, n int) []int32 {
	t.Helper()
	at := map[int32]int64{}
	var order []int32
	for range 10 * n {
		res, pending := m.Fetch(&req, func(func() *FetchResult) {})
		if pending != nil {
			pending.Cancel()
			t.Fatalf("parked after %d of %d batches", len(order), n)
		}
		if res.Code != wire.CodeNone {
			t.Fatal(res.Code)
		}
		req.SessionID, req.Partitions = res.SessionID, nil
		req.SessionEpoch = nextEpoch(req.SessionEpoch)
		for _, p := range res.Partitions {
			raw, err := p.Span.AppendTo(nil)
			p.Span.Release()
			if err != nil || p.Err != nil {
				t.Fatal(err, p.Err)
			}
			for b := range record.All(storage.Whole(raw)) {
				if b.BaseOffset() == at[p.Partition] { // the first may be one that was read
					at[p.Partition]++
					order = append(order, p.Partition)
				}
			}
			req.Partitions = append(req.Partitions, FetchPartition{PartitionName: p.PartitionName, Offset: at[p.Partition], MaxBytes: 700, LeaderEpoch: -1, LastFetchedEpoch: -1})
		}
		if len(order) == n {
			return order
		}
	}
	t.Fatalf("%d of %d batches came", len(order), n)
	return nil
}

// A partition whose next batch did not fit is looked at again, without news of
// it; and a partition that has much does not keep the others waiting.
func TestFetchSessionServesAllWithinSmallLimits(t *testing.T) {
	const partitions, batches = 5, 6
	m := leading(t, partitions)
	req := FetchRequest{ReplicaID: -1, MaxWait: time.Minute, MinBytes: 1, MaxBytes: 1500, WholeBatches: true}
	for p := range int32(partitions) {
		fillPartition(t, m, p, batches, 1000) // above the limit of 700 each
		req.Partitions = append(req.Partitions, FetchPartition{PartitionName: PartitionName{Topic: "t", Partition: p}, MaxBytes: 700, LeaderEpoch: -1, LastFetchedEpoch: -1})
	}
	order := drain(t, m, req, partitions*batches)
	seen := map[int32]bool{}
	for _, p := range order[:partitions] {
		seen[p] = true
	}
	if len(seen) != partitions {
		t.Errorf("the first %d batches came from %d partitions: %v", partitions, len(seen), order)
	}
}
