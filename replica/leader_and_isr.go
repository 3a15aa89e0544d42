package replica

import (
	"slices"

	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// LeaderAndIsr takes over what the controller decided, partition by partition.
// An equal or lower leader epoch is answered STALE_CONTROLLER_EPOCH, which
// controllers expect and bear.
func (m *Manager) LeaderAndIsr(req *wire.LeaderAndIsrRequest) *wire.LeaderAndIsrResponse {
	resp := wire.NewLeaderAndIsrResponse()
	m.control.Lock()
	defer m.control.Unlock()
	if resp.ErrorCode = m.admit(req.ControllerEpoch, req.BrokerEpoch); resp.ErrorCode != wire.CodeNone {
		return resp
	}
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		errs := wire.LeaderAndIsrResponseTopicError{TopicID: t.TopicID}
		for j := range t.PartitionStates {
			code := m.takeOver(t.TopicName, t.TopicID, &t.PartitionStates[j])
			e := wire.LeaderAndIsrResponsePartitionError{TopicName: t.TopicName, PartitionIndex: t.PartitionStates[j].PartitionIndex, ErrorCode: code}
			errs.PartitionErrors = append(errs.PartitionErrors, e)
			if t.TopicID == (wire.UUID{}) {
				resp.PartitionErrors = append(resp.PartitionErrors, e)
			}
		}
		if t.TopicID != (wire.UUID{}) {
			resp.Topics = append(resp.Topics, errs)
		}
	}
	for i := range req.UngroupedPartitionStates { // versions 0 and 1
		s := &req.UngroupedPartitionStates[i]
		resp.PartitionErrors = append(resp.PartitionErrors, wire.LeaderAndIsrResponsePartitionError{
			TopicName: s.TopicName, PartitionIndex: s.PartitionIndex, ErrorCode: m.takeOver(s.TopicName, wire.UUID{}, s)})
	}
	return resp
}

// errStopping answers what waits when the broker stops: clients go elsewhere.
var errStopping = wire.CodeNotLeaderOrFollower

// admit checks the epochs of a controller's request. A broker epoch above ours
// is accepted: the controller may know of our registration before we do.
func (m *Manager) admit(controllerEpoch int32, brokerEpoch int64) wire.Code {
	if brokerEpoch >= 0 && brokerEpoch < m.brokerEpoch.Load() {
		return wire.CodeStaleBrokerEpoch
	}
	if controllerEpoch < m.controllerEpoch.Load() {
		return wire.CodeStaleControllerEpoch
	}
	m.controllerEpoch.Store(controllerEpoch)
	return wire.CodeNone
}

// takeOver applies one partition's state; control is held.
func (m *Manager) takeOver(topic string, id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) wire.Code {
	p := m.lookup(topic, s.PartitionIndex)
	if p == nil {
		p = &Partition{key: partitionKey{topic, s.PartitionIndex}, m: m}
		p.mu.leaderEpoch, p.mu.partitionEpoch, p.mu.leader = -1, -1, -1
	}
	if code := p.judge(id, s); code != wire.CodeNone {
		return code
	}
	if !slices.Contains(s.Replicas, m.cfg.BrokerID) {
		return wire.CodeUnknownTopicOrPartition
	}
	if p.log == nil {
		if err := m.attachLog(p, id, s.IsNew); err != nil {
			m.log.Error("cannot open the log of a partition", "topic", topic, "partition", s.PartitionIndex, "error", err)
			return wire.CodeKafkaStorageError
		}
	}
	if err := p.assume(m, id, s); err != nil {
		m.log.Error("cannot take over a partition", "topic", topic, "partition", s.PartitionIndex, "error", m.observe(err))
		return wire.CodeKafkaStorageError
	}
	m.put(p, id)
	if s.Leader == m.cfg.BrokerID {
		p.advance(0)
		m.listener.BecameLeader(topic, s.PartitionIndex, s.LeaderEpoch)
	} else {
		m.listener.Resigned(topic, s.PartitionIndex, s.LeaderEpoch, false)
	}
	p.notify(0, true)
	return wire.CodeNone
}

// judge says whether a new state is newer than what the partition has.
func (p *Partition) judge(id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) wire.Code {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mu.role == roleOffline:
		return wire.CodeKafkaStorageError
	case p.mu.id != (wire.UUID{}) && id != (wire.UUID{}) && id != p.mu.id:
		return wire.CodeInconsistentTopicID
	case s.LeaderEpoch > p.mu.leaderEpoch:
		return wire.CodeNone
	case s.LeaderEpoch == p.mu.leaderEpoch && p.log != nil && p.mu.id == (wire.UUID{}) && id != (wire.UUID{}):
		return wire.CodeNone // an upgraded controller gives the topic its id
	}
	return wire.CodeStaleControllerEpoch
}

// attachLog gives a partition the log found on disk, or a new one in the
// directory that has the fewest.
func (m *Manager) attachLog(p *Partition, id wire.UUID, isNew bool) error {
	tp := storage.TopicPartition{Topic: p.key.topic, Partition: p.key.index}
	if l, ok := m.unclaimed[p.key]; ok {
		if err := l.SetTopicID(storage.TopicID(id)); err != nil {
			return err
		}
		delete(m.unclaimed, p.key)
		p.log = l
		return nil
	}
	dir, err := m.chooseDir(isNew)
	if err != nil {
		return err
	}
	p.log, err = dir.CreateLog(tp, storage.Current, storage.TopicID(id), m.cfg.Topic(p.key.topic).Storage)
	if err != nil {
		return m.observe(err)
	}
	m.logCount[dir]++
	return nil
}

// chooseDir picks the live directory with the fewest partitions. While a
// directory is offline, a partition that is not new may live there: it is not
// made again elsewhere.
func (m *Manager) chooseDir(isNew bool) (*storage.Dir, error) {
	var best *storage.Dir
	var failed error
	for _, d := range m.dirs { // in the order of log.dirs, so that ties are stable
		if err := d.Failed(); err != nil {
			failed = err
		} else if best == nil || m.logCount[d] < m.logCount[best] {
			best = d
		}
	}
	if failed != nil && (!isNew || best == nil) {
		return nil, failed
	}
	return best, nil
}

// assume makes the state the partition's own.
func (p *Partition) assume(m *Manager, id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	grew := s.LeaderEpoch > p.mu.leaderEpoch
	p.minISR = m.cfg.Topic(p.key.topic).MinISR
	if id != (wire.UUID{}) {
		p.mu.id = id
	}
	p.mu.leader, p.mu.leaderEpoch, p.mu.partitionEpoch = s.Leader, s.LeaderEpoch, s.PartitionEpoch
	p.mu.replicas, p.mu.adding, p.mu.removing = s.Replicas, s.AddingReplicas, s.RemovingReplicas
	if s.Leader != m.cfg.BrokerID {
		p.mu.role, p.mu.isr = roleFollower, nil
		return nil
	}
	p.mu.recovering = s.LeaderRecoveryState != 0
	if grew {
		// An epoch that brings no data is still known to followers that ask.
		if err := p.log.StartEpoch(s.LeaderEpoch); err != nil {
			return err
		}
		p.mu.epochStart = p.log.EndOffset()
	}
	p.mu.role, p.mu.isr = roleLeader, s.Isr
	return nil
}

// becomeOffline ends all service of a partition whose directory failed.
func (p *Partition) becomeOffline(m *Manager) {
	p.mu.Lock()
	was := p.mu.role
	p.mu.role = roleOffline
	epoch := p.mu.leaderEpoch
	p.mu.Unlock()
	if was == roleOffline {
		return
	}
	p.failAcks(wire.CodeKafkaStorageError)
	p.notify(0, true)
	if was == roleLeader {
		m.listener.Resigned(p.key.topic, p.key.index, epoch, false)
	}
}
