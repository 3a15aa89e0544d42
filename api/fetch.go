package api

import (
	"errors"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// Fetch v0-17: sessions from v7 (KIP-227), nearer replicas from v11 (KIP-392),
// topic ids from v13 (KIP-516), the replica's state as a tagged field from v15
// (KIP-903). Consumers of versions 0 to 3 get message sets of magic 0 or 1; zstd
// is for version 10 and later. Record bytes stay in their files until the reply
// is written.

const (
	// fetchMagic1 and fetchMagic2 are the first versions whose consumers read
	// that message format; zstdFetchVersion the first that knows zstd.
	fetchMagic1, fetchMagic2, zstdFetchVersion = 2, 4, 10
	// wholeBatchVersion is the first that may return one batch above the limit.
	wholeBatchVersion = 3
	// preferredVersion is the first whose consumers say in which rack they are,
	// and may read from followers (KIP-392).
	preferredVersion = 11
	fetchByIDVersion = 13
	// leaderVersion is the first that names the leader when it is not this
	// broker (KIP-951).
	leaderVersion = 16
)

func (b *Broker) fetch(c *context, req *wire.FetchRequest) {
	if i := replica.Isolation(req.IsolationLevel); i != replica.ReadUncommitted && i != replica.ReadCommitted {
		c.Reply(failedFetch(c.version(), req, wire.CodeUnknownServerError))
		return
	}
	r := b.fetchRequest(c.version(), c.Peer().Listener, req)
	c.Release() // the request holds copies only
	res, pending := b.Replicas.Fetch(r, func(resume func() *replica.FetchResult) {
		c.ReplyFunc(func() wire.Body { return b.fetchResponse(c, resume()) })
	})
	if pending != nil {
		c.OnClose(pending.Cancel)
		return
	}
	c.OnClose(func() { releaseSpans(res) })
	c.ReplyFunc(func() wire.Body { return b.fetchResponse(c, res) })
}

// failedFetch answers a fetch that failed as a whole. Clients of versions before
// topic ids look for the error in the partitions.
func failedFetch(version int16, req *wire.FetchRequest, code wire.Code) wire.Body {
	resp := wire.NewFetchResponse()
	resp.ErrorCode, resp.SessionID = code, req.SessionID
	if version >= fetchByIDVersion {
		return resp
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		out := wire.FetchResponseFetchableTopicResponse{Topic: t.Topic}
		for j := range t.Partitions {
			p := wire.NewFetchResponsePartitionData()
			p.PartitionIndex = t.Partitions[j].Partition
			refuseFetched(&p, code)
			out.Partitions = append(out.Partitions, p)
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp
}

// refuseFetched makes an answer of an error alone, with records that are null.
func refuseFetched(out *wire.FetchResponsePartitionData, code wire.Code) {
	index := out.PartitionIndex
	*out = wire.NewFetchResponsePartitionData()
	out.PartitionIndex, out.ErrorCode, out.HighWatermark = index, code, -1
}

func releaseSpans(res *replica.FetchResult) {
	for _, p := range res.Partitions {
		p.Span.Release()
	}
}

func (b *Broker) fetchRequest(version int16, listener string, req *wire.FetchRequest) *replica.FetchRequest {
	r := &replica.FetchRequest{
		ReplicaID: req.ReplicaID, MaxWait: time.Duration(req.MaxWaitMs) * time.Millisecond,
		MinBytes: int(req.MinBytes), MaxBytes: int(req.MaxBytes), Isolation: replica.Isolation(req.IsolationLevel),
		WholeBatches: version >= wholeBatchVersion, ByID: version >= fetchByIDVersion,
		SessionID: req.SessionID, SessionEpoch: req.SessionEpoch,
	}
	if version >= 15 {
		r.ReplicaID = req.ReplicaState.ReplicaID
	}
	if r.ReplicaID < 0 && version >= preferredVersion {
		r.Anywhere, r.Rack, r.Listener = true, req.RackID, listener
	}
	if r.ReplicaID < 0 || version < fetchMagic2 {
		// Whoever says that it is a broker may ask for more, but not where the
		// answer is converted in memory.
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
				Offset:        p.FetchOffset, MaxBytes: int(p.PartitionMaxBytes), LeaderEpoch: p.CurrentLeaderEpoch,
				LastFetchedEpoch: p.LastFetchedEpoch, LogStart: p.LogStartOffset,
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

// fetchResponse groups the partitions by topic, in the order they come, those
// that the cluster does not know last.
func (b *Broker) fetchResponse(c *context, res *replica.FetchResult) wire.Body {
	version := c.version()
	resp := wire.NewFetchResponse()
	resp.ErrorCode, resp.SessionID = res.Code, res.SessionID
	unknownLast(res.Partitions)
	for i := range res.Partitions {
		p := &res.Partitions[i]
		last := len(resp.Responses) - 1
		if last < 0 || !sameTopic(version, &resp.Responses[last], p) {
			resp.Responses = append(resp.Responses, wire.FetchResponseFetchableTopicResponse{Topic: p.Topic, TopicID: p.TopicID})
			last++
		}
		t := &resp.Responses[last]
		t.Partitions = append(t.Partitions, wire.NewFetchResponsePartitionData())
		out := &t.Partitions[len(t.Partitions)-1]
		b.fillFetched(version, p, out)
		if version >= leaderVersion && (out.ErrorCode == wire.CodeNotLeaderOrFollower || out.ErrorCode == wire.CodeFencedLeaderEpoch) {
			b.pointToLeader(c.Peer().Listener, p, out, resp)
		}
	}
	return resp
}

// unknownToCluster says that a partition's topic, or it, does not exist.
func unknownToCluster(code wire.Code) bool {
	return code == wire.CodeUnknownTopicOrPartition || code == wire.CodeUnknownTopicID
}

// unknownLast moves partitions that do not exist to the end, where Kafka has them.
func unknownLast(parts []replica.FetchedPartition) {
	var unknown []replica.FetchedPartition
	known := parts[:0]
	for _, p := range parts {
		if p.Err != nil && unknownToCluster(Code(p.Err)) {
			unknown = append(unknown, p)
		} else {
			known = append(known, p)
		}
	}
	copy(parts[len(known):], unknown)
}

// sameTopic looks at what the version names topics by: a partition that is not
// here lacks the other.
func sameTopic(version int16, t *wire.FetchResponseFetchableTopicResponse, p *replica.FetchedPartition) bool {
	if version >= fetchByIDVersion {
		return t.TopicID == p.TopicID
	}
	return t.Topic == p.Topic
}

// pointToLeader names the leader that a client should ask, and where it listens.
func (b *Broker) pointToLeader(listener string, p *replica.FetchedPartition, out *wire.FetchResponsePartitionData, resp *wire.FetchResponse) {
	leader := b.currentLeader(listener, p.Topic, p.TopicID, p.Partition)
	out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = leader.id, leader.epoch
	named := slices.ContainsFunc(resp.NodeEndpoints, func(n wire.FetchResponseNodeEndpoint) bool { return n.NodeID == leader.id })
	if n := leader.node; n != nil && !named {
		resp.NodeEndpoints = append(resp.NodeEndpoints, wire.FetchResponseNodeEndpoint{NodeID: leader.id, Host: n.Host, Port: n.Port, Rack: n.rack})
	}
}

func (b *Broker) fillFetched(version int16, p *replica.FetchedPartition, out *wire.FetchResponsePartitionData) {
	out.PartitionIndex, out.ErrorCode = p.Partition, Code(p.Err)
	out.HighWatermark, out.LastStableOffset, out.LogStartOffset = p.HighWatermark, p.LastStable, p.LogStart
	out.PreferredReadReplica = p.Preferred
	switch {
	case p.Err != nil && unknownToCluster(out.ErrorCode):
		// As Kafka: the schema's default, which is empty.
	case p.Aborted == nil:
		out.AbortedTransactions = nil
	}
	for _, a := range p.Aborted {
		out.AbortedTransactions = append(out.AbortedTransactions, wire.FetchResponseAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	if p.Diverging != nil {
		out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset = p.Diverging.Epoch, p.Diverging.Offset
	}
	if code := b.unreadable(version, p, out.ErrorCode); code != wire.CodeNone {
		p.Span.Release()
		refuseFetched(out, code)
		return
	}
	if p.Span.Size() == 0 {
		p.Span.Release()
		out.Records.Bytes = []byte{}
		return
	}
	if version >= fetchMagic2 {
		out.Records.Hole = p.Span
		return
	}
	records, err := olderRecords(version, p)
	p.Span.Release()
	if err != nil {
		refuseFetched(out, Code(err))
		return
	}
	out.Records.Bytes = records
}

// unreadable says why a topic is closed to an old client, whatever its
// partition holds: records that may be zstd (those of a topic that leaves the
// codec to producers are the consumer's risk), or no conversion.
func (b *Broker) unreadable(version int16, p *replica.FetchedPartition, code wire.Code) wire.Code {
	if version >= zstdFetchVersion || code == wire.CodeNotLeaderOrFollower || unknownToCluster(code) {
		return wire.CodeNone
	}
	t := b.Settings.Topic(p.Topic)
	switch {
	case t.Compression == record.Zstd.String():
		return wire.CodeUnsupportedCompressionType
	case version < fetchMagic2 && !t.DownConversion:
		return wire.CodeUnsupportedVersion
	}
	return wire.CodeNone
}

// olderRecords reads a span for a client that does not know the v2 format.
func olderRecords(version int16, p *replica.FetchedPartition) ([]byte, error) {
	raw, err := p.Span.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	magic := int8(0)
	if version >= fetchMagic1 {
		magic = 1
	}
	out, err := record.Downconvert([]byte{}, storage.Whole(raw), magic, p.FetchOffset, 0)
	if errors.Is(err, record.ErrUnsupportedCodec) && len(out) > 0 {
		err = nil // what comes before zstd is readable; the next fetch is told
	}
	return out, err
}
