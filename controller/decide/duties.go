package decide

// handleActive starts the program of an event on the active controller.
func (s *State) handleActive(ev Event) {
	switch ev := ev.(type) {
	case BrokerChange:
		s.brokerChange()
	case BrokerModified:
		s.brokerModified(ev.ID)
	case TopicChange:
		s.topicChange()
	case PartitionModified:
		s.partitionModified(ev.Topic)
	case TopicDeletion:
		s.topicDeletion()
	case ISRChange:
		s.isrChange()
	case LogDirChange:
		s.logDirChange()
	case PreferredElectionNode:
		s.preferredNode()
	case ReassignmentNode:
		s.reassignmentNode(nil)
	case ElectLeaders:
		s.electLeaders(ev)
	case AlterPartition:
		s.alterPartition(ev)
	case AllocateProducerIDs:
		s.allocateProducerIDs(ev)
	case ControlledShutdown:
		s.controlledShutdown(ev)
	case AlterReassignments:
		s.alterReassignments(ev)
	case ListReassignments:
		s.listReassignments(ev)
	case UpdateFeatures:
		s.updateFeatures(ev)
	case UncleanDefault:
		if ev.Enabled {
			s.bringOnline(nil)
		}
	case UncleanTopic:
		s.uncleanTopic(ev.Topic)
	case AutoBalance:
		s.autoBalance()
	case LeaderAndISRDone:
		s.leaderAndISRDone(ev)
	case UpdateMetadataDone:
		if ev.Err != 0 {
			s.note("broker %d refused UpdateMetadata: %s", ev.Broker, ev.Err.Name())
		}
	case StopReplicaDone:
		s.stopReplicaDone(ev)
	case Startup, ControllerChange, Reelect, Expire, Shutdown, ZnodesDone:
		// Those are handled before, whoever is active.
	}
}
