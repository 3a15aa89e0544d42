package follow

import (
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/wire"
)

// keepBuffer is what an idle fetcher keeps of its buffer; busy ones keep all.
const keepBuffer = 64 << 10

// fetch asks for what is new and takes it over.
func (t *fetcher) fetch() {
	call := rpc.Call{Request: &t.request, Version: t.buildFetch(), Response: &t.response, Buffer: t.buffer}
	err := t.ask(&call)
	t.buffer = call.Buffer
	if err != nil {
		t.rest()
		return
	}
	if fresh, err := t.accept(&t.response); err != nil {
		if fresh {
			t.log.Info("fetch session ends, beginning another", "error", err)
			return
		}
		t.log.Warn("source cannot be copied from, trying again", "error", err)
		t.rest()
		return
	}
	size, next := 0, 0
	for i := range t.response.Responses {
		topic := &t.response.Responses[i]
		for j := range topic.Partitions {
			p, data := t.found[next], &topic.Partitions[j]
			next++
			// It may have left with an earlier partition's failure.
			if p.stage == stageFetching {
				size += len(data.Records.Bytes)
				t.take(p, data)
			}
		}
	}
	t.findRange()
	t.settle()
	if size == 0 && cap(t.buffer) > keepBuffer {
		t.buffer, t.response = nil, wire.FetchResponse{}
	}
}

// take takes over what the leader says of one partition.
func (t *fetcher) take(p *part, data *wire.FetchResponsePartitionData) {
	switch code := data.ErrorCode; code {
	case wire.CodeNone:
		if t.set.versions.diverging && data.DivergingEpoch.Epoch >= 0 {
			t.reconcile(p, epochEnd{data.DivergingEpoch.Epoch, data.DivergingEpoch.EndOffset})
			return
		}
		t.grow(p, data)
	case wire.CodeOffsetOutOfRange:
		t.lost = append(t.lost, p)
	default:
		t.rejected(p, code)
	}
}

// rejected handles the leader's refusal of one partition.
func (t *fetcher) rejected(p *part, code wire.Code) {
	switch code {
	case wire.CodeFencedLeaderEpoch:
		// The leader is in a newer epoch, of which the controller will tell us.
		t.log.Info("leader is ahead of us: partition waits for the controller", "partition", p.String(), "epoch", p.LeaderEpoch)
		t.park(p)
		return
	case wire.CodeUnknownLeaderEpoch, wire.CodeNotLeaderOrFollower, wire.CodeUnknownTopicOrPartition, wire.CodeUnknownTopicID:
		// The leader has not heard yet what we have.
		t.log.Debug("leader does not serve a partition, trying again", "partition", p.String(), "epoch", p.LeaderEpoch, "error", code)
	default:
		t.log.Error("leader cannot serve a partition, trying again", "partition", p.String(), "offset", p.at.End, "error", code)
	}
	t.pause(p)
}

// grow appends what came. A partition to which nothing happened is not named in
// the next request.
func (t *fetcher) grow(p *part, data *wire.FetchResponsePartitionData) {
	size, end := len(data.Records.Bytes), p.at.End
	at, err := p.Replica.Append(Fetched{
		Offset: end, Records: data.Records.Bytes, HighWatermark: data.HighWatermark, LogStart: data.LogStartOffset,
	})
	if quota := t.set.cfg.Throttle; size > 0 && quota != nil && quota.Throttled(p.Topic, p.Index) {
		quota.Record(t.clock.Now(), size)
	}
	if t.refused(p, err) {
		return
	}
	t.moved(p, at)
	lag := max(0, data.HighWatermark-at.End)
	p.lag.Store(lag)
	t.parts.markBehind(p, lag > 0)
	if size > 0 && at.End == end {
		// Versions before 3 send a part of a batch that is too large.
		t.log.Error("a batch is larger than replica.fetch.max.bytes", "partition", p.String(), "offset", end)
		t.pause(p)
	}
}

// moved takes over a new position.
func (t *fetcher) moved(p *part, at Position) {
	p.at = at
	if p.stage == stageFetching && t.wanted(p) != p.member.told {
		t.session.join(p)
	}
}

// settle has recovery points written when logs were cut.
func (t *fetcher) settle() {
	if t.cut && t.set.cfg.Settle != nil {
		t.set.cfg.Settle()
	}
	t.cut = false
}
