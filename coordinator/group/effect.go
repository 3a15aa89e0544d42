package group

import (
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Effects is what the shell must do after a Step, in this order of fields:
// replies never wait for the writes of the same Step, because a reply that
// depends on a write is returned by the Step of its WriteDone. The slices are
// valid until the next Step.
type Effects struct {
	// Writes are appended to the machine's partition in this order, without
	// waiting for one another; each comes back as one WriteDone.
	Writes []Write
	// Replies answer tickets.
	Replies []Reply
	// Wakes ask for Tick{Group} at a time; a later Wake replaces the earlier
	// of the same group, and a Tick that comes too early does no harm.
	Wakes []Wake
	// Notes tell the operator what happened.
	Notes []Note
}

// Write is one batch to append.
type Write struct {
	ID        uint64
	Timestamp int64 // ms since the epoch, of every record
	Records   []Record
	// ProducerID and ProducerEpoch are those of the transaction that the batch
	// belongs to, or -1 and -1.
	ProducerID    int64
	ProducerEpoch int16
	// BaseSequence is 0 for offset commits, as Kafka writes them with or
	// without a producer id, and -1 otherwise.
	BaseSequence int32
}

// Record is one key and value of __consumer_offsets; a nil value is a
// tombstone.
type Record struct{ Key, Value []byte }

// Wake asks for a Tick.
type Wake struct {
	Group string
	At    time.Time
}

// Note is a sentence about a group for the log.
type Note struct{ Group, Text string }

// Reply answers a ticket.
type Reply struct {
	Ticket Ticket
	Body   Body
}

// Body is one of the reply types below.
type Body interface{ isBody() }

// JoinReply answers Join. With an error only Code and Member count.
type JoinReply struct {
	Code           wire.Code
	Generation     int32 // -1 with an error
	ProtocolType   *string
	ProtocolName   *string
	Leader         string
	SkipAssignment bool
	Member         string
	Members        []JoinMember // for the leader only
}

// JoinMember is what the leader learns about a member.
type JoinMember struct {
	Member   string
	Instance *string
	Metadata []byte
}

// SyncReply answers Sync.
type SyncReply struct {
	Code                       wire.Code
	ProtocolType, ProtocolName *string
	Assignment                 []byte
}

// CodeReply answers Heartbeat, Delete and TxnEnd.
type CodeReply struct{ Code wire.Code }

// LeaveReply answers Leave. With a top-level error Members is empty.
type LeaveReply struct {
	Code    wire.Code
	Members []LeftMember
}

// LeftMember is the result for one LeavingMember.
type LeftMember struct {
	Member   string
	Instance *string
	Code     wire.Code
}

// CommitReply answers Commit and TxnCommit.
type CommitReply struct{ Topics []TopicCodes }

// TopicCodes holds one code per partition, in the order of the request.
type TopicCodes struct {
	Topic      string
	Partitions []PartitionCode
}

// PartitionCode is the result for one partition.
type PartitionCode struct {
	Partition int32
	Code      wire.Code
}

// FetchReply answers Fetch. Code is for the whole group.
type FetchReply struct {
	Code   wire.Code
	Group  string
	Topics []TopicOffsets
}

// TopicOffsets holds the offsets of one topic.
type TopicOffsets struct {
	Topic      string
	Partitions []PartitionOffset
}

// PartitionOffset is one stored offset; Offset is -1 when there is none.
type PartitionOffset struct {
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1 when unknown
	Metadata    string
	Code        wire.Code
}

// DeleteOffsetsReply answers DeleteOffsets. With a top-level error Topics is
// empty.
type DeleteOffsetsReply struct {
	Code   wire.Code
	Topics []TopicCodes
}

// DescribeReply answers Describe.
type DescribeReply struct {
	Code                                 wire.Code
	Group, State, ProtocolType, Protocol string
	Members                              []DescribedMember
}

// DescribedMember is one member of a described group; its bytes are empty
// unless the group is stable.
type DescribedMember struct {
	Member               string
	Instance             *string
	ClientID, ClientHost string
	Metadata, Assignment []byte
}

// ListReply answers List.
type ListReply struct {
	Code   wire.Code
	Groups []Listed
}

// Listed is one group of a ListReply.
type Listed struct{ Group, ProtocolType, State, Type string }

func (JoinReply) isBody()          {}
func (SyncReply) isBody()          {}
func (CodeReply) isBody()          {}
func (LeaveReply) isBody()         {}
func (CommitReply) isBody()        {}
func (FetchReply) isBody()         {}
func (DeleteOffsetsReply) isBody() {}
func (DescribeReply) isBody()      {}
func (ListReply) isBody()          {}
