package decide

import (
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/internal/must"
)

// batch gathers what one call of a state machine has to tell the brokers, so
// that each gets at most one request of a kind. What is added is what the
// context says at that moment.
type batch struct {
	lead map[int32]map[*partition]LeaderAndISRPartition
	stop map[int32]map[*partition]StopReplicaPartition
	// metaTo are the receivers of meta. They may be without partitions: then only
	// the list of brokers is news.
	metaTo map[int32]bool
	// metaAll makes every registered broker a receiver.
	metaAll bool
	meta    map[*partition]UpdateMetadataPartition
}

func (b *batch) clear() {
	b.lead = map[int32]map[*partition]LeaderAndISRPartition{}
	b.stop = map[int32]map[*partition]StopReplicaPartition{}
	b.metaTo, b.metaAll = map[int32]bool{}, false
	b.meta = map[*partition]UpdateMetadataPartition{}
}

func (b *batch) empty() bool {
	return len(b.lead) == 0 && len(b.stop) == 0 && len(b.metaTo) == 0 && !b.metaAll
}

// newBatch begins the requests of one state machine call.
func (s *State) newBatch() {
	must.Hold(s.batch.empty(), "a batch of control requests was begun before the last one left")
}

// tellLeader adds a partition to the LeaderAndISR of brokers, and so to the
// UpdateMetadata of everybody.
func (s *State) tellLeader(p *partition, brokers []int32, isNew bool) {
	for _, id := range brokers {
		if id < 0 {
			continue
		}
		m := s.batch.lead[id]
		if m == nil {
			m = map[*partition]LeaderAndISRPartition{}
			s.batch.lead[id] = m
		}
		m[p] = LeaderAndISRPartition{
			TopicPartition: p.tp(), TopicID: p.topic.id,
			Leadership: *p.lead, Assignment: p.assignment,
			IsNew: isNew || m[p].IsNew,
		}
	}
	s.tellAll(p)
}

// tellAll adds a partition to the UpdateMetadata of every broker.
func (s *State) tellAll(p *partition) {
	s.batch.metaAll = true
	s.tellMetadata(nil, p)
}

// tellStop adds a partition to the StopReplica of a broker.
func (s *State) tellStop(p *partition, broker int32, del bool) {
	if broker < 0 {
		return
	}
	epoch := noEpoch
	switch {
	case s.queued(p.topic.name):
		epoch = epochDuringDelete
	case p.lead != nil:
		epoch = p.lead.LeaderEpoch
	}
	m := s.batch.stop[broker]
	if m == nil {
		m = map[*partition]StopReplicaPartition{}
		s.batch.stop[broker] = m
	}
	m[p] = StopReplicaPartition{TopicPartition: p.tp(), LeaderEpoch: epoch, Delete: del || m[p].Delete}
}

// tellMetadata adds partitions to the UpdateMetadata of the batch, and brokers
// to its receivers. A partition whose leadership is unknown is left out.
func (s *State) tellMetadata(brokers []int32, ps ...*partition) {
	for _, id := range brokers {
		if id >= 0 {
			s.batch.metaTo[id] = true
		}
	}
	for _, p := range ps {
		if p.lead == nil {
			continue
		}
		l := *p.lead
		if s.queued(p.topic.name) {
			l.Leader, l.LeaderEpoch, l.PartitionEpoch = leaderDuringDelete, 0, 0
		}
		var offline []int32
		for _, id := range p.assignment.Replicas {
			if !s.online(p, id) {
				offline = append(offline, id)
			}
		}
		s.batch.meta[p] = UpdateMetadataPartition{
			TopicPartition: p.tp(), TopicID: p.topic.id, Leadership: l,
			Replicas: p.assignment.Replicas, Offline: offline,
		}
	}
}

// flush sends the batch: leaders first, then metadata, then stops. Brokers that
// are gone get nothing.
func (s *State) flush() {
	for _, id := range slices.Sorted(maps.Keys(s.batch.lead)) {
		if s.brokers[id] != nil {
			s.send(id, s.leaderAndISR(s.batch.lead[id]))
		}
	}
	if len(s.batch.metaTo) > 0 || s.batch.metaAll {
		req := s.updateMetadata()
		for _, id := range s.registered() {
			if s.batch.metaAll || s.batch.metaTo[id] {
				s.send(id, req)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.batch.stop)) {
		if s.brokers[id] != nil {
			s.send(id, s.stopReplica(s.batch.stop[id]))
		}
	}
	s.batch.clear()
}

func (s *State) send(id int32, req Request) {
	s.emit(Send{Broker: id, BrokerEpoch: s.brokers[id].Epoch, Request: req})
}

func (s *State) leaderAndISR(m map[*partition]LeaderAndISRPartition) *LeaderAndISR {
	req := &LeaderAndISR{ControllerID: s.cfg.BrokerID, ControllerEpoch: s.epoch}
	leaders := map[int32]bool{}
	for _, p := range sortedParts(m) {
		req.Partitions = append(req.Partitions, m[p])
		leaders[m[p].Leadership.Leader] = true
	}
	for _, id := range slices.Sorted(maps.Keys(leaders)) {
		if b := s.brokers[id]; b != nil {
			req.LiveLeaders = append(req.LiveLeaders, *b)
		}
	}
	return req
}

func (s *State) updateMetadata() *UpdateMetadata {
	req := &UpdateMetadata{ControllerID: s.cfg.BrokerID, ControllerEpoch: s.epoch}
	for _, p := range sortedParts(s.batch.meta) {
		req.Partitions = append(req.Partitions, s.batch.meta[p])
	}
	for _, id := range s.registered() {
		req.Brokers = append(req.Brokers, *s.brokers[id])
	}
	return req
}

func (s *State) stopReplica(m map[*partition]StopReplicaPartition) *StopReplica {
	req := &StopReplica{ControllerID: s.cfg.BrokerID, ControllerEpoch: s.epoch}
	for _, p := range sortedParts(m) {
		req.Partitions = append(req.Partitions, m[p])
	}
	return req
}

func sortedParts[V any](m map[*partition]V) []*partition {
	out := slices.Collect(maps.Keys(m))
	sortParts(out)
	return out
}

// announce sends an UpdateMetadata of its own.
func (s *State) announce(brokers []int32, ps ...*partition) {
	s.newBatch()
	s.tellMetadata(brokers, ps...)
	s.flush()
}
