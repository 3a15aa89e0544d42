package group

import (
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/wire"
)

// Versions of the records in __consumer_offsets. Keys and values begin with
// one as an int16; a key's says what kind of record it is.
const (
	offsetKeyVersion = 1 // 0 and 1 are the same
	groupKeyVersion  = 2
	// offsetValueVersion and groupValueVersion are what Kafka 2.3 and later
	// write: the highest without tagged fields.
	offsetValueVersion = 3
	groupValueVersion  = 3
	// expiringValueVersion is the only version with an expiry timestamp.
	expiringValueVersion = 1
)

// ErrUnknownKey is wrapped by Replay's error for a kind of record that this
// machine does not know: left by a newer or a failed upgrade, to be skipped.
var ErrUnknownKey = errors.New("unknown kind of record")

// offsetRecord is the record of one offset, a tombstone when o is nil.
func offsetRecord(name string, tp topicPartition, o *offset) (Record, error) {
	key, err := wire.AppendVersioned(nil, &wire.OffsetCommitKey{Group: name, Topic: tp.topic, Partition: tp.partition}, offsetKeyVersion)
	if err != nil || o == nil {
		return Record{Key: key}, err
	}
	version := int16(offsetValueVersion)
	if o.expires != -1 {
		version = expiringValueVersion
	}
	value, err := wire.AppendVersioned(nil, &wire.OffsetCommitValue{
		Offset: o.offset, LeaderEpoch: o.epoch, Metadata: o.metadata,
		CommitTimestamp: o.committed, ExpireTimestamp: o.expires,
	}, version)
	return Record{key, value}, err
}

func groupKey(name string) ([]byte, error) {
	return wire.AppendVersioned(nil, &wire.GroupMetadataKey{Group: name}, groupKeyVersion)
}

// groupRecord is a group's metadata with the given assignments; members
// without one get an empty one.
func groupRecord(g *group, assigned map[string][]byte) (Record, error) {
	key, err := groupKey(g.name)
	if err != nil {
		return Record{}, fmt.Errorf("group id of %d bytes: %w", len(g.name), err)
	}
	v := &wire.GroupMetadataValue{
		ProtocolType: g.protocolType, Generation: g.generation, Protocol: g.protocol,
		CurrentStateTimestamp: g.since,
	}
	if g.leader != "" { // null, not empty, is what Kafka reads back as none
		v.Leader = &g.leader
	}
	for _, mem := range g.order {
		v.Members = append(v.Members, wire.GroupMetadataValueMemberMetadata{
			MemberID: mem.id, GroupInstanceID: mem.instance,
			ClientID: mem.clientID, ClientHost: mem.clientHost,
			RebalanceTimeout: int32(mem.rebalance.Milliseconds()),
			SessionTimeout:   int32(mem.session.Milliseconds()),
			Subscription:     append([]byte{}, mem.metadata(*g.protocol)...),
			Assignment:       append([]byte{}, assigned[mem.id]...),
		})
	}
	value, err := wire.AppendVersioned(nil, v, groupValueVersion)
	if err != nil {
		return Record{}, fmt.Errorf("metadata of group %q: %w", g.name, err)
	}
	return Record{key, value}, nil
}

func decodeOffset(value []byte) (offset, error) {
	version, rest, err := wire.CutVersion(value)
	if err != nil {
		return offset{}, err
	}
	var v wire.OffsetCommitValue
	v.Reset()
	if err := v.Decode(rest, version); err != nil {
		return offset{}, err
	}
	return offset{
		offset: v.Offset, epoch: v.LeaderEpoch, metadata: v.Metadata,
		committed: v.CommitTimestamp, expires: v.ExpireTimestamp,
	}, nil
}

// storedValue is group metadata as the log has it.
type storedValue struct {
	version int16
	body    wire.GroupMetadataValue
}

func decodeGroup(value []byte) (*storedValue, error) {
	version, rest, err := wire.CutVersion(value)
	if err != nil {
		return nil, err
	}
	v := &storedValue{version: version}
	v.body.Reset()
	if err := v.body.Decode(rest, version); err != nil {
		return nil, err
	}
	seen := map[string]struct{}{}
	instances := map[string]struct{}{}
	for _, mem := range v.body.Members {
		if _, ok := seen[mem.MemberID]; ok || mem.MemberID == "" {
			return nil, fmt.Errorf("member id %q twice or empty", mem.MemberID)
		}
		seen[mem.MemberID] = struct{}{}
		if mem.GroupInstanceID != nil {
			if _, ok := instances[*mem.GroupInstanceID]; ok {
				return nil, fmt.Errorf("instance id %q twice", *mem.GroupInstanceID)
			}
			instances[*mem.GroupInstanceID] = struct{}{}
		}
	}
	if len(v.body.Members) > 0 && (v.body.Protocol == nil || v.body.ProtocolType == "") {
		return nil, errors.New("members without a protocol")
	}
	return v, nil
}
