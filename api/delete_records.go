package api

import (
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/wire"
)

// DeleteRecords v0-2 (KIP-107): moves the start of partitions. Answered when all
// live replicas begin there, with the lowest start; -1 with most errors.

func (b *Broker) deleteRecords(c *context, req *wire.DeleteRecordsRequest) {
	resp := wire.NewDeleteRecordsResponse()
	var left atomic.Int64 // partitions, and one for the loop itself
	left.Store(1)
	done := func() {
		if left.Add(-1) == 0 {
			c.Reply(resp)
		}
	}
	resp.Topics = make([]wire.DeleteRecordsResponseTopicResult, len(req.Topics))
	for i, t := range req.Topics {
		out := &resp.Topics[i]
		out.Name, out.Partitions = t.Name, make([]wire.DeleteRecordsResponsePartitionResult, len(t.Partitions))
		left.Add(int64(len(t.Partitions)))
		for j, p := range t.Partitions {
			answer := &out.Partitions[j]
			answer.PartitionIndex = p.PartitionIndex
			b.deleteBefore(&replica.DeleteRecordsRequest{
				Topic: t.Name, Partition: p.PartitionIndex, Offset: p.Offset, Timeout: time.Duration(req.TimeoutMs) * time.Millisecond,
			}, func(low int64, err error) {
				answer.LowWatermark, answer.ErrorCode = low, Code(err)
				done()
			})
		}
	}
	done()
}

// deleteBefore refuses the topics of the broker itself, whose records are its
// memory.
func (b *Broker) deleteBefore(req *replica.DeleteRecordsRequest, done func(low int64, err error)) {
	switch {
	case !b.exists(req.Topic, req.Partition):
		done(-1, wire.CodeUnknownTopicOrPartition)
	case isInternal(req.Topic):
		done(-1, wire.CodeInvalidTopicException)
	default:
		b.Replicas.DeleteRecords(req, done)
	}
}
