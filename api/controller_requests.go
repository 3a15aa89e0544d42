package api

import (
	stdcontext "context"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// AllocateProducerIds v0 (KIP-730) and ControlledShutdown v0-3: what brokers
// ask the active controller.

func (b *Broker) allocateProducerIDs(c *context, req *wire.AllocateProducerIDsRequest) {
	b.Run("allocate-producer-ids", func(ctx stdcontext.Context) {
		resp := wire.NewAllocateProducerIDsResponse()
		switch a := b.Controller.Ask(ctx, func(tag uint64) decide.Event {
			return decide.AllocateProducerIDs{Tag: tag, Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch}
		}).(type) {
		case decide.ProducerIDs:
			resp.ProducerIDStart, resp.ProducerIDLen = a.First, a.Count
		case decide.Failed:
			resp.ErrorCode = a.Err
		default:
			resp.ErrorCode = wire.CodeUnknownServerError
		}
		c.Reply(resp)
	})
}

func (b *Broker) controlledShutdown(c *context, req *wire.ControlledShutdownRequest) {
	b.Run("controlled-shutdown", func(ctx stdcontext.Context) {
		resp := wire.NewControlledShutdownResponse()
		switch a := b.Controller.Ask(ctx, func(tag uint64) decide.Event {
			return decide.ControlledShutdown{Tag: tag, Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch}
		}).(type) {
		case decide.ShutdownResult:
			for _, tp := range a.Remaining {
				resp.RemainingPartitions = append(resp.RemainingPartitions, wire.ControlledShutdownResponseRemainingPartition{
					TopicName: tp.Topic, PartitionIndex: tp.Partition})
			}
		case decide.Failed:
			if resp.ErrorCode = a.Err; a.Err == wire.CodeNotController {
				resp.ErrorCode = wire.CodeStaleControllerEpoch // Kafka's word for it here
			}
		default:
			resp.ErrorCode = wire.CodeUnknownServerError
		}
		c.Reply(resp)
	})
}
