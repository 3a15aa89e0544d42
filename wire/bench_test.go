package wire

import (
	"fmt"
	"testing"
)

// benchFetch is a response of 100 partitions in 10 topics.
func benchFetch() *FetchResponse {
	m := NewFetchResponse()
	batch := make([]byte, 100)
	for i := range 10 {
		topic := FetchResponseFetchableTopicResponse{Topic: fmt.Sprint("topic-", i)}
		for j := range int32(10) {
			p := NewFetchResponsePartitionData()
			p.PartitionIndex, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = j, 1e6, 1e6, 0
			p.Records = Records{Bytes: batch}
			topic.Partitions = append(topic.Partitions, p)
		}
		m.Responses = append(m.Responses, topic)
	}
	return m
}

func BenchmarkFetchResponse(b *testing.B) {
	m := benchFetch()
	for _, version := range []int16{12, 16} {
		src, err := Append(nil, m, version)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("decode/v%d", version), func(b *testing.B) {
			b.ReportAllocs()
			var got FetchResponse
			for b.Loop() {
				if err := got.Decode(src, version); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("encode/v%d", version), func(b *testing.B) {
			b.ReportAllocs()
			var w Writer
			for b.Loop() {
				w.Reset(nil)
				if err := m.Encode(&w, version); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkProduceRequest(b *testing.B) {
	m := &ProduceRequest{Acks: -1, TimeoutMs: 30000}
	for i := range 10 {
		m.TopicData = append(m.TopicData, ProduceRequestTopicData{Name: fmt.Sprint("topic-", i),
			PartitionData: []ProduceRequestPartitionData{{Records: Records{Bytes: make([]byte, 1000)}}}})
	}
	for _, version := range []int16{9, 11} {
		src, err := Append(nil, m, version)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("decode/v%d", version), func(b *testing.B) {
			b.ReportAllocs()
			var got ProduceRequest
			for b.Loop() {
				if err := got.Decode(src, version); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAllocations guards what the benchmarks show.
func TestAllocations(t *testing.T) {
	m := benchFetch()
	for _, version := range []int16{12, 16} {
		var w Writer
		if err := m.Encode(&w, version); err != nil {
			t.Fatal(err)
		}
		src := append([]byte(nil), w.Bytes()...)
		if n := testing.AllocsPerRun(10, func() { w.Reset(nil); m.Encode(&w, version) }); n != 0 {
			t.Errorf("v%d: %v allocations to encode", version, n)
		}
		// Topics, and of each its name and its partitions.
		var got FetchResponse
		if n := testing.AllocsPerRun(10, func() { got.Decode(src, version) }); n > 1+2*10 {
			t.Errorf("v%d: %v allocations to decode", version, n)
		}
	}
}
