package api

import (
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// Fetch v0-17: sessions from v7 (KIP-227), topic ids from v13 (KIP-516), the
// replica's state as a tagged field from v15 (KIP-903). Consumers of versions
// 0 to 3 get message sets of magic 0 or 1; zstd is for version 10 and later.
// Record bytes stay in their files until the reply is written.

const (
	// fetchMagic1 and fetchMagic2 are the first versions whose consumers read
	// that message format; zstdFetchVersion the first that knows zstd.
	fetchMagic1, fetchMagic2, zstdFetchVersion = 2, 4, 10
	// wholeBatchVersion is the first that may return one batch above the limit.
	wholeBatchVersion = 3
	fetchByIDVersion  = 13
)

func (b *Broker) fetch(c *context, req *wire.FetchRequest) {
	r := b.fetchRequest(c.version(), req)
	c.Release() // the request holds copies only
	res, pending := b.Replicas.Fetch(r, func(resume func() *replica.FetchResult) {
		c.ReplyFunc(func() wire.Body { return b.fetchResponse(c.version(), resume()) })
	})
	if pending != nil {
		c.OnClose(pending.Cancel)
		return
	}
	c.OnClose(func() { releaseSpans(res) })
	c.ReplyFunc(func() wire.Body { return b.fetchResponse(c.version(), res) })
}

func releaseSpans(res *replica.FetchResult) {
	for _, p := range res.Partitions {
		p.Span.Release()
	}
}

func (b *Broker) fetchRequest(version int16, req *wire.FetchRequest) *replica.FetchRequest {
	r := &replica.FetchRequest{
		ReplicaID: req.ReplicaID, MaxWait: time.Duration(req.MaxWaitMs) * time.Millisecond,
		MinBytes: int(req.MinBytes), MaxBytes: int(req.MaxBytes), Isolation: replica.Isolation(req.IsolationLevel),
		WholeBatches: version >= wholeBatchVersion, ByID: version >= fetchByIDVersion,
		SessionID: req.SessionID, SessionEpoch: req.SessionEpoch,
	}
	if version >= 15 {
		r.ReplicaID = req.ReplicaState.ReplicaID
	}
	if r.ReplicaID < 0 {
		r.MaxBytes = min(r.MaxBytes, int(b.Settings.Broker().FetchMaxBytes))
	}
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	r.Partitions = make([]replica.FetchPartition, 0, n)
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			r.Partitions = append(r.Partitions, replica.FetchPartition{
				PartitionName: replica.PartitionName{Topic: t.Topic, TopicID: t.TopicID, Partition: p.Partition},
				Offset:        p.FetchOffset, MaxBytes: int(p.PartitionMaxBytes), LeaderEpoch: p.CurrentLeaderEpoch, LogStart: p.LogStartOffset,
			})
		}
	}
	for _, t := range req.ForgottenTopicsData {
		for _, p := range t.Partitions {
			r.Forgotten = append(r.Forgotten, replica.PartitionName{Topic: t.Topic, TopicID: t.TopicID, Partition: p})
		}
	}
	return r
}

// fetchResponse groups the partitions by topic, in the order they come.
func (b *Broker) fetchResponse(version int16, res *replica.FetchResult) wire.Body {
	resp := wire.NewFetchResponse()
	resp.ErrorCode, resp.SessionID = res.Code, res.SessionID
	for i := range res.Partitions {
		p := &res.Partitions[i]
		last := len(resp.Responses) - 1
		if last < 0 || resp.Responses[last].Topic != p.Topic || resp.Responses[last].TopicID != p.TopicID {
			resp.Responses = append(resp.Responses, wire.FetchResponseFetchableTopicResponse{Topic: p.Topic, TopicID: p.TopicID})
			last++
		}
		t := &resp.Responses[last]
		t.Partitions = append(t.Partitions, wire.NewFetchResponsePartitionData())
		b.fillFetched(version, p, &t.Partitions[len(t.Partitions)-1])
	}
	return resp
}

func (b *Broker) fillFetched(version int16, p *replica.FetchedPartition, out *wire.FetchResponsePartitionData) {
	out.PartitionIndex, out.ErrorCode = p.Partition, Code(p.Err)
	out.HighWatermark, out.LastStableOffset, out.LogStartOffset = p.HighWatermark, p.LastStable, p.LogStart
	for _, a := range p.Aborted {
		out.AbortedTransactions = append(out.AbortedTransactions, wire.FetchResponseAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	if p.Span.Size() == 0 {
		p.Span.Release()
		out.Records.Bytes = []byte{}
		return
	}
	if version >= zstdFetchVersion {
		out.Records.Hole = p.Span
		return
	}
	// Old clients: look at the batches before they go out.
	records, err := b.olderRecords(version, p)
	p.Span.Release()
	if err != nil {
		out.ErrorCode, out.HighWatermark, out.LastStableOffset, out.LogStartOffset = Code(err), -1, -1, -1
		records = []byte{}
	}
	out.Records.Bytes = records
}

// olderRecords reads a span for a client that does not know zstd, or neither
// the v2 format.
func (b *Broker) olderRecords(version int16, p *replica.FetchedPartition) ([]byte, error) {
	raw, err := p.Span.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	for batch, err := range record.All(raw) {
		if err != nil {
			break // the tail is not whole: version 2 and before bear it
		}
		if batch.Codec() == record.Zstd {
			return nil, wire.CodeUnsupportedCompressionType
		}
	}
	if version >= fetchMagic2 {
		return raw, nil
	}
	if !b.Settings.Topic(p.Topic).DownConversion {
		return nil, wire.CodeUnsupportedVersion
	}
	magic := int8(0)
	if version >= fetchMagic1 {
		magic = 1
	}
	return record.Downconvert([]byte{}, storage.Whole(raw), magic, p.FetchOffset, 0)
}
