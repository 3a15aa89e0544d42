package decide

import "testing"

// TestKafkasMetricStates compares with the table of ControllerState.scala.
func TestKafkasMetricStates(t *testing.T) {
	f := func(ev Event, kind string, state int8) {
		t.Helper()
		if k, s := Kind(ev), MetricState(ev); k != kind || s != state {
			t.Errorf("%s is %d, want %s %d", k, s, kind, state)
		}
	}
	f(Reelect{}, "Reelect", 1)
	f(BrokerModified{ID: 1}, "BrokerModified", 2)
	f(PartitionModified{}, "PartitionModified", 3)
	f(StopReplicaDone{}, "StopReplicaDone", 4)
	f(AlterReassignments{}, "AlterReassignments", 5)
	f(AutoBalance{}, "AutoBalance", 6)
	f(ElectLeaders{}, "ElectLeaders", 7)
	f(ControlledShutdown{}, "ControlledShutdown", 8)
	f(AlterPartition{}, "AlterPartition", 9)
	f(LeaderAndISRDone{}, "LeaderAndISRDone", 10)
	f(LogDirChange{}, "LogDirChange", 11)
	f(Shutdown{}, "Shutdown", 12)
	f(UncleanDefault{}, "UncleanDefault", 13)
	f(UncleanTopic{}, "UncleanTopic", 14)
	f(ListReassignments{}, "ListReassignments", 15)
	f(UpdateMetadataDone{}, "UpdateMetadataDone", 16)
	f(UpdateFeatures{}, "UpdateFeatures", 17)
	f(AllocateProducerIDs{}, "AllocateProducerIDs", 0)
}
