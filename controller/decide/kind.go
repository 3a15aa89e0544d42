package decide

import (
	"fmt"
	"strings"
)

// Kind returns the name of an event's type, for logs and metrics.
func Kind(ev Event) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "decide.")
}

// MetricState returns the number that Kafka's metric ControllerState shows while
// an event is in work (ControllerState.scala); 0 is idle.
func MetricState(ev Event) int8 {
	switch ev.(type) {
	case Startup, ControllerChange, Reelect, Expire:
		return 1
	case BrokerChange, BrokerModified:
		return 2
	case TopicChange, PartitionModified:
		return 3
	case TopicDeletion, StopReplicaDone:
		return 4
	case ReassignmentNode, AlterReassignments:
		return 5
	case AutoBalance:
		return 6
	case PreferredElectionNode, ElectLeaders:
		return 7
	case ControlledShutdown:
		return 8
	case ISRChange, AlterPartition:
		return 9
	case LeaderAndISRDone:
		return 10
	case LogDirChange:
		return 11
	case Shutdown:
		return 12
	case UncleanDefault:
		return 13
	case UncleanTopic:
		return 14
	case ListReassignments:
		return 15
	case UpdateMetadataDone:
		return 16
	case UpdateFeatures:
		return 17
	case AllocateProducerIDs, ZnodesDone:
		return 0
	}
	return 0
}
