package decide

import (
	"github.com/gregor-mq/gregor/zk"
)

// Event is what can happen to a controller. The set is closed.
type Event interface{ isEvent() }

// Events of the election, ZooKeeper session and process.
type (
	// Startup is the first event of every broker: watch /controller, then elect.
	Startup struct{}
	// ControllerChange says that /controller appeared or changed.
	ControllerChange struct{}
	// Reelect says that /controller went away, or that this broker registered
	// again under a new session.
	Reelect struct{}
	// Expire says that the session ended: whoever was controller is not.
	Expire struct{}
	// Shutdown ends the controller's work before the process leaves.
	Shutdown struct{}
)

// Events of watched znodes.
type (
	// BrokerChange says that children of /brokers/ids came or went.
	BrokerChange struct{}
	// BrokerModified says that /brokers/ids/ID changed.
	BrokerModified struct{ ID int32 }
	// TopicChange says that children of /brokers/topics came or went.
	TopicChange struct{}
	// PartitionModified says that /brokers/topics/Topic changed.
	PartitionModified struct{ Topic string }
	// TopicDeletion says that children of /admin/delete_topics came or went.
	TopicDeletion struct{}
	// ISRChange says that there are notifications of leaders older than 2.7.
	ISRChange struct{}
	// LogDirChange says that a broker reported a failed log directory.
	LogDirChange struct{}
	// PreferredElectionNode says that /admin/preferred_replica_election appeared.
	PreferredElectionNode struct{}
	// ReassignmentNode says that /admin/reassign_partitions appeared.
	ReassignmentNode struct{}
)

// ElectionType is the kind of election an admin client asks for.
type ElectionType int8

// The election types of the ElectLeaders API.
const (
	PreferredElection ElectionType = 0
	UncleanElection   ElectionType = 1
)

// Requests. Tag comes back in the Reply; every tagged event gets exactly one.
type (
	// ElectLeaders is the ElectLeaders API (KIP-460).
	ElectLeaders struct {
		Tag        uint64
		Type       ElectionType
		Partitions []TopicPartition
	}
	// AlterPartition is the API by which leaders change the ISR (KIP-497).
	AlterPartition struct {
		Tag         uint64
		Broker      int32
		BrokerEpoch int64
		// Version is the request's: from 2 on topics are named by id.
		Version int16
		Items   []ISRProposal
	}
	// AllocateProducerIDs asks for a block of producer ids (KIP-730).
	AllocateProducerIDs struct {
		Tag         uint64
		Broker      int32
		BrokerEpoch int64
	}
	// ControlledShutdown asks to move leaders off a broker.
	ControlledShutdown struct {
		Tag    uint64
		Broker int32
		// BrokerEpoch is -1 from brokers that do not know theirs.
		BrokerEpoch int64
	}
	// AlterReassignments is the AlterPartitionReassignments API (KIP-455).
	AlterReassignments struct {
		Tag   uint64
		Items []Reassignment
	}
	// ListReassignments is the ListPartitionReassignments API; nil means all.
	ListReassignments struct {
		Tag        uint64
		Partitions []TopicPartition
	}
	// UpdateFeatures is the UpdateFeatures API (KIP-584).
	UpdateFeatures struct {
		Tag   uint64
		Items []FeatureUpdate
		// ValidateOnly checks and writes nothing.
		ValidateOnly bool
	}
)

// ISRProposal is what a leader wants its partition's state to be.
type ISRProposal struct {
	// TopicID names the topic from request version 2 on, Topic below.
	TopicID        TopicID
	Topic          string
	Partition      int32
	LeaderEpoch    int32
	ISR            []int32
	Recovering     bool
	PartitionEpoch int32
}

// Reassignment asks for new replicas of a partition; nil Target cancels.
type Reassignment struct {
	TopicPartition
	Target []int32
}

// FeatureUpdate asks for a finalized feature's new level; 0 deletes it.
type FeatureUpdate struct {
	Feature string
	Level   int16
	// Upgrade is Kafka's type: 1 upgrade, 2 safe downgrade, 3 unsafe downgrade.
	Upgrade int8
}

// Events of configuration and time.
type (
	// UncleanDefault carries a changed unclean.leader.election.enable of the
	// broker; enabling it elects at once.
	UncleanDefault struct{ Enabled bool }
	// UncleanTopic says that a topic's config now allows unclean election.
	UncleanTopic struct{ Topic string }
	// AutoBalance is the timer of automatic preferred elections.
	AutoBalance struct{}
)

// Channel is what a control request went through: from the controller of an
// epoch to one registration of a broker. What comes back through an older one
// tells nothing of the broker as it is now.
type Channel struct {
	Broker          int32
	BrokerEpoch     int64
	ControllerEpoch int32
}

// current reports whether requests leave through the channel now.
func (s *State) current(c Channel) bool {
	b := s.brokers[c.Broker]
	return b != nil && b.Epoch == c.BrokerEpoch && s.epoch == c.ControllerEpoch
}

// Replies of brokers to control requests.
type (
	// LeaderAndISRDone is a broker's answer to LeaderAndIsr.
	LeaderAndISRDone struct {
		Channel
		Err        Code
		Partitions []PartitionCode
	}
	// UpdateMetadataDone is a broker's answer to UpdateMetadata.
	UpdateMetadataDone struct {
		Channel
		Err Code
	}
	// StopReplicaDone is a broker's answer to StopReplica. Partitions holds only
	// those whose deletion was asked for, each with the top-level error where
	// there was one.
	StopReplicaDone struct {
		Channel
		Err        Code
		Partitions []PartitionCode
	}
)

// PartitionCode is a broker's answer for one partition.
type PartitionCode struct {
	TopicPartition
	Err Code
}

// ZnodesDone carries the results of the last Znodes effect, in its order. No
// other event may be stepped between the two.
type ZnodesDone struct{ Results []Result }

// Result is what one Op came to.
type Result struct {
	// Err is zk.OK or the op's own error; for a fenced op that of the op behind
	// the fence.
	Err zk.Err
	// Moved is set when the fence refused: another controller was elected.
	Moved    bool
	Data     []byte
	Stat     zk.Stat
	Children []string
}

func (Startup) isEvent()               {}
func (ControllerChange) isEvent()      {}
func (Reelect) isEvent()               {}
func (Expire) isEvent()                {}
func (Shutdown) isEvent()              {}
func (BrokerChange) isEvent()          {}
func (BrokerModified) isEvent()        {}
func (TopicChange) isEvent()           {}
func (PartitionModified) isEvent()     {}
func (TopicDeletion) isEvent()         {}
func (ISRChange) isEvent()             {}
func (LogDirChange) isEvent()          {}
func (PreferredElectionNode) isEvent() {}
func (ReassignmentNode) isEvent()      {}
func (ElectLeaders) isEvent()          {}
func (AlterPartition) isEvent()        {}
func (AllocateProducerIDs) isEvent()   {}
func (ControlledShutdown) isEvent()    {}
func (AlterReassignments) isEvent()    {}
func (ListReassignments) isEvent()     {}
func (UpdateFeatures) isEvent()        {}
func (UncleanDefault) isEvent()        {}
func (UncleanTopic) isEvent()          {}
func (AutoBalance) isEvent()           {}
func (LeaderAndISRDone) isEvent()      {}
func (UpdateMetadataDone) isEvent()    {}
func (StopReplicaDone) isEvent()       {}
func (ZnodesDone) isEvent()            {}
