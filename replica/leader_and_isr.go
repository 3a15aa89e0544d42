package replica

import (
	"slices"

	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// LeaderAndIsr takes over what the controller decided, partition by partition.
// An equal or lower leader epoch is answered STALE_CONTROLLER_EPOCH, which
// controllers expect and bear. What is wrong with the request as a whole is the
// answer for each partition too. The response has all partitions in a row, and
// those of TopicStates by topic as well: versions have the one or the other.
func (m *Manager) LeaderAndIsr(req *wire.LeaderAndIsrRequest) *wire.LeaderAndIsrResponse {
	resp := wire.NewLeaderAndIsrResponse()
	m.control.Lock()
	defer m.control.Unlock()
	takeOver := m.takeOver
	if code := m.admit(req.ControllerEpoch, req.BrokerEpoch); code != wire.CodeNone {
		resp.ErrorCode = code
		takeOver = func(string, wire.UUID, *wire.LeaderAndIsrRequestPartitionState) wire.Code { return code }
	}
	defer m.handOver()
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		errs := wire.LeaderAndIsrResponseTopicError{TopicID: t.TopicID}
		for j := range t.PartitionStates {
			code := takeOver(t.TopicName, t.TopicID, &t.PartitionStates[j])
			e := wire.LeaderAndIsrResponsePartitionError{TopicName: t.TopicName, PartitionIndex: t.PartitionStates[j].PartitionIndex, ErrorCode: code}
			errs.PartitionErrors = append(errs.PartitionErrors, e)
		}
		resp.PartitionErrors = append(resp.PartitionErrors, errs.PartitionErrors...)
		resp.Topics = append(resp.Topics, errs)
	}
	for i := range req.UngroupedPartitionStates { // versions 0 and 1
		s := &req.UngroupedPartitionStates[i]
		resp.PartitionErrors = append(resp.PartitionErrors, wire.LeaderAndIsrResponsePartitionError{
			TopicName: s.TopicName, PartitionIndex: s.PartitionIndex, ErrorCode: takeOver(s.TopicName, wire.UUID{}, s)})
	}
	return resp
}

// Admit checks the epochs of a controller's UpdateMetadata, and applies it if they
// will do. That orders it with the requests about replicas: whoever has heard of a
// new controller, or registered again, obeys what was said before no more.
func (m *Manager) Admit(controllerEpoch int32, brokerEpoch int64, apply func() wire.Code) wire.Code {
	m.control.Lock()
	defer m.control.Unlock()
	if code := m.admit(controllerEpoch, brokerEpoch); code != wire.CodeNone {
		return code
	}
	return apply()
}

// admit checks the epochs of a controller's request. A broker epoch above ours
// is accepted: the controller may know of our registration before we do. control
// is held.
func (m *Manager) admit(controllerEpoch int32, brokerEpoch int64) wire.Code {
	if brokerEpoch >= 0 && brokerEpoch < m.brokerEpoch.Load() {
		return wire.CodeStaleBrokerEpoch
	}
	if m.stopped || controllerEpoch < m.controllerEpoch.Load() {
		return wire.CodeStaleControllerEpoch
	}
	m.controllerEpoch.Store(controllerEpoch)
	return wire.CodeNone
}

// takeOver applies one partition's state; control is held.
func (m *Manager) takeOver(topic string, id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) wire.Code {
	p, err := m.partition(partitionKey{topic, s.PartitionIndex})
	if err != nil {
		m.log.Error("cannot read the topic id of a partition", "topic", topic, "partition", s.PartitionIndex, "error", m.observe(err))
		return wire.CodeKafkaStorageError
	}
	code := p.judge(id, s)
	idOnly := code == codeNewID
	if code != wire.CodeNone && !idOnly {
		return code
	}
	if !slices.Contains(s.Replicas, m.cfg.BrokerID) {
		return wire.CodeUnknownTopicOrPartition
	}
	if err := m.attachLog(p, id, s.IsNew); err != nil {
		m.log.Error("cannot open the log of a partition", "topic", topic, "partition", s.PartitionIndex, "error", m.observe(err))
		return wire.CodeKafkaStorageError
	}
	if idOnly {
		p.setTopicID(id)
		m.put(p, p.topicID())
		m.retarget(p, id, s)
		return wire.CodeNone
	}
	if s.Leader == m.cfg.BrokerID && p.endFollowing() {
		m.settleCuts() // before anything is appended behind a cut
	}
	resigned, err := p.assume(m, id, s)
	m.put(p, p.topicID())
	m.resumeMove(p)
	if err != nil {
		m.log.Error("cannot take over a partition", "topic", topic, "partition", s.PartitionIndex, "error", m.observe(err))
		p.becomeOffline(m)
		return wire.CodeKafkaStorageError
	}
	if resigned {
		p.failWaiting(wire.CodeNotLeaderOrFollower)
	}
	if s.Leader == m.cfg.BrokerID {
		p.appended(0, m.now())
		m.listener.BecameLeader(topic, s.PartitionIndex, s.LeaderEpoch)
	} else {
		m.listener.Resigned(topic, s.PartitionIndex, s.LeaderEpoch, false)
	}
	m.retarget(p, id, s)
	p.notify(urgent, nil)
	return wire.CodeNone
}

// partition returns the partition of this name, or a new one that is not in the
// table yet: it knows the topic id of a log that was found at the start.
func (m *Manager) partition(key partitionKey) (*Partition, error) {
	if p := m.lookup(key.topic, key.index); p != nil {
		return p, nil
	}
	p := &Partition{key: key, m: m}
	p.mu.leaderEpoch, p.mu.partitionEpoch, p.mu.leader = -1, -1, -1
	l := m.unclaimedLog(key)
	if l == nil {
		return p, nil
	}
	if err := l.Dir().Failed(); err != nil {
		return nil, err
	}
	id, err := l.TopicID()
	p.mu.id = wire.UUID(id)
	return p, err
}

// codeNewID is judge's word for a state that only tells the topic's id, as an
// upgraded controller does, or that there is none any more, as one that was
// taken back does to followers; it never leaves the package.
const codeNewID wire.Code = -1000

// judge says whether a new state is newer than what the partition has.
func (p *Partition) judge(id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) wire.Code {
	p.mu.RLock()
	defer p.mu.RUnlock()
	none := wire.UUID{}
	switch {
	case p.mu.role == roleOffline:
		return wire.CodeKafkaStorageError
	case p.mu.id != none && id != none && id != p.mu.id:
		return wire.CodeInconsistentTopicID
	case s.LeaderEpoch > p.mu.leaderEpoch:
		return wire.CodeNone
	case s.LeaderEpoch == p.mu.leaderEpoch && p.mu.id == none && id != none:
		return codeNewID
	case s.LeaderEpoch == p.mu.leaderEpoch && p.mu.id != none && id == none && s.Leader != p.m.cfg.BrokerID:
		return codeNewID
	}
	return wire.CodeStaleControllerEpoch
}

// setTopicID gives a partition its topic's id, which it keeps for good.
func (p *Partition) setTopicID(id wire.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id != (wire.UUID{}) {
		p.mu.id = id
	}
}

// attachLog gives a partition the log found on disk, or a new one in the
// directory that has the fewest, and makes the log tell the topic's id.
func (m *Manager) attachLog(p *Partition, id wire.UUID, isNew bool) error {
	l := p.log()
	if l == nil {
		l = m.unclaimedLog(p.key)
	}
	if l == nil {
		dir, err := m.placeFor(p.key, isNew)
		if err != nil {
			return err
		}
		tp := storage.TopicPartition{Topic: p.key.topic, Partition: p.key.index}
		l, err = dir.CreateLog(tp, storage.Current, storage.TopicID(id), m.cfg.Topic(p.key.topic).Storage)
		if err != nil {
			return err
		}
		m.logCount[dir]++
	} else if id != (wire.UUID{}) {
		if err := l.SetTopicID(storage.TopicID(id)); err != nil {
			return err
		}
	}
	p.current.Store(l)
	return nil
}

// chooseDir picks the live directory with the fewest partitions. While a
// directory is offline, a partition that is not new may live there: it is not
// made again elsewhere.
func (m *Manager) chooseDir(isNew bool) (*storage.Dir, error) {
	var best *storage.Dir
	var failed error
	if len(m.cfg.Missing) > 0 {
		failed = m.cfg.Missing[0].Err
	}
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

// endFollowing lets the fetcher touch the log no more, if this broker follows.
func (p *Partition) endFollowing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.role != roleFollower {
		return false
	}
	p.mu.leader = metadata.NoLeader
	return true
}

// assume makes the state the partition's own; resigned reports that this broker
// led the partition until now.
func (p *Partition) assume(m *Manager, id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) (resigned bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	led := p.mu.role == roleLeader
	p.minISR = m.cfg.Topic(p.key.topic).MinISR
	if id != (wire.UUID{}) {
		p.mu.id = id
	}
	p.mu.leader, p.mu.leaderEpoch, p.mu.partitionEpoch = s.Leader, s.LeaderEpoch, s.PartitionEpoch
	p.mu.replicas, p.mu.adding, p.mu.removing = s.Replicas, s.AddingReplicas, s.RemovingReplicas
	if s.Leader != m.cfg.BrokerID {
		p.mu.role, p.mu.isr = roleFollower, nil
		p.resignLocked()
		return led, nil
	}
	p.mu.recovering = s.LeaderRecoveryState != 0
	// An epoch that brings no data is still known to followers that ask.
	if err := p.log().StartEpoch(s.LeaderEpoch); err != nil {
		return led, err
	}
	p.mu.epochStart = p.log().EndOffset()
	if !led {
		p.mu.ledSince = s.LeaderEpoch
	}
	p.mu.role, p.mu.isr = roleLeader, s.Isr
	p.leadLocked(s, led)
	return false, nil
}

// becomeOffline ends all service of a partition whose directory failed.
func (p *Partition) becomeOffline(m *Manager) {
	p.mu.Lock()
	was := p.mu.role
	if was == roleOffline || was == roleGone {
		p.mu.Unlock()
		return
	}
	p.mu.role = roleOffline
	p.resignLocked()
	epoch := p.mu.leaderEpoch
	p.mu.Unlock()
	p.failWaiting(wire.CodeKafkaStorageError)
	p.notify(urgent, nil)
	m.unfollow(p)
	if was == roleLeader {
		m.listener.Resigned(p.key.topic, p.key.index, epoch, false)
	}
}
