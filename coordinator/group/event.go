package group

import (
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Ticket names a waiting request; every ticket is answered exactly once. The
// shell gives them out; zero is no ticket.
type Ticket uint64

// Event is something that happened: a request, a timer, the end of a write.
type Event interface{ isEvent() }

// Join asks for membership (JoinGroup). The machine keeps its byte slices.
type Join struct {
	Ticket Ticket
	Group  string
	Member string // "" is a member without an id
	// Instance is the static member's group.instance.id, nil for a dynamic one.
	Instance *string
	// RequireMemberID makes a member without id come back with one (KIP-394):
	// version 4 and later without instance id.
	RequireMemberID bool
	// SkipAssignment tells a returning static leader to skip its assignor
	// (KIP-814): version 9 and later.
	SkipAssignment       bool
	ClientID, ClientHost string // host as Java prints an InetAddress: "/10.0.0.1"
	Rebalance, Session   time.Duration
	ProtocolType         string
	Protocols            []Protocol // in the member's order of preference
	Reason               string
	// UUID is fresh randomness for the tail of a new member id.
	UUID string
}

// Protocol is one way of assignment that a member supports.
type Protocol struct {
	Name     string
	Metadata []byte
}

// Sync asks for a member's assignment and, from the leader, brings everyone's
// (SyncGroup). The machine keeps its byte slices.
type Sync struct {
	Ticket                     Ticket
	Group, Member              string
	Instance                   *string
	Generation                 int32
	ProtocolType, ProtocolName *string // nil before version 5
	Assignments                []Assignment
}

// Assignment is what the leader gives one member.
type Assignment struct {
	Member string
	Data   []byte
}

// Heartbeat keeps a session alive.
type Heartbeat struct {
	Ticket        Ticket
	Group, Member string
	Instance      *string
	Generation    int32
}

// Leave removes members (LeaveGroup).
type Leave struct {
	Ticket  Ticket
	Group   string
	Members []LeavingMember
}

// LeavingMember names a member by id, or a static one by instance id alone.
type LeavingMember struct {
	Member   string
	Instance *string
	Reason   string
}

// Commit stores offsets (OffsetCommit).
type Commit struct {
	Ticket        Ticket
	Group, Member string
	Instance      *string
	Generation    int32 // -1 for a commit without membership
	// RetentionMs is the explicit retention of versions 2 to 4, -1 when the
	// broker's holds.
	RetentionMs int64
	Topics      []CommitTopic
}

// TxnCommit stores offsets that become visible with the producer's commit
// marker (TxnOffsetCommit). The caller has verified the transaction.
type TxnCommit struct {
	Ticket        Ticket
	Group, Member string
	Instance      *string
	Generation    int32
	ProducerID    int64
	ProducerEpoch int16
	Topics        []CommitTopic
}

// CommitTopic is one topic of a Commit or TxnCommit.
type CommitTopic struct {
	Topic      string
	Partitions []CommitPartition
}

// CommitPartition is one offset to store.
type CommitPartition struct {
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1 when unknown
	Metadata    string
	Timestamp   int64 // ms since the epoch, -1 for now (version 1 only carries one)
}

// TxnEnd says that a producer's marker is in the log behind all that was
// written before (WriteTxnMarkers).
type TxnEnd struct {
	Ticket     Ticket
	ProducerID int64
	Commit     bool
}

// Fetch asks for offsets (OffsetFetch).
type Fetch struct {
	Ticket Ticket
	Group  string
	// RequireStable answers UNSTABLE_OFFSET_COMMIT for offsets with a write or
	// a transaction under way (KIP-447).
	RequireStable bool
	Topics        []TopicPartitions // nil: all that are stored
}

// TopicPartitions names partitions of one topic.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// DeleteOffsets removes offsets of a group (OffsetDelete).
type DeleteOffsets struct {
	Ticket Ticket
	Group  string
	Topics []TopicPartitions
}

// Describe asks for one group (DescribeGroups).
type Describe struct {
	Ticket Ticket
	Group  string
}

// List asks for all groups of the machine (ListGroups). Empty filters let
// everything pass; both ignore case.
type List struct {
	Ticket        Ticket
	States, Types []string
}

// Delete removes an empty group with its offsets (DeleteGroups).
type Delete struct {
	Ticket Ticket
	Group  string
}

// PartitionsDeleted removes the offsets of partitions that no longer exist.
type PartitionsDeleted struct{ Topics []TopicPartitions }

// Expire removes offsets past their retention and groups without any.
type Expire struct{}

// Tick is a Wake that came due.
type Tick struct{ Group string }

// Loaded ends loading: everything in the log has been replayed.
type Loaded struct{}

// WriteDone is the end of a Write. Base is the offset of its first record;
// Code is CodeNone when it is committed. After CodeRequestTimedOut and
// CodeNotEnoughReplicasAfterAppend the records are in the log all the same,
// after any other error they are not.
type WriteDone struct {
	ID   uint64
	Base int64
	Code wire.Code
}

// Resign ends the machine: every waiting request is answered NOT_COORDINATOR.
type Resign struct{}

func (Join) isEvent()              {}
func (Sync) isEvent()              {}
func (Heartbeat) isEvent()         {}
func (Leave) isEvent()             {}
func (Commit) isEvent()            {}
func (TxnCommit) isEvent()         {}
func (TxnEnd) isEvent()            {}
func (Fetch) isEvent()             {}
func (DeleteOffsets) isEvent()     {}
func (Describe) isEvent()          {}
func (List) isEvent()              {}
func (Delete) isEvent()            {}
func (PartitionsDeleted) isEvent() {}
func (Expire) isEvent()            {}
func (Tick) isEvent()              {}
func (Loaded) isEvent()            {}
func (WriteDone) isEvent()         {}
func (Resign) isEvent()            {}
