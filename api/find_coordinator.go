package api

import (
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// FindCoordinator v0-6: several keys at once from v4 (KIP-699), share groups as
// a key type from v6 (KIP-932). The first lookup creates __consumer_offsets;
// until its leaders are known the answer is COORDINATOR_NOT_AVAILABLE and the
// client asks again. As in Kafka the single form carries a text even for
// success and the batched form has none for an error, unless the type of all
// keys is unknown.

// Kinds of coordinators.
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
	shareCoordinator       = 2
)

const (
	batchedCoordinators = 4 // first version with several keys
	shareSince          = 6 // first version with share groups
)

// nowhere is the endpoint of an answer without a coordinator.
var nowhere = metadata.Endpoint{Port: -1}

const noNode int32 = -1

func (b *Broker) findCoordinator(c *context, req *wire.FindCoordinatorRequest) {
	resp := wire.NewFindCoordinatorResponse()
	v := c.version()
	unknown := req.KeyType < groupCoordinator || req.KeyType > shareCoordinator
	f := coordinatorFinder{b: b, image: b.Metadata.Image(), listener: c.Peer().Listener, version: v}
	if v < batchedCoordinators {
		code, id, at := f.find(req.KeyType, req.CoordinatorKey)
		resp.ErrorCode, resp.NodeID, resp.Host, resp.Port = code, id, at.Host, at.Port
		resp.ErrorMessage = new(code.Name())
		if code != wire.CodeNone {
			resp.ErrorMessage = new(codeText(code))
		}
	}
	for _, key := range req.CoordinatorKeys {
		code, id, at := f.find(req.KeyType, key)
		found := wire.NewFindCoordinatorResponseCoordinator()
		found.Key, found.ErrorCode, found.NodeID, found.Host, found.Port = key, code, id, at.Host, at.Port
		if unknown {
			found.ErrorMessage = new(codeText(code))
		}
		resp.Coordinators = append(resp.Coordinators, found)
	}
	if !f.create {
		c.Reply(resp)
		return
	}
	// The answer is the same however that ends. It waits so that a connection
	// has one creation under way at most, and so that whoever asks again finds
	// the topic.
	b.Admin.AutoCreate([]string{offsetsTopic}, func(map[string]wire.Code) { c.Reply(resp) })
}

// coordinatorFinder looks keys up in one picture of the cluster.
type coordinatorFinder struct {
	b        *Broker
	image    *metadata.Image
	listener string
	version  int16
	// create says that the internal topic was needed and is not there.
	create bool
}

func (f *coordinatorFinder) find(kind int8, key string) (wire.Code, int32, metadata.Endpoint) {
	switch {
	case kind == transactionCoordinator:
		// This broker coordinates no transactions: a code that producers give
		// up at, rather than one that they try again until their timeout.
		return wire.CodeUnsupportedVersion, noNode, nowhere
	case kind == shareCoordinator && f.version >= shareSince:
		// Share groups need KRaft.
		return wire.CodeCoordinatorNotAvailable, noNode, nowhere
	case kind != groupCoordinator:
		return wire.CodeInvalidRequest, noNode, nowhere
	}
	topic := f.image.Topic(offsetsTopic)
	if topic == nil {
		f.create = true
		return wire.CodeCoordinatorNotAvailable, noNode, nowhere
	}
	p, ok := topic.Partition(f.b.Groups.PartitionFor(key))
	if !ok {
		return wire.CodeCoordinatorNotAvailable, noNode, nowhere
	}
	leader, _ := f.image.Broker(p.Leader)
	at, ok := leader.Endpoint(f.listener)
	if !ok {
		return wire.CodeCoordinatorNotAvailable, noNode, nowhere
	}
	return wire.CodeNone, leader.ID, at
}
