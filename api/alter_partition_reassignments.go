package api

import (
	stdcontext "context"
	"slices"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// AlterPartitionReassignments v0 (KIP-455): only the controller serves it;
// other brokers answer NOT_CONTROLLER for the whole request. Null replicas cancel
// a reassignment. The answer says that it began, not that it is done.

func (b *Broker) alterPartitionReassignments(c *context, req *wire.AlterPartitionReassignmentsRequest) {
	items := reassignments(req)
	b.Run("alter-reassignments", func(ctx stdcontext.Context) {
		resp := wire.NewAlterPartitionReassignmentsResponse()
		switch a := b.Controller.Ask(ctx, func(tag uint64) decide.Event {
			return decide.AlterReassignments{Tag: tag, Items: items}
		}).(type) {
		case decide.ReassignmentResults:
			resp.Responses = reassignmentAnswer(a.Items)
		case decide.Failed:
			resp.ErrorCode, resp.ErrorMessage = a.Err, new(codeText(a.Err))
		default:
			resp.ErrorCode = wire.CodeUnknownServerError
		}
		c.Reply(resp)
	})
}

// reassignments lists what is asked for, sorted; of two for one partition the
// last counts.
func reassignments(req *wire.AlterPartitionReassignmentsRequest) []decide.Reassignment {
	var out []decide.Reassignment
	for _, t := range slices.Backward(req.Topics) {
		for _, p := range slices.Backward(t.Partitions) {
			out = append(out, decide.Reassignment{
				TopicPartition: decide.TopicPartition{Topic: t.Name, Partition: p.PartitionIndex}, Target: p.Replicas})
		}
	}
	slices.SortStableFunc(out, func(x, y decide.Reassignment) int { return comparePartitions(x.TopicPartition, y.TopicPartition) })
	return slices.CompactFunc(out, func(x, y decide.Reassignment) bool { return x.TopicPartition == y.TopicPartition })
}

func reassignmentAnswer(results []decide.ReassignmentResult) []wire.AlterPartitionReassignmentsResponseReassignableTopicResponse {
	var out []wire.AlterPartitionReassignmentsResponseReassignableTopicResponse
	for _, r := range results {
		if last := len(out) - 1; last < 0 || out[last].Name != r.Topic {
			out = append(out, wire.AlterPartitionReassignmentsResponseReassignableTopicResponse{Name: r.Topic})
		}
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, wire.AlterPartitionReassignmentsResponseReassignablePartitionResponse{
			PartitionIndex: r.Partition, ErrorCode: r.Err, ErrorMessage: textOrNull(r.Message)})
	}
	return out
}
