package decide

// Request is a control request. The set is closed; versions are chosen by the
// sender from inter.broker.protocol.version.
type Request interface{ isRequest() }

// LeaderAndISR tells a broker which of its replicas lead and which follow whom.
type LeaderAndISR struct {
	ControllerID    int32
	ControllerEpoch int32
	// Partitions is sorted by topic, then partition.
	Partitions []LeaderAndISRPartition
	// LiveLeaders holds the live brokers that lead one of Partitions.
	LiveLeaders []Broker
}

// LeaderAndISRPartition is one partition of a LeaderAndISR.
type LeaderAndISRPartition struct {
	TopicPartition
	TopicID    TopicID
	Leadership Leadership
	Assignment Assignment
	// IsNew lets the broker create the log whatever state its disks are in.
	IsNew bool
}

// UpdateMetadata tells a broker what clients ask about. One value is shared by
// all its receivers.
type UpdateMetadata struct {
	ControllerID    int32
	ControllerEpoch int32
	Partitions      []UpdateMetadataPartition
	// Brokers is all live brokers with all their listeners.
	Brokers []Broker
}

// UpdateMetadataPartition is one partition of an UpdateMetadata.
type UpdateMetadataPartition struct {
	TopicPartition
	// TopicID is zero where the topic has none.
	TopicID TopicID
	// Leadership has leader -2 for a topic being deleted.
	Leadership Leadership
	Replicas   []int32
	Offline    []int32
}

// StopReplica tells a broker to stop replicas, and to delete some.
type StopReplica struct {
	ControllerID    int32
	ControllerEpoch int32
	Partitions      []StopReplicaPartition
}

// StopReplicaPartition is one partition of a StopReplica.
type StopReplicaPartition struct {
	TopicPartition
	// LeaderEpoch is -2 for a topic being deleted, -1 when unknown.
	LeaderEpoch int32
	Delete      bool
}

func (*LeaderAndISR) isRequest()   {}
func (*UpdateMetadata) isRequest() {}
func (*StopReplica) isRequest()    {}
