package api

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// Produce v0-11. Versions 0 to 2 carry message sets of magic 0 or 1, which the
// log up-converts; from version 3 each partition holds exactly one v2 batch.
// acks=0 has no reply: an error then closes the connection, so that the client
// asks for metadata again. The answer waits on no goroutine.

// production is one produce request in work.
type production struct {
	c    *context
	acks int16
	resp *wire.ProduceResponse
	left atomic.Int32
}

func (b *Broker) produce(c *context, req *wire.ProduceRequest) {
	p := &production{c: c, acks: req.Acks, resp: wire.NewProduceResponse()}
	refused, text := admit(req)
	p.resp.Responses = make([]wire.ProduceResponseTopicResponse, len(req.TopicData))
	total := 0
	for i := range req.TopicData {
		t := &req.TopicData[i]
		p.resp.Responses[i].Name = t.Name
		p.resp.Responses[i].PartitionResponses = make([]wire.ProduceResponsePartitionResponse, len(t.PartitionData))
		for j := range t.PartitionData {
			out := &p.resp.Responses[i].PartitionResponses[j]
			*out = wire.NewProduceResponsePartitionResponse()
			out.Index, out.ErrorCode, out.ErrorMessage = t.PartitionData[j].Index, refused, text
			out.BaseOffset = -1
		}
		total += len(t.PartitionData)
	}
	if refused != wire.CodeNone {
		p.left.Store(1)
		p.done()
		return
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
	err := b.acceptable(p.c, req.Acks, topic, in)
	if _, _, short := cutBatch(records); err != nil || errors.Is(short, record.ErrShort) {
		// Of versions 0 to 2 it is taken when nothing whole is sent.
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
	out.ErrorCode, out.BaseOffset = producedCode(res.Err), res.BaseOffset
	out.LogAppendTimeMs, out.LogStartOffset = res.LogAppendTime, res.LogStart
	if silentAboutStart(out.ErrorCode) {
		out.LogStartOffset = -1
	}
	if rejected, ok := errors.AsType[*record.RejectedError](res.Err); ok {
		out.ErrorMessage = new(rejected.Error())
		for _, r := range rejected.Records {
			out.RecordErrors = append(out.RecordErrors, wire.ProduceResponseBatchIndexAndErrorMessage{
				BatchIndex: r.Index, BatchIndexErrorMessage: new(r.Message)})
		}
	}
}

// producedCode is Code, but records that a codec cannot read, or of a codec
// that does not exist, are an unknown error to Kafka's producers.
func producedCode(err error) wire.Code {
	if _, ok := errors.AsType[*record.DecompressError](err); ok || errors.Is(err, record.ErrUnsupportedCodec) {
		return wire.CodeUnknownServerError
	}
	return Code(err)
}

// silentAboutStart lists the errors that Kafka expects of a working broker: they
// do not tell where the log starts, all others do.
func silentAboutStart(code wire.Code) bool {
	switch code {
	case wire.CodeUnknownTopicOrPartition, wire.CodeNotLeaderOrFollower, wire.CodeMessageTooLarge,
		wire.CodeRecordListTooLarge, wire.CodeCorruptMessage, wire.CodeKafkaStorageError:
		return true
	}
	return false
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
