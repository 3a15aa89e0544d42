//go:build interop

package oracle

import (
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func listOffsets(topic string, partition int32, at int64) *wire.ListOffsetsRequest {
	req := wire.NewListOffsetsRequest()
	req.ReplicaID = -1
	req.Topics = []wire.ListOffsetsRequestTopic{{Name: topic, Partitions: []wire.ListOffsetsRequestPartition{
		{PartitionIndex: partition, CurrentLeaderEpoch: -1, Timestamp: at, MaxNumOffsets: 1}}}}
	return req
}

func offsetScripts() []script {
	out := each("list", wire.KeyListOffsets, func(s *side, v int16) {
		topic, empty := s.topic("a", 1), s.topic("empty", 1)
		s.put(topic, 0, batch(record.Spec{}, "a", "1", "b", "2"))
		s.put(topic, 0, batchAt(epoch+60_000, record.Spec{Codec: record.Gzip}, "c", "3", "d", "4"))
		s.put(topic, 0, batchAt(epoch+30_000, record.Spec{}, "e", "5"))
		s.deleteRecords(topic, 0, 1)
		for _, at := range []int64{-1, -2, -3, -4, -5, -6, -100, 0, epoch, epoch + 1, epoch + 1000, epoch + 2000, epoch + 60_500, epoch + 61_000, epoch + 61_001, 1 << 60} {
			s.call(listOffsets(topic, 0, at), v)
			s.call(listOffsets(empty, 0, at), v)
		}
		s.call(listOffsets(topic, 1, -1), v)
		s.call(listOffsets(s.name("missing"), 0, -1), v)
		s.call(listOffsets("bad name", 0, -1), v)
		twice := listOffsets(topic, 0, -1)
		twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, listOffsets(topic, 0, -2).Topics[0].Partitions...)
		s.call(twice, v)
		none := wire.NewListOffsetsRequest()
		none.ReplicaID = -1
		s.call(none, v)
		if v >= 2 {
			committed := listOffsets(topic, 0, -1)
			committed.IsolationLevel = 1
			s.call(committed, v)
		}
		if v >= 4 {
			for _, e := range []int32{0, 1} {
				req := listOffsets(topic, 0, -1)
				req.Topics[0].Partitions[0].CurrentLeaderEpoch = e
				s.call(req, v)
			}
		}
		for _, replica := range []int32{-2, 0, 7} {
			req := listOffsets(topic, 0, -1)
			req.ReplicaID = replica
			s.call(req, v)
		}
	})
	out = append(out, script{name: "list-old-many", run: func(s *side) {
		topic := s.topic("a", 1, "segment.bytes", "200")
		for range 5 {
			s.put(topic, 0, batch(record.Spec{}, "k", "0123456789012345678901234567890123456789012345678901234567890123456789"))
		}
		for _, most := range []int32{0, 1, 2, 100} {
			for _, at := range []int64{-1, -2} {
				req := listOffsets(topic, 0, at)
				req.Topics[0].Partitions[0].MaxNumOffsets = most
				s.call(req, 0)
			}
		}
	}})
	out = append(out, each("epochs", wire.KeyOffsetForLeaderEpoch, func(s *side, v int16) {
		topic, empty := s.topic("a", 1), s.topic("empty", 1)
		s.put(topic, 0, batch(record.Spec{}, "a", "1", "b", "2"))
		ask := func(topic string, partition, current, e int32) {
			req := wire.NewOffsetForLeaderEpochRequest()
			if v >= 3 {
				req.ReplicaID = -1
			}
			req.Topics = []wire.OffsetForLeaderEpochRequestOffsetForLeaderTopic{{Topic: topic, Partitions: []wire.OffsetForLeaderEpochRequestOffsetForLeaderPartition{
				{Partition: partition, CurrentLeaderEpoch: current, LeaderEpoch: e}}}}
			s.call(req, v)
		}
		for _, e := range []int32{0, 1, -1, -2, 100} {
			ask(topic, 0, -1, e)
			ask(empty, 0, -1, e)
		}
		ask(topic, 0, 0, 0)
		ask(topic, 0, 1, 0)
		ask(topic, 1, -1, 0)
		ask(s.name("missing"), 0, -1, 0)
	})...)
	return append(out, each("delete-records", wire.KeyDeleteRecords, func(s *side, v int16) {
		topic := s.topic("a", 1)
		s.put(topic, 0, batch(record.Spec{}, "a", "1", "b", "2", "c", "3"))
		s.put(topic, 0, batch(record.Spec{}, "d", "4"))
		cut := func(topic string, partition int32, to int64) {
			s.call(&wire.DeleteRecordsRequest{TimeoutMs: 5000, Topics: []wire.DeleteRecordsRequestTopic{{Name: topic,
				Partitions: []wire.DeleteRecordsRequestPartition{{PartitionIndex: partition, Offset: to}}}}}, v)
		}
		cut(topic, 0, 0)
		cut(topic, 0, 2)
		cut(topic, 0, 1)
		s.call(listOffsets(topic, 0, -2), 5)
		s.call(s.fetch(11, topic, 0, 2), 11)
		s.call(s.fetch(11, topic, 0, 1), 11)
		cut(topic, 0, 5)
		cut(topic, 0, -2)
		cut(topic, 0, -1)
		s.call(listOffsets(topic, 0, -2), 5)
		cut(topic, 1, 0)
		cut(s.name("missing"), 0, 0)
		cut("bad name", 0, 0)
		cut("__consumer_offsets", 0, 0)
		compacted := s.topic("compacted", 1, "cleanup.policy", "compact")
		cut(compacted, 0, 0)
		s.call(&wire.DeleteRecordsRequest{TimeoutMs: 5000, Topics: []wire.DeleteRecordsRequestTopic{}}, v)
	})...)
}
