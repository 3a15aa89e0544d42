package decide

// Change is one step of a state machine that was taken.
type Change struct {
	Topic     string
	Partition int32
	// Replica is the broker whose replica changed, -1 when it was the partition.
	Replica int32
	// From and To are Kafka's names of the states.
	From, To string
	// Leader and ISR are what the partition has then; NoLeader and nil for none.
	Leader int32
	ISR    []int32
}

// enter puts a partition into a state that it may go to.
func (s *State) enter(p *partition, to PartitionState) {
	from := p.state
	p.state = to
	s.changed(p, -1, from.String(), to.String())
}

// enterReplica puts a replica into a state that it may go to.
func (s *State) enterReplica(r replicaOf, to ReplicaState) {
	from := r.state()
	r.enter(to)
	s.changed(r.p, r.broker, from.String(), to.String())
}

func (s *State) changed(p *partition, replica int32, from, to string) {
	if s.cfg.Changed == nil || from == to {
		return
	}
	c := Change{Topic: p.topic.name, Partition: p.id, Replica: replica, From: from, To: to, Leader: p.leader()}
	if p.lead != nil {
		c.ISR = p.lead.ISR
	}
	s.cfg.Changed(c)
}
