package api

import "github.com/gregor-mq/gregor/wire"

// DeleteRecords v0-2 (KIP-107): moves the start of partitions. The new start
// is the answer; -1 with an error.

func (b *Broker) deleteRecords(c *context, req *wire.DeleteRecordsRequest) {
	resp := wire.NewDeleteRecordsResponse()
	for _, t := range req.Topics {
		out := wire.DeleteRecordsResponseTopicResult{Name: t.Name}
		for _, p := range t.Partitions {
			low, err := b.deleteBefore(t.Name, p.PartitionIndex, p.Offset)
			out.Partitions = append(out.Partitions, wire.DeleteRecordsResponsePartitionResult{
				PartitionIndex: p.PartitionIndex, LowWatermark: low, ErrorCode: Code(err)})
		}
		resp.Topics = append(resp.Topics, out)
	}
	c.Reply(resp)
}

// deleteBefore refuses the topics of the broker itself, whose records are its
// memory.
func (b *Broker) deleteBefore(topic string, partition int32, offset int64) (low int64, err error) {
	switch {
	case !b.exists(topic, partition):
		return -1, wire.CodeUnknownTopicOrPartition
	case isInternal(topic):
		return -1, wire.CodeInvalidTopicException
	}
	return b.Replicas.DeleteRecords(topic, partition, offset)
}
