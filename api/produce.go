package api

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// Produce v0-11. Versions 0 to 2 carry message sets of magic 0 or 1 and are
// up-converted; from version 3 each partition holds exactly one v2 batch.
// acks=0 has no reply: an error then closes the connection, so that the client
// asks for metadata again. The answer waits on no goroutine.

// zstdProduceVersion is the first that may carry zstd (KIP-110).
const zstdProduceVersion = 7

// production is one produce request in work.
type production struct {
	c    *context
	acks int16
	resp *wire.ProduceResponse
	left atomic.Int32
}

func (b *Broker) produce(c *context, req *wire.ProduceRequest) {
	p := &production{c: c, acks: req.Acks, resp: wire.NewProduceResponse()}
	p.resp.Responses = make([]wire.ProduceResponseTopicResponse, len(req.TopicData))
	total := 0
	for i := range req.TopicData {
		t := &req.TopicData[i]
		p.resp.Responses[i].Name = t.Name
		p.resp.Responses[i].PartitionResponses = make([]wire.ProduceResponsePartitionResponse, len(t.PartitionData))
		for j := range t.PartitionData {
			out := &p.resp.Responses[i].PartitionResponses[j]
			*out = wire.NewProduceResponsePartitionResponse()
			out.Index = t.PartitionData[j].Index
		}
		total += len(t.PartitionData)
	}
	p.left.Store(int32(total) + 1)
	for i := range req.TopicData {
		t := &req.TopicData[i]
		for j := range t.PartitionData {
			b.produceOne(p, req, t.Name, &t.PartitionData[j], &p.resp.Responses[i].PartitionResponses[j])
		}
	}
	// Every append has copied what it needs to the log.
	c.Release()
	p.done()
}

func (b *Broker) produceOne(p *production, req *wire.ProduceRequest, topic string, in *wire.ProduceRequestPartitionData, out *wire.ProduceResponsePartitionResponse) {
	records := in.Records.Bytes
	err := acceptable(p.c.version(), req.Acks, records)
	if err == nil && p.c.version() < 3 && len(records) > 0 {
		records, err = b.modern(topic, in.Index, records)
	}
	if err != nil || len(records) == 0 {
		fillProduced(out, replica.AppendResult{Err: err, BaseOffset: -1, LogAppendTime: -1, LogStart: -1})
		p.done()
		return
	}
	b.Replicas.Append(&replica.AppendRequest{
		Topic: topic, Partition: in.Index, Records: records, Acks: req.Acks, LeaderEpoch: replica.AnyEpoch,
		Timeout: time.Duration(req.TimeoutMs) * time.Millisecond, Origin: producer.Client,
	}, func(res replica.AppendResult) {
		fillProduced(out, res)
		if out.ErrorCode == wire.CodeNotLeaderOrFollower {
			b.hintLeader(p.c.version(), topic, in.Index, out)
		}
		p.done()
	})
}

// acceptable checks what the version promises about the bytes. Old message sets
// become v2 batches when they are appended.
func acceptable(version, acks int16, records []byte) error {
	if acks < replica.AcksAll || acks > replica.AcksLeader {
		return wire.CodeInvalidRequiredAcks
	}
	if version < 3 {
		return nil
	}
	batch, rest, err := record.Next(records)
	switch {
	case errors.Is(err, record.ErrShort):
		return &record.InvalidError{Reason: "the records hold no whole batch"}
	case errors.Is(err, record.ErrOldFormat):
		return &record.InvalidError{Reason: "produce requests of version 3 and above hold record batches of magic 2 only"}
	case err != nil:
		return err
	case len(rest) > 0:
		return &record.InvalidError{Reason: "produce requests of version 3 and above hold exactly one record batch per partition"}
	case batch.Codec() == record.Zstd && version < zstdProduceVersion:
		return wire.CodeUnsupportedCompressionType
	}
	return nil
}

// modern turns a message set of magic 0 or 1 into one v2 batch. Old producers
// may send v2 batches too: the version does not promise a format.
func (b *Broker) modern(topic string, partition int32, set []byte) ([]byte, error) {
	_, magic, err := record.Peek(set)
	if err != nil || magic >= 2 {
		return set, err
	}
	t := b.Settings.Topic(topic)
	target, rules, err := conversion(t, fmt.Sprintf("%s-%d", topic, partition), b.Env.Clock.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	batch, _, err := record.Upconvert(&record.Builder{}, set, target, rules)
	return batch, err
}

// conversion says what a topic wants of records in an old format.
func conversion(t *config.Topic, partition string, now int64) (record.Target, *record.Rules, error) {
	codec, keep, err := record.ParseTopicCodec(t.Compression)
	if err != nil {
		return record.Target{}, nil, err
	}
	rules := &record.Rules{
		Partition: partition, Now: now, MaxBeforeMs: t.TimestampBeforeMaxMs, MaxAfterMs: t.TimestampAfterMaxMs, NeedKeys: t.Compact,
	}
	if t.LogAppendTime {
		rules.TimestampType = record.LogAppendTime
	}
	return record.Target{Keep: keep, Codec: codec, Level: int(t.CompressionLevel), MaxBytes: int(t.MaxMessageBytes)}, rules, nil
}

func (b *Broker) hintLeader(version int16, topic string, partition int32, out *wire.ProduceResponsePartitionResponse) {
	if version < 10 {
		return
	}
	if t := b.Metadata.Image().Topic(topic); t != nil {
		if part, ok := t.Partition(partition); ok {
			out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = part.Leader, part.LeaderEpoch
		}
	}
}

func fillProduced(out *wire.ProduceResponsePartitionResponse, res replica.AppendResult) {
	out.ErrorCode, out.BaseOffset = Code(res.Err), res.BaseOffset
	out.LogAppendTimeMs, out.LogStartOffset = res.LogAppendTime, res.LogStart
	if out.ErrorCode != wire.CodeInvalidRecord && out.ErrorCode != wire.CodeInvalidTimestamp {
		return
	}
	out.ErrorMessage = new(res.Err.Error())
	if rejected, ok := errors.AsType[*record.RejectedError](res.Err); ok {
		for _, r := range rejected.Records {
			out.RecordErrors = append(out.RecordErrors, wire.ProduceResponseBatchIndexAndErrorMessage{
				BatchIndex: r.Index, BatchIndexErrorMessage: new(r.Message)})
		}
	}
}

// done counts one partition; the last one answers.
func (p *production) done() {
	if p.left.Add(-1) > 0 {
		return
	}
	if p.acks != replica.AcksNone {
		p.c.Reply(p.resp)
		return
	}
	for _, t := range p.resp.Responses {
		for _, part := range t.PartitionResponses {
			if part.ErrorCode != wire.CodeNone {
				p.c.CloseConn(part.ErrorCode)
				return
			}
		}
	}
	p.c.NoReply()
}
