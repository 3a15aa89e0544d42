package api

import "github.com/gregor-mq/gregor/wire"

// OffsetForLeaderEpoch v0-4 (KIP-101, KIP-320): where an epoch ended.

func (b *Broker) offsetForLeaderEpoch(c *context, req *wire.OffsetForLeaderEpochRequest) {
	resp := wire.NewOffsetForLeaderEpochResponse()
	for _, t := range req.Topics {
		out := wire.OffsetForLeaderEpochResponseOffsetForLeaderTopicResult{Topic: t.Topic}
		for _, p := range t.Partitions {
			end := wire.NewOffsetForLeaderEpochResponseEpochEndOffset()
			end.Partition = p.Partition
			epoch, offset, err := b.Replicas.EpochEnd(t.Topic, p.Partition, p.LeaderEpoch, p.CurrentLeaderEpoch)
			end.ErrorCode = Code(err)
			if err == nil {
				end.LeaderEpoch, end.EndOffset = epoch, offset
			}
			out.Partitions = append(out.Partitions, end)
		}
		resp.Topics = append(resp.Topics, out)
	}
	c.Reply(resp)
}
