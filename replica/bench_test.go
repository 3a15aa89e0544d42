package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// onDisk is a stand over a directory of the operating system.
func onDisk(b *testing.B) *stand {
	b.Helper()
	e := env.Real()
	s := openStand(b, e, nil, b.TempDir())
	s.cfg.SessionSlots = 1000
	s.topic.RetentionSize = 64 << 20
	s.topic.SegmentBytes = 32 << 20
	s.topic.FileDeleteMs = 0
	s.renew()
	s.load()
	b.Cleanup(func() {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// trim keeps the disk small while a benchmark appends to the first n partitions.
func (s *stand) trim(i int, n int32) {
	for index := range n {
		if i%512 == 511 {
			s.retain(s.lookup("t", index))
		}
	}
}

func BenchmarkAppend100KB(b *testing.B) {
	s := onDisk(b)
	s.lead("t", topicID(1), 0)
	data := batch(b, 100, 100_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	req := &AppendRequest{Topic: "t", Records: data, Acks: AcksAll, LeaderEpoch: AnyEpoch, Timeout: time.Second, Origin: producer.Client}
	var failure error
	done := func(r AppendResult) { failure = r.Err }
	for i := 0; b.Loop(); i++ {
		record.Batch(data).SetBaseOffset(0)
		if s.Append(req, done); failure != nil {
			b.Fatal(failure)
		}
		s.trim(i, 1)
	}
}

func BenchmarkFetch1MiB(b *testing.B) {
	s := onDisk(b)
	s.lead("t", topicID(1), 0)
	for range 11 {
		s.append("t", 0, 100, 100_000)
	}
	buf := make([]byte, 0, 2<<20)
	b.ReportAllocs()
	req := plain(want("t", 0, 0))
	for b.Loop() {
		res := s.now(req)
		var err error
		if buf, err = res.Partitions[0].Span.AppendTo(buf[:0]); err != nil || len(buf) < 1000_000 {
			b.Fatal(len(buf), err)
		}
		res.Partitions[0].Span.Release()
		b.SetBytes(int64(len(buf)))
	}
}

// BenchmarkIncremental is what a consumer's session costs: idle partitions must
// not count.
func BenchmarkIncremental(b *testing.B) {
	for _, idle := range []int{0, 5000} {
		b.Run(fmt.Sprintf("busy=10/idle=%d", idle), func(b *testing.B) {
			s := onDisk(b)
			busy, all := make([]int32, 10), make([]int32, 10+idle)
			for i := range all {
				all[i] = int32(i)
			}
			copy(busy, all)
			s.lead("t", topicID(1), all...)
			parts := make([]FetchPartition, len(all))
			for i := range parts {
				parts[i] = want("t", int32(i), 0)
			}
			first := inSession(0, 0, parts...)
			first.MaxWait = 0
			id := s.now(first).SessionID
			data := batch(b, 1, 100)
			next := inSession(id, 0)
			epoch := int32(0)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for _, p := range busy {
					record.Batch(data).SetBaseOffset(0)
					s.Append(&AppendRequest{Topic: "t", Partition: p, Records: data, Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(AppendResult) {})
				}
				epoch++
				next.SessionEpoch = epoch
				res := s.now(next)
				if len(res.Partitions) != len(busy) {
					b.Fatalf("%d partitions", len(res.Partitions))
				}
				next.Partitions = next.Partitions[:0]
				for _, p := range res.Partitions {
					p.Span.Release()
					next.Partitions = append(next.Partitions, want("t", p.Partition, p.HighWatermark))
				}
				s.trim(i, 10)
			}
		})
	}
}

// BenchmarkFollower is what a follower's session costs its leader, over busy
// partitions that it has to copy and idle ones, of which it must hear nothing.
func BenchmarkFollower(b *testing.B) {
	for _, idle := range []int{0, 5000} {
		b.Run(fmt.Sprintf("busy=10/idle=%d", idle), func(b *testing.B) {
			s := onDisk(b)
			s.replicated(10+idle, []int32{me, 2}, []int32{me, 2})
			parts := make([]FetchPartition, 10+idle)
			for i := range parts {
				parts[i] = want("t", int32(i), 0)
			}
			f := s.follow(2, parts...)
			data := batch(b, 1, 100)
			next := inSession(f.id, 0)
			next.ReplicaID, next.MaxWait = 2, 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for p := range int32(10) {
					record.Batch(data).SetBaseOffset(0)
					s.Append(&AppendRequest{Topic: "t", Partition: p, Records: data, Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(AppendResult) {})
				}
				next.SessionEpoch = f.epoch
				f.epoch++
				res := s.now(next)
				if len(res.Partitions) != 10 {
					b.Fatalf("%d partitions", len(res.Partitions))
				}
				next.Partitions = next.Partitions[:0]
				for _, p := range res.Partitions {
					p.Span.Release()
					next.Partitions = append(next.Partitions, want("t", p.Partition, p.FetchOffset+1))
				}
				s.trim(i, 10)
			}
			if hw, end := s.lookup("t", 3).log().HighWatermark(), s.lookup("t", 3).log().EndOffset(); hw != end-1 {
				b.Fatalf("watermark %d, end %d", hw, end)
			}
		})
	}
}

func BenchmarkParkAndWake(b *testing.B) {
	s := onDisk(b)
	s.lead("t", topicID(1), 0)
	data := batch(b, 1, 100)
	req := plain(want("t", 0, 0))
	woken := make(chan func() *FetchResult, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, pending := s.Fetch(req, func(resume func() *FetchResult) { woken <- resume }); pending == nil {
			b.Fatal("not parked")
		}
		record.Batch(data).SetBaseOffset(0)
		s.Append(&AppendRequest{Topic: "t", Records: data, Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(AppendResult) {})
		res := (<-woken)()
		req.Partitions[0].Offset = res.Partitions[0].HighWatermark
		res.Partitions[0].Span.Release()
		s.trim(i, 1)
	}
}

// BenchmarkLead2000 makes 2,000 partitions in one request, and deletes them.
func BenchmarkLead2000(b *testing.B) {
	s := onDisk(b)
	for b.Loop() {
		s.epoch++
		states := make([]wire.LeaderAndIsrRequestPartitionState, 2000)
		stops := make([]Stop, len(states))
		for i := range states {
			states[i] = state("t", int32(i), s.epoch)
			stops[i] = Stop{Topic: "t", Partition: int32(i), LeaderEpoch: epochDuringDelete, Delete: true}
		}
		began := time.Now()
		s.tell(topicID(1), states...)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/create")
		began = time.Now()
		s.StopReplica(0, -1, stops)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/delete")
		b.StopTimer()
		for _, d := range s.deletions.TryDrain(nil) {
			s.removeDeleted(d)
		}
		b.StartTimer()
	}
}
