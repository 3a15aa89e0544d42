package api

import "github.com/gregor-mq/gregor/wire"

// ConsumerGroupHeartbeat and ConsumerGroupDescribe v0 (KIP-848) need a cluster
// in KRaft mode. Kafka advertises them all the same and answers
// UNSUPPORTED_VERSION, from which clients learn to use JoinGroup.

func (b *Broker) consumerGroupHeartbeat(c *context, _ *wire.ConsumerGroupHeartbeatRequest) {
	resp := wire.NewConsumerGroupHeartbeatResponse()
	resp.ErrorCode = wire.CodeUnsupportedVersion
	c.Reply(resp)
}

func (b *Broker) consumerGroupDescribe(c *context, req *wire.ConsumerGroupDescribeRequest) {
	resp := wire.NewConsumerGroupDescribeResponse()
	for _, id := range req.GroupIDs {
		g := wire.NewConsumerGroupDescribeResponseDescribedGroup()
		g.GroupID, g.ErrorCode = id, wire.CodeUnsupportedVersion
		resp.Groups = append(resp.Groups, g)
	}
	c.Reply(resp)
}
