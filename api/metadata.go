package api

import (
	"cmp"
	"slices"

	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// Metadata v0-12. Version 0 asks for all topics with an empty list, later ones
// with null. Topics may be named by id from version 12. An unknown topic is
// created when client and broker allow it; the answer is then
// LEADER_NOT_AVAILABLE and the client asks again.

// Operation bits of KIP-430: what a caller may do with a resource. Without an
// authorizer everything that makes sense for the resource is allowed.
const (
	topicOperations   int32 = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	clusterOperations int32 = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	groupOperations   int32 = 1<<3 | 1<<6 | 1<<8
)

// metadataByID is the first version that takes ids of topics.
const metadataByID = 12

func (b *Broker) metadata(c *context, req *wire.MetadataRequest) {
	v := c.version()
	image := b.Metadata.Image()
	if code := unnamed(v, req); code != wire.CodeNone {
		c.Reply(refusedMetadata(req, code))
		return
	}
	resp := wire.NewMetadataResponse()
	resp.ClusterID, resp.ControllerID = &b.ClusterID, image.ControllerID
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	listener := c.Peer().Listener
	for _, br := range image.Brokers {
		if e, ok := br.Endpoint(listener); ok {
			resp.Brokers = append(resp.Brokers, wire.MetadataResponseBroker{NodeID: br.ID, Host: e.Host, Port: e.Port, Rack: br.Rack})
		}
	}
	d := describer{b: b, image: image, listener: listener, version: v}
	if req.IncludeTopicAuthorizedOperations {
		d.operations = topicOperations
	} else {
		d.operations = wire.NewMetadataResponseTopic().TopicAuthorizedOperations
	}
	if req.Topics == nil || v == 0 && len(req.Topics) == 0 {
		for t := range image.Topics() {
			resp.Topics = append(resp.Topics, d.topic(t))
		}
		slices.SortFunc(resp.Topics, func(x, y wire.MetadataResponseTopic) int { return cmp.Compare(*x.Name, *y.Name) })
		c.Reply(resp)
		return
	}
	var missing []string
	for _, t := range onceEach(req.Topics) {
		known, answer := d.named(t)
		resp.Topics = append(resp.Topics, answer)
		if !known && answer.ErrorCode == wire.CodeUnknownTopicOrPartition && t.Name != nil {
			missing = append(missing, *t.Name)
		}
	}
	if len(missing) == 0 || !req.AllowAutoTopicCreation || !b.Settings.Broker().AutoCreateTopics {
		c.Reply(resp)
		return
	}
	b.Admin.AutoCreate(missing, func(codes map[string]wire.Code) {
		for i := range resp.Topics {
			t := &resp.Topics[i]
			if t.Name == nil {
				continue
			}
			if code, ok := codes[*t.Name]; ok {
				t.ErrorCode = code
			}
		}
		c.Reply(resp)
	})
}

// unnamed refuses a request with a topic that nothing is known of, or with an
// id in a version that has none.
func unnamed(version int16, req *wire.MetadataRequest) wire.Code {
	ids := namesIDs(req.Topics)
	if ids && version < metadataByID {
		return wire.CodeInvalidRequest
	}
	nameless := slices.ContainsFunc(req.Topics, func(t wire.MetadataRequestTopic) bool { return t.Name == nil })
	if nameless && !ids {
		return wire.CodeInvalidRequest
	}
	return wire.CodeNone
}

// refusedMetadata answers every topic with one code and tells nothing else.
func refusedMetadata(req *wire.MetadataRequest, code wire.Code) *wire.MetadataResponse {
	resp := wire.NewMetadataResponse()
	for _, t := range req.Topics {
		out := wire.NewMetadataResponseTopic()
		out.ErrorCode, out.Name, out.TopicID = code, t.Name, t.TopicID
		if out.Name == nil {
			out.Name = new("")
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func namesIDs(topics []wire.MetadataRequestTopic) bool {
	return slices.ContainsFunc(topics, func(t wire.MetadataRequestTopic) bool { return t.TopicID != (wire.UUID{}) })
}

// onceEach returns what is asked for without repetitions. When any topic has an
// id, names do not count.
func onceEach(topics []wire.MetadataRequestTopic) []wire.MetadataRequestTopic {
	type key struct {
		id   wire.UUID
		name string
	}
	ids := namesIDs(topics)
	seen := map[key]bool{}
	var out []wire.MetadataRequestTopic
	for _, t := range topics {
		k := key{id: t.TopicID}
		switch {
		case ids && t.TopicID == (wire.UUID{}):
			continue
		case ids:
			t.Name = nil
		default:
			k.name = *t.Name
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, t)
		}
	}
	return out
}

// describer turns the image into response topics for one listener.
type describer struct {
	b          *Broker
	image      *metadata.Image
	listener   string
	version    int16
	operations int32
}

// named answers one requested topic; known is false when it does not exist.
func (d *describer) named(t wire.MetadataRequestTopic) (known bool, answer wire.MetadataResponseTopic) {
	var found *metadata.Topic
	answer = wire.NewMetadataResponseTopic()
	byID := t.TopicID != (wire.UUID{})
	if byID {
		found = d.image.TopicByID(t.TopicID)
	} else {
		found = d.image.Topic(*t.Name)
	}
	if found != nil {
		return true, d.topic(found)
	}
	answer.TopicID, answer.Name = t.TopicID, t.Name
	switch {
	case byID:
		answer.ErrorCode = wire.CodeUnknownTopicID
	case metadata.ValidateTopicName(*t.Name) != nil:
		answer.ErrorCode = wire.CodeInvalidTopicException
	default:
		answer.ErrorCode = wire.CodeUnknownTopicOrPartition
		answer.IsInternal = isInternal(*t.Name)
	}
	return false, answer
}

func (d *describer) topic(t *metadata.Topic) wire.MetadataResponseTopic {
	out := wire.NewMetadataResponseTopic()
	out.Name, out.TopicID, out.IsInternal = &t.Name, t.ID, isInternal(t.Name)
	out.TopicAuthorizedOperations = d.operations
	out.Partitions = make([]wire.MetadataResponsePartition, len(t.Partitions))
	for i := range t.Partitions {
		out.Partitions[i] = d.partition(&t.Partitions[i])
	}
	return out
}

func (d *describer) partition(p *metadata.Partition) wire.MetadataResponsePartition {
	out := wire.NewMetadataResponsePartition()
	out.PartitionIndex, out.LeaderID, out.LeaderEpoch = p.Index, p.Leader, p.LeaderEpoch
	out.ReplicaNodes, out.IsrNodes, out.OfflineReplicas = p.Replicas, p.ISR, p.Offline
	leader, alive := d.image.Broker(p.Leader)
	_, reachable := leader.Endpoint(d.listener)
	switch {
	case !alive:
		out.ErrorCode, out.LeaderID = wire.CodeLeaderNotAvailable, metadata.NoLeader
	case !reachable && d.version >= 6:
		out.ErrorCode, out.LeaderID = wire.CodeListenerNotFound, metadata.NoLeader
	case !reachable:
		out.ErrorCode, out.LeaderID = wire.CodeLeaderNotAvailable, metadata.NoLeader
	}
	if d.version == 0 {
		// The first clients cannot bear ids of brokers that the answer does
		// not list.
		out.ReplicaNodes, out.IsrNodes = d.reachable(p.Replicas), d.reachable(p.ISR)
		if out.ErrorCode == wire.CodeNone && (len(out.ReplicaNodes) < len(p.Replicas) || len(out.IsrNodes) < len(p.ISR)) {
			out.ErrorCode = wire.CodeReplicaNotAvailable
		}
	}
	return out
}

func (d *describer) reachable(ids []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool {
		br, alive := d.image.Broker(id)
		_, ok := br.Endpoint(d.listener)
		return !alive || !ok
	})
}
