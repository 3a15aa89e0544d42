package api

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// Groups is the coordinator of consumer groups; coordinator.Coordinator is one.
// No method waits: done is called exactly once, at once or later from another
// goroutine, and must not wait either.
type Groups interface {
	GroupMembers
	GroupOffsets
	GroupAdmin
	// PartitionFor returns the partition of __consumer_offsets of a group.
	PartitionFor(name string) int32
	// OnPartitionsDeleted drops the offsets of partitions that are gone.
	OnPartitionsDeleted(topics []group.TopicPartitions)
}

// GroupMembers serves the members of a group.
type GroupMembers interface {
	Join(r group.Join, done func(group.JoinReply))
	Sync(r group.Sync, done func(group.SyncReply))
	Heartbeat(r group.Heartbeat, done func(group.CodeReply))
	Leave(r group.Leave, done func(group.LeaveReply))
}

// GroupOffsets stores offsets of groups.
type GroupOffsets interface {
	Commit(r group.Commit, done func(group.CommitReply))
	// Fetch answers in the order of the groups.
	Fetch(groups []group.Fetch, done func([]group.FetchReply))
	DeleteOffsets(r group.DeleteOffsets, done func(group.DeleteOffsetsReply))
}

// GroupAdmin serves administrators.
type GroupAdmin interface {
	// Describe answers in the order of the names.
	Describe(names []string, done func([]group.DescribeReply))
	// List lists the groups that this broker coordinates.
	List(states, types []string, done func(group.ListReply))
	// Delete answers a name that is given twice once.
	Delete(names []string, done func([]coordinator.Deleted))
}

// OldOffsets keeps offsets in ZooKeeper, where clients of version 0 had them:
// /consumers/<group>/offsets/<topic>/<partition>, as a decimal number.
type OldOffsets interface {
	// Commit writes the offsets and gives them back with Err filled in.
	Commit(groupID string, offsets []OldOffset, done func([]OldOffset))
	// Fetch gives the offsets back with Offset and Err filled in; one that was
	// never committed has the error UNKNOWN_TOPIC_OR_PARTITION.
	Fetch(groupID string, offsets []OldOffset, done func([]OldOffset))
}

// OldOffset is the offset of a partition in ZooKeeper.
type OldOffset struct {
	Topic     string
	Partition int32
	Offset    int64
	Err       error
}

// staticRefused reports whether a member names an instance that coordinators
// of older brokers would forget (KIP-345).
func (b *Broker) staticRefused(instance *string) bool {
	return instance != nil && !b.Settings.Broker().Protocol.AtLeast("2.3-IV0")
}

// exists reports whether a partition is known to this broker.
func (b *Broker) exists(topic string, partition int32) bool {
	t := b.Metadata.Image().Topic(topic)
	if t == nil {
		return false
	}
	_, ok := t.Partition(partition)
	return ok
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

// orEmpty reads a nullable string for which null means empty.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// javaAddress prints an address as java.net.InetAddress does, which is how
// member records and DescribeGroups show a client's host: no name before the
// slash, and no zeros left out of IPv6.
func javaAddress(host string) string {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "/" + host
	}
	if addr = addr.Unmap(); addr.Is4() {
		return "/" + addr.String()
	}
	var parts []string
	bytes := addr.As16()
	for i := 0; i < len(bytes); i += 2 {
		parts = append(parts, strconv.FormatUint(uint64(bytes[i])<<8|uint64(bytes[i+1]), 16))
	}
	out := "/" + strings.Join(parts, ":")
	if addr.Zone() != "" {
		out += "%" + addr.Zone()
	}
	return out
}

// partitionSlots is where the results of the partitions that were asked of the
// coordinator go in a response that holds all of the request's.
type partitionSlots []*wire.Code

// fill puts results in order into the slots.
func (s partitionSlots) fill(topics []group.TopicCodes) {
	i := 0
	for _, t := range topics {
		for _, p := range t.Partitions {
			if i < len(s) {
				*s[i] = p.Code
			}
			i++
		}
	}
}
