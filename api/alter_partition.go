package api

import (
	stdcontext "context"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// AlterPartition v0-3 (KIP-497, KIP-704, KIP-841, KIP-903): leaders tell the
// active controller which replicas are in sync. Topics have ids from v2 on. The
// broker epochs of v3 mean nothing to a controller over ZooKeeper.

func (b *Broker) alterPartition(c *context, req *wire.AlterPartitionRequest) {
	version := c.version()
	b.Run("alter-partition", func(ctx stdcontext.Context) {
		resp := wire.NewAlterPartitionResponse()
		switch a := b.Controller.Ask(ctx, func(tag uint64) decide.Event {
			return decide.AlterPartition{Tag: tag, Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch, Version: version, Items: proposals(req)}
		}).(type) {
		case decide.ISRResults:
			resp.Topics = isrAnswers(req, a.Items)
		case decide.Failed:
			resp.ErrorCode = a.Err
		default:
			resp.ErrorCode = wire.CodeUnknownServerError
		}
		c.Reply(resp)
	})
}

// proposals lists the partitions of a request in its order.
func proposals(req *wire.AlterPartitionRequest) []decide.ISRProposal {
	var out []decide.ISRProposal
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			isr := p.NewIsr
			for _, member := range p.NewIsrWithEpochs {
				isr = append(isr, member.BrokerID)
			}
			out = append(out, decide.ISRProposal{TopicID: t.TopicID, Topic: t.TopicName, Partition: p.PartitionIndex,
				LeaderEpoch: p.LeaderEpoch, ISR: isr, Recovering: p.LeaderRecoveryState != 0, PartitionEpoch: p.PartitionEpoch})
		}
	}
	return out
}

// isrAnswers groups the results, which are in the order of proposals, as the
// request groups them.
func isrAnswers(req *wire.AlterPartitionRequest, results []decide.ISRResult) []wire.AlterPartitionResponseTopicData {
	var out []wire.AlterPartitionResponseTopicData
	for i := range req.Topics {
		t := &req.Topics[i]
		topic := wire.AlterPartitionResponseTopicData{TopicName: t.TopicName, TopicID: t.TopicID}
		for range t.Partitions {
			r := &results[0]
			results = results[1:]
			p := wire.AlterPartitionResponsePartitionData{PartitionIndex: r.Partition, ErrorCode: r.Err}
			if r.Err == wire.CodeNone {
				l := &r.Leadership
				p.LeaderID, p.LeaderEpoch, p.Isr, p.PartitionEpoch = l.Leader, l.LeaderEpoch, l.ISR, l.PartitionEpoch
				if l.Recovering {
					p.LeaderRecoveryState = 1
				}
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		out = append(out, topic)
	}
	return out
}
