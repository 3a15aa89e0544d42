package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/record"
)

// builders keeps the buffers of encoded batches.
var builders = sync.Pool{New: func() any { return new(record.Builder) }}

// encode writes a batch, once for all attempts under one number.
func (p *Producer) encode(b *lane.Batch[item]) error {
	if b.Wire != nil {
		return nil
	}
	bl, ok := builders.Get().(*record.Builder)
	if !ok {
		bl = new(record.Builder)
	}
	defer builders.Put(bl)
	bl.Reset(record.Spec{
		Codec: record.Codec(p.opts.codec), HasProducer: b.Identity != lane.Nobody,
		ProducerID: b.Identity.ID, ProducerEpoch: b.Identity.Epoch, BaseSequence: b.Sequence,
	})
	var headers []record.Header
	for _, it := range b.Records {
		headers = headers[:0]
		for _, h := range it.rec.Headers {
			headers = append(headers, record.Header{Key: []byte(h.Key), Value: h.Value})
		}
		bl.Append(it.rec.Timestamp.UnixMilli(), it.rec.Key, it.rec.Value, headers...)
	}
	whole, err := bl.Build()
	if err != nil {
		return fmt.Errorf("%w: %w", kerr.InvalidRecord, err)
	}
	b.Wire = bytes.Clone(whole)
	return nil
}

// answer is what came of one batch.
type answer struct {
	err error
	// base is the first record's offset, -1 when unknown; appended is the broker's
	// time in ms, -1 where records keep theirs.
	base, appended int64
}

// ship sends a request and takes in what came of its batches.
func (p *Producer) ship(ctx context.Context, s *shipment) {
	answers := make([]answer, len(s.parts))
	req, asked := p.request(s, answers)
	if len(asked) > 0 {
		for k, a := range p.exchange(ctx, s.broker, req, asked, s.parts) {
			answers[asked[k]] = a
		}
	}
	p.settled(s, answers)
}

// request makes the request. Batches that cannot be encoded have their answer at
// once; asked are the places of the others.
func (p *Producer) request(s *shipment, answers []answer) (req *kmsg.ProduceRequest, asked []int) {
	req = kmsg.NewPtrProduceRequest()
	req.Acks = int16(p.opts.acks)
	req.TimeoutMillis = int32(min(p.opts.request.Milliseconds(), 1<<31-1))
	topics := map[string]int{}
	for i, part := range s.parts {
		if err := p.encode(part.batch); err != nil {
			answers[i] = answer{err: err}
			continue
		}
		asked = append(asked, i)
		name := part.queue.topic.name
		at, ok := topics[name]
		if !ok {
			at = len(req.Topics)
			topics[name] = at
			t := kmsg.NewProduceRequestTopic()
			t.Topic = name
			req.Topics = append(req.Topics, t)
		}
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = part.queue.number, part.batch.Wire
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, rp)
	}
	return req, asked
}

// errNoAnswer is for a batch that the broker's answer leaves out.
var errNoAnswer = errors.New("broker left the partition out of its answer")

// exchange sends the request and returns the answers for the batches asked about.
func (p *Producer) exchange(ctx context.Context, broker int32, req *kmsg.ProduceRequest, asked []int, parts []part) []answer {
	out := make([]answer, len(asked))
	// The broker's own limit comes first, so that it can say what it waited for.
	ctx, cancel := context.WithTimeout(ctx, p.opts.request+p.opts.request/4)
	defer cancel()
	resp, err := p.guide.request(ctx, broker, req)
	if err == nil && p.opts.acks == AcksNone {
		for k := range out {
			out[k] = answer{base: -1, appended: -1}
		}
		return out
	}
	r, ok := resp.(*kmsg.ProduceResponse)
	if err == nil && !ok {
		err = fmt.Errorf("answer to Produce is a %T", resp)
	}
	for k := range out {
		out[k] = answer{err: err}
		if err == nil {
			q := parts[asked[k]].queue
			out[k] = answerFor(r, q.topic.name, q.number)
		}
	}
	return out
}

func answerFor(r *kmsg.ProduceResponse, topic string, number int32) answer {
	for i := range r.Topics {
		if r.Topics[i].Topic != topic {
			continue
		}
		for j := range r.Topics[i].Partitions {
			rp := &r.Topics[i].Partitions[j]
			if rp.Partition != number {
				continue
			}
			err := kerr.ErrorForCode(rp.ErrorCode)
			if err != nil && rp.ErrorMessage != nil {
				err = fmt.Errorf("%w: %s", err, *rp.ErrorMessage)
			}
			return answer{err: err, base: rp.BaseOffset, appended: rp.LogAppendTime}
		}
	}
	return answer{err: errNoAnswer}
}

// settled takes in what came of a request's batches.
func (p *Producer) settled(s *shipment, answers []answer) {
	now := p.env.Clock.Now()
	var out []outcome
	var doubts []*partitionQueue
	p.mu.Lock()
	for i, part := range s.parts {
		q, a := part.queue, answers[i]
		verdict, err := q.lane.Answer(now, a.err)
		switch verdict {
		case lane.Acked:
			if a.err != nil { // a batch that the broker had already
				a = answer{base: -1, appended: -1}
			}
			p.place(part.batch, a)
			q.calling = true
			out = append(out, outcome{items: part.batch.Records, queue: q})
		case lane.Failed:
			q.calling = true
			err = fmt.Errorf("topic %s, partition %d: %w", q.topic.name, q.number, err)
			out = append(out, outcome{items: part.batch.Records, err: err, queue: q})
		case lane.AgainAfterLook:
			doubts = append(doubts, q)
		}
	}
	if p.mu.requests[s.broker]--; p.mu.requests[s.broker] == 0 {
		delete(p.mu.requests, s.broker)
	}
	p.mu.Unlock()
	for _, q := range doubts {
		p.guide.look(q.topic.name, q.number)
	}
	// Other partitions need not wait until everybody is told.
	run.Hint(p.wake)
	p.tell(out)
	run.Hint(p.wake)
}

// place tells records where they are.
func (p *Producer) place(b *lane.Batch[item], a answer) {
	for i, it := range b.Records {
		if a.base >= 0 {
			it.rec.Offset = a.base + int64(i)
		}
		if a.appended >= 0 {
			it.rec.Timestamp = time.UnixMilli(a.appended)
		}
	}
}
