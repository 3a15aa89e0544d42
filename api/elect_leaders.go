package api

import (
	stdcontext "context"
	"time"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// ElectLeaders v0-2 (KIP-183; kinds of elections from v1, KIP-460): only the
// controller serves it; other brokers answer NOT_CONTROLLER per partition. The
// answer waits until this broker's metadata shows the new leaders, or for the
// timeout. Null asks for all partitions that this broker knows of; those that
// need no election are then left out.

// topLevelElections is the first version with an error for the whole request.
const topLevelElections = 1

func (b *Broker) electLeaders(c *context, req *wire.ElectLeadersRequest) {
	began := b.Env.Clock.Now()
	ev := decide.ElectLeaders{Type: decide.ElectionType(req.ElectionType), Partitions: electable(b.Metadata.Image(), req)}
	if ev.Type != decide.PreferredElection && ev.Type != decide.UncleanElection {
		resp := electionAnswer(req, failedElections(ev.Partitions, wire.CodeUnknownServerError))
		if c.version() >= topLevelElections {
			resp.ErrorCode = wire.CodeUnknownServerError
		}
		c.Reply(resp)
		return
	}
	b.Run("elect-leaders", func(ctx stdcontext.Context) {
		var results []decide.ElectionResult
		switch a := b.Controller.Ask(ctx, func(tag uint64) decide.Event { ev.Tag = tag; return ev }).(type) {
		case decide.ElectionResults:
			results = a.Items
			left := time.Duration(req.TimeoutMs)*time.Millisecond - b.Env.Clock.Now().Sub(began)
			b.awaitElected(ctx, left, results)
		case decide.Failed:
			results = failedElections(ev.Partitions, a.Err)
		default:
			results = failedElections(ev.Partitions, wire.CodeUnknownServerError)
		}
		c.Reply(electionAnswer(req, results))
	})
}

// electable lists what a request asks about.
func electable(image *metadata.Image, req *wire.ElectLeadersRequest) []decide.TopicPartition {
	var out []decide.TopicPartition
	if req.TopicPartitions == nil {
		for t := range image.Topics() {
			for i := range t.Partitions {
				out = append(out, decide.TopicPartition{Topic: t.Name, Partition: t.Partitions[i].Index})
			}
		}
	}
	for _, t := range req.TopicPartitions {
		for _, p := range t.Partitions {
			out = append(out, decide.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	return sortedOnce(out)
}

func failedElections(partitions []decide.TopicPartition, code wire.Code) []decide.ElectionResult {
	out := make([]decide.ElectionResult, len(partitions))
	for i, tp := range partitions {
		out[i] = decide.ElectionResult{TopicPartition: tp, Err: code}
	}
	return out
}

// awaitElected waits until the metadata shows the leaders that were elected;
// those that it does not show in time are answered REQUEST_TIMED_OUT.
func (b *Broker) awaitElected(ctx stdcontext.Context, timeout time.Duration, results []decide.ElectionResult) {
	pending := func(image *metadata.Image) []int {
		var out []int
		for i := range results {
			if r := &results[i]; r.Err == wire.CodeNone && !shows(image, r) {
				out = append(out, i)
			}
		}
		return out
	}
	for _, i := range b.watch(ctx, timeout, pending) {
		results[i].Err = wire.CodeRequestTimedOut
	}
}

func shows(image *metadata.Image, r *decide.ElectionResult) bool {
	t := image.Topic(r.Topic)
	if t == nil {
		return false
	}
	p, ok := t.Partition(r.Partition)
	return ok && p.Leader == r.Leader
}

// electionAnswer groups results, which are sorted, by topic.
func electionAnswer(req *wire.ElectLeadersRequest, results []decide.ElectionResult) *wire.ElectLeadersResponse {
	resp := wire.NewElectLeadersResponse()
	for i := range results {
		r := &results[i]
		if r.Err == wire.CodeElectionNotNeeded && req.TopicPartitions == nil {
			continue
		}
		if last := len(resp.ReplicaElectionResults) - 1; last < 0 || resp.ReplicaElectionResults[last].Topic != r.Topic {
			resp.ReplicaElectionResults = append(resp.ReplicaElectionResults, wire.ElectLeadersResponseReplicaElectionResult{Topic: r.Topic})
		}
		t := &resp.ReplicaElectionResults[len(resp.ReplicaElectionResults)-1]
		t.PartitionResult = append(t.PartitionResult, wire.ElectLeadersResponsePartitionResult{
			PartitionID: r.Partition, ErrorCode: r.Err, ErrorMessage: textOrNull(r.Message)})
	}
	return resp
}
