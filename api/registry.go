package api

import (
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/wire"
)

// serve is one API's entry point.
type serve func(b *Broker, c *context) error

// registry lists all that is served. What is not here is neither advertised
// nor answered: the connection is closed, as Kafka does it.
func registry() map[wire.Key]serve {
	return map[wire.Key]serve{
		wire.KeyProduce:              typed((*Broker).produce),
		wire.KeyFetch:                typed((*Broker).fetch),
		wire.KeyListOffsets:          typed((*Broker).listOffsets),
		wire.KeyMetadata:             typed((*Broker).metadata),
		wire.KeyLeaderAndIsr:         typed((*Broker).leaderAndIsr),
		wire.KeyStopReplica:          typed((*Broker).stopReplica),
		wire.KeyUpdateMetadata:       typed((*Broker).updateMetadata),
		wire.KeyApiVersions:          typed((*Broker).apiVersions),
		wire.KeyDeleteRecords:        typed((*Broker).deleteRecords),
		wire.KeyInitProducerID:       typed((*Broker).initProducerID),
		wire.KeyOffsetForLeaderEpoch: typed((*Broker).offsetForLeaderEpoch),
		wire.KeyDescribeLogDirs:      typed((*Broker).describeLogDirs),
		wire.KeyAlterReplicaLogDirs:  typed((*Broker).alterReplicaLogDirs),
		wire.KeyDescribeCluster:      typed((*Broker).describeCluster),
		wire.KeyDescribeProducers:    typed((*Broker).describeProducers),
		wire.KeyCreateTopics:         typed((*Broker).createTopics),
		wire.KeyDeleteTopics:         typed((*Broker).deleteTopics),
		wire.KeyCreatePartitions:     typed((*Broker).createPartitions),
		wire.KeyAllocateProducerIDs:  typed((*Broker).allocateProducerIDs),
		wire.KeyElectLeaders:         typed((*Broker).electLeaders),
		wire.KeyControlledShutdown:   typed((*Broker).controlledShutdown),
		wire.KeyAlterPartition:       typed((*Broker).alterPartition),

		wire.KeyAlterPartitionReassignments: typed((*Broker).alterPartitionReassignments),
		wire.KeyListPartitionReassignments:  typed((*Broker).listPartitionReassignments),

		wire.KeyFindCoordinator: typed((*Broker).findCoordinator),
		wire.KeyJoinGroup:       typed((*Broker).joinGroup),
		wire.KeySyncGroup:       typed((*Broker).syncGroup),
		wire.KeyHeartbeat:       typed((*Broker).heartbeat),
		wire.KeyLeaveGroup:      typed((*Broker).leaveGroup),
		wire.KeyOffsetCommit:    typed((*Broker).offsetCommit),
		wire.KeyOffsetFetch:     typed((*Broker).offsetFetch),
		wire.KeyOffsetDelete:    typed((*Broker).offsetDelete),
		wire.KeyDescribeGroups:  typed((*Broker).describeGroups),
		wire.KeyListGroups:      typed((*Broker).listGroups),
		wire.KeyDeleteGroups:    typed((*Broker).deleteGroups),

		wire.KeySaslHandshake:          typed((*Broker).saslHandshake),
		wire.KeySaslAuthenticate:       typed((*Broker).saslAuthenticate),
		wire.KeyConsumerGroupHeartbeat: typed((*Broker).consumerGroupHeartbeat),
		wire.KeyConsumerGroupDescribe:  typed((*Broker).consumerGroupDescribe),

		wire.KeyDescribeConfigs:         typed((*Broker).describeConfigs),
		wire.KeyAlterConfigs:            typed((*Broker).alterConfigs),
		wire.KeyIncrementalAlterConfigs: typed((*Broker).incrementalAlterConfigs),
	}
}

// typed makes an entry point of a handler that takes the decoded request.
func typed[R any, P interface {
	*R
	wire.Body
}](handle func(b *Broker, c *context, req P)) serve {
	return func(b *Broker, c *context) error {
		req := P(new(R))
		if err := req.Decode(c.Body(), c.version()); err != nil && !errors.Is(err, wire.ErrTrailing) {
			return err
		}
		handle(b, c, req)
		return nil
	}
}

// Handle serves one call. It must run on the connection's goroutine.
func (b *Broker) Handle(call Call) {
	c := &context{Call: call, header: call.Header()}
	key, version := c.header.Key, c.version()
	handle, ok := b.table[key]
	lowest, highest, _ := wire.Versions(key)
	switch {
	case !ok:
		c.CloseConn(fmt.Errorf("api key %v is not served", key))
		return
	case key == wire.KeyApiVersions && (version < lowest || version > highest):
		// The answer tells the client which version to ask for next.
		c.Reply(unsupportedApiVersions())
		return
	case version < lowest || version > highest:
		c.CloseConn(fmt.Errorf("%v version %d is not served, only %d to %d", key, version, lowest, highest))
		return
	}
	if err := handle(b, c); err != nil {
		c.CloseConn(fmt.Errorf("%v version %d from client %q: %w", key, version, c.clientID(), err))
	}
}
