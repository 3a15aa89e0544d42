package api

import (
	"errors"
	"slices"
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

// leaderInProduce is the first version that names the leader when it is not
// this broker (KIP-951).
const leaderInProduce = 10

// production is one produce request in work.
type production struct {
	b    *Broker
	c    *context
	acks int16
	resp *wire.ProduceResponse
	left atomic.Int32
}

func (b *Broker) produce(c *context, req *wire.ProduceRequest) {
	p := &production{b: b, c: c, acks: req.Acks, resp: wire.NewProduceResponse()}
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
		p.done()
	})
}

// pointToLeaders names the leaders of partitions that this broker does not
// lead, and where they listen.
func (p *production) pointToLeaders() {
	listener := p.c.Peer().Listener
	for i := range p.resp.Responses {
		t := &p.resp.Responses[i]
		for j := range t.PartitionResponses {
			out := &t.PartitionResponses[j]
			if out.ErrorCode != wire.CodeNotLeaderOrFollower {
				continue
			}
			leader := p.b.currentLeader(listener, t.Name, wire.UUID{}, out.Index)
			out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = leader.id, leader.epoch
			named := slices.ContainsFunc(p.resp.NodeEndpoints, func(n wire.ProduceResponseNodeEndpoint) bool { return n.NodeID == leader.id })
			if n := leader.node; n != nil && !named {
				p.resp.NodeEndpoints = append(p.resp.NodeEndpoints, wire.ProduceResponseNodeEndpoint{NodeID: leader.id, Host: n.Host, Port: n.Port, Rack: n.rack})
			}
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
		if p.c.version() >= leaderInProduce {
			p.pointToLeaders()
		}
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
