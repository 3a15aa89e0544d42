package api

import (
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// DescribeProducers v0 (KIP-664): who wrote lately to a partition.

func (b *Broker) describeProducers(c *context, req *wire.DescribeProducersRequest) {
	resp := wire.NewDescribeProducersResponse()
	for _, t := range req.Topics {
		out := wire.DescribeProducersResponseTopicResponse{Name: t.Name}
		code, text := b.describable(t.Name)
		for _, index := range t.PartitionIndexes {
			part := wire.DescribeProducersResponsePartitionResponse{PartitionIndex: index}
			if code != wire.CodeNone {
				part.ErrorCode, part.ErrorMessage = code, &text
				out.Partitions = append(out.Partitions, part)
				continue
			}
			active, err := b.Replicas.Producers(t.Name, index)
			part.ErrorCode = Code(err)
			for _, a := range active {
				part.ActiveProducers = append(part.ActiveProducers, wire.DescribeProducersResponseProducerState{
					ProducerID: a.ProducerID, ProducerEpoch: int32(a.Epoch), LastSequence: a.LastSequence, LastTimestamp: a.LastTimestamp,
					CoordinatorEpoch: a.CoordinatorEpoch, CurrentTxnStartOffset: a.TxnStartOffset,
				})
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	c.Reply(resp)
}

// describable says what is wrong with a topic, for all its partitions.
func (b *Broker) describable(topic string) (wire.Code, string) {
	if err := metadata.ValidateTopicName(topic); err != nil {
		return wire.CodeInvalidTopicException, badTopicName(err)
	}
	if b.Metadata.Image().Topic(topic) == nil {
		return wire.CodeUnknownTopicOrPartition, codeText(wire.CodeUnknownTopicOrPartition)
	}
	return wire.CodeNone, ""
}
