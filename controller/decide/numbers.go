package decide

// Numbers is what the controller's metrics show.
type Numbers struct {
	// Active is 1 on the controller, 0 elsewhere; all others are 0 there.
	Active int
	// Brokers counts registered brokers.
	Brokers int
	// Topics counts all topics, Partitions those with known leadership.
	Topics, Partitions int
	// OfflinePartitions counts partitions without leader, outside of topics
	// whose deletion began.
	OfflinePartitions int
	// ImbalancedPartitions counts those not led by their preferred replica.
	ImbalancedPartitions int
	// TopicsToDelete and ReplicasToDelete wait for deletion, the ineligible ones
	// among them for something else first.
	TopicsToDelete, ReplicasToDelete         int
	IneligibleTopics, IneligibleReplicas     int
	ReassigningPartitions, ShuttingDown      int
	OfflineDirReplicas, FinalizedFeatureKeys int
	// UncleanElections counts since the process began.
	UncleanElections int64
}

// Numbers counts the context: O(partitions), for a metrics snapshot.
func (s *State) Numbers() Numbers {
	if !s.Active() {
		return Numbers{}
	}
	n := Numbers{
		Active: 1, Brokers: len(s.brokers), Topics: len(s.topics),
		TopicsToDelete: len(s.deleting), ShuttingDown: len(s.shuttingDown), FinalizedFeatureKeys: len(s.features), UncleanElections: s.unclean,
	}
	for _, set := range s.offline {
		n.OfflineDirReplicas += len(set)
	}
	for _, d := range s.deleting {
		if d.halted {
			n.IneligibleTopics++
		}
	}
	for _, t := range s.topics {
		for _, p := range t.parts {
			s.countPartition(&n, p)
		}
	}
	return n
}

func (s *State) countPartition(n *Numbers, p *partition) {
	d := s.deleting[p.topic.name]
	if p.lead != nil {
		n.Partitions++
	}
	if p.reassigning {
		n.ReassigningPartitions++
	}
	if p.state == OfflinePartition && (d == nil || !d.started) {
		n.OfflinePartitions++
	}
	if d == nil {
		if p.lead != nil && !preferredLeads(p) {
			n.ImbalancedPartitions++
		}
		return
	}
	for _, id := range p.assignment.Replicas {
		switch st := (replicaOf{p, id}).state(); {
		case st == ReplicaDeletionIneligible:
			n.IneligibleReplicas++
			n.ReplicasToDelete++
		case st != ReplicaDeletionSuccessful:
			n.ReplicasToDelete++
		}
	}
}

// preferredLeads counts a replica that is still being added as preferred only
// once it is in sync.
func preferredLeads(p *partition) bool {
	if len(p.assignment.Replicas) == 0 {
		return true
	}
	first := p.assignment.Replicas[0]
	if !subset([]int32{first}, p.assignment.Adding) {
		return p.lead.Leader == first
	}
	return subset([]int32{first}, p.lead.ISR)
}
