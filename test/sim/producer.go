package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
)

// producer writes to one partition, idempotently and with acks=all, one batch at
// a time: it sends a batch until it is acknowledged.
type producer struct {
	*client
	number   int
	to       check.Partition
	id       int64
	epoch    int16
	sequence int32
	builder  record.Builder
}

// run sends until ctx ends, and then goes on until what it sent last is
// acknowledged, or hard ends too.
func (p *producer) run(ctx, hard context.Context) {
	defer p.close()
	if !p.identify(hard) {
		return
	}
	for ctx.Err() == nil {
		var values []check.Value
		for range 1 + p.rng.N(4) {
			values = append(values, p.w.history.Next(p.number, p.to))
		}
		offset, ok := p.send(hard, values)
		if !ok {
			return
		}
		for i, v := range values {
			p.w.history.Acked(p.to, v, offset+int64(i))
		}
		p.w.acked.Add(int64(len(values)))
		_ = env.Sleep(ctx, p.env.Clock, p.rng.Between(time.Millisecond, 40*time.Millisecond)) // ends with ctx, as the loop does
	}
}

// identify gets a producer id.
func (p *producer) identify(ctx context.Context) bool {
	for {
		req := wire.NewInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMs = nil, 60_000
		addresses := p.addresses()
		resp, err := askFor[*wire.InitProducerIDResponse](ctx, p.client, addresses[p.rng.N(len(addresses))], req, 4)
		if err == nil && resp.ErrorCode == wire.CodeNone {
			p.id, p.epoch = resp.ProducerID, resp.ProducerEpoch
			return true
		}
		if err == nil {
			err = resp.ErrorCode
		}
		if !p.again(ctx, err) {
			return false
		}
	}
}

// send sends one batch until it is acknowledged, and returns its offset. A
// broker that does not know yet that it leads no more finds a gap before it, as
// Apache Kafka's would; one that still does in the end shows as no answer.
func (p *producer) send(ctx context.Context, values []check.Value) (int64, bool) {
	p.builder.Reset(record.Spec{HasProducer: true, ProducerID: p.id, ProducerEpoch: p.epoch, BaseSequence: p.sequence})
	for _, v := range values {
		p.builder.Append(p.env.Clock.Now().UnixMilli(), nil, v.Encode(p.to, p.rng.N(200)))
	}
	batch, err := p.builder.Build()
	if err != nil {
		p.w.problem(fmt.Errorf("%s: %w", p.name, err))
		return 0, false
	}
	for {
		if p.old() {
			_ = p.refresh(ctx) // what is known will do
		}
		out, err := p.once(ctx, batch)
		switch {
		case err == nil && out.ErrorCode == wire.CodeNone:
			p.w.trace.Add("%s: sequence %d is at offset %d", p.name, p.sequence, out.BaseOffset)
			p.sequence = record.AddSequence(p.sequence, int32(len(values)))
			return out.BaseOffset, true
		case err == nil && !out.ErrorCode.Retriable() && out.ErrorCode != wire.CodeOutOfOrderSequenceNumber:
			p.w.trace.Add("%s: sequence %d is refused: %v", p.name, p.sequence, out.ErrorCode)
			p.w.history.Refused(p.to, values[0], out.ErrorCode)
			return 0, false
		case err == nil:
			err = out.ErrorCode
		}
		if !p.again(ctx, err) {
			return 0, false
		}
	}
}

// once sends the batch to the leader.
func (p *producer) once(ctx context.Context, batch record.Batch) (out wire.ProduceResponsePartitionResponse, err error) {
	leader, ok := p.leader(p.to)
	if !ok {
		return out, errNobody
	}
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = -1, int32((requestTimeout - requestTimeout/10).Milliseconds())
	part := wire.NewProduceRequestPartitionData()
	part.Index, part.Records.Bytes = p.to.Index, append([]byte{}, batch...)
	topic := wire.NewProduceRequestTopicData()
	topic.Name = p.to.Topic
	topic.PartitionData = append(topic.PartitionData, part)
	req.TopicData = append(req.TopicData, topic)
	resp, err := askFor[*wire.ProduceResponse](ctx, p.client, leader, req, 9)
	if err != nil {
		return out, err
	}
	return resp.Responses[0].PartitionResponses[0], nil
}
