package api

import (
	stdcontext "context"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// ListPartitionReassignments v0 (KIP-455): only the controller serves it; other
// brokers answer NOT_CONTROLLER for the whole request. Null asks for all that
// are under way.

func (b *Broker) listPartitionReassignments(c *context, req *wire.ListPartitionReassignmentsRequest) {
	var asked []decide.TopicPartition // nil: all
	if req.Topics != nil {
		asked = []decide.TopicPartition{}
		for _, t := range req.Topics {
			for _, p := range t.PartitionIndexes {
				asked = append(asked, decide.TopicPartition{Topic: t.Name, Partition: p})
			}
		}
	}
	b.Run("list-reassignments", func(ctx stdcontext.Context) {
		resp := wire.NewListPartitionReassignmentsResponse()
		switch a := b.Controller.Ask(ctx, func(tag uint64) decide.Event {
			return decide.ListReassignments{Tag: tag, Partitions: asked}
		}).(type) {
		case decide.Reassignments:
			resp.Topics = ongoing(a.Items)
		case decide.Failed:
			resp.ErrorCode, resp.ErrorMessage = a.Err, new(codeText(a.Err))
		default:
			resp.ErrorCode = wire.CodeUnknownServerError
		}
		c.Reply(resp)
	})
}

// ongoing groups reassignments, which are sorted, by topic.
func ongoing(items []decide.OngoingReassignment) []wire.ListPartitionReassignmentsResponseOngoingTopicReassignment {
	var out []wire.ListPartitionReassignmentsResponseOngoingTopicReassignment
	for _, r := range items {
		if last := len(out) - 1; last < 0 || out[last].Name != r.Topic {
			out = append(out, wire.ListPartitionReassignmentsResponseOngoingTopicReassignment{Name: r.Topic})
		}
		t := &out[len(out)-1]
		a := r.Assignment
		t.Partitions = append(t.Partitions, wire.ListPartitionReassignmentsResponseOngoingPartitionReassignment{
			PartitionIndex: r.Partition, Replicas: a.Replicas, AddingReplicas: a.Adding, RemovingReplicas: a.Removing})
	}
	return out
}
