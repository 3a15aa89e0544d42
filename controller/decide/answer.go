package decide

// Answer is the content of a Reply. The set is closed.
type Answer interface{ isAnswer() }

type (
	// Failed answers any request as a whole with an error.
	Failed struct{ Err Code }
	// ElectionResults answers ElectLeaders, sorted by partition.
	ElectionResults struct{ Items []ElectionResult }
	// ISRResults answers AlterPartition, in the order of the proposals.
	ISRResults struct{ Items []ISRResult }
	// ProducerIDs answers AllocateProducerIDs: the block [First, First+Count).
	ProducerIDs struct {
		First int64
		Count int32
	}
	// ShutdownResult answers ControlledShutdown with what the broker still leads.
	ShutdownResult struct{ Remaining []TopicPartition }
	// ReassignmentResults answers AlterReassignments, in request order.
	ReassignmentResults struct{ Items []ReassignmentResult }
	// Reassignments answers ListReassignments, sorted by partition.
	Reassignments struct{ Items []OngoingReassignment }
	// FeatureResults answers UpdateFeatures, in request order.
	FeatureResults struct{ Items []FeatureResult }
)

// ElectionResult is the outcome for one partition.
type ElectionResult struct {
	TopicPartition
	Err     Code
	Message string
	// Leader is the new leader where Err is 0: what the caller waits to see.
	Leader int32
}

// ISRResult is the outcome of one ISRProposal.
type ISRResult struct {
	TopicID   TopicID
	Topic     string
	Partition int32
	Err       Code
	// Leadership is the state now, where Err is 0.
	Leadership Leadership
}

// ReassignmentResult is the outcome of one Reassignment.
type ReassignmentResult struct {
	TopicPartition
	Err     Code
	Message string
}

// OngoingReassignment is one partition under reassignment.
type OngoingReassignment struct {
	TopicPartition
	Assignment Assignment
}

// FeatureResult is the outcome of one FeatureUpdate.
type FeatureResult struct {
	Feature string
	Err     Code
	Message string
}

func (Failed) isAnswer()              {}
func (ElectionResults) isAnswer()     {}
func (ISRResults) isAnswer()          {}
func (ProducerIDs) isAnswer()         {}
func (ShutdownResult) isAnswer()      {}
func (ReassignmentResults) isAnswer() {}
func (Reassignments) isAnswer()       {}
func (FeatureResults) isAnswer()      {}

// Tag returns the tag of a request event; ok is false for all other events.
func Tag(ev Event) (tag uint64, ok bool) {
	switch ev := ev.(type) {
	case ElectLeaders:
		return ev.Tag, true
	case AlterPartition:
		return ev.Tag, true
	case AllocateProducerIDs:
		return ev.Tag, true
	case ControlledShutdown:
		return ev.Tag, true
	case AlterReassignments:
		return ev.Tag, true
	case ListReassignments:
		return ev.Tag, true
	case UpdateFeatures:
		return ev.Tag, true
	}
	return 0, false
}
