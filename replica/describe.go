package replica

import (
	"github.com/gregor-mq/gregor/storage"
)

// DirDescription is one log directory with its replicas (DescribeLogDirs).
type DirDescription struct {
	Path        string
	Err         error // why it is offline
	TotalBytes  int64 // of the volume, -1 when unknown
	UsableBytes int64
	Replicas    []ReplicaDescription
}

// ReplicaDescription is one replica in a log directory.
type ReplicaDescription struct {
	Topic     string
	Partition int32
	Size      int64 // bytes of all segments
	// Lag is how many offsets a replica is behind the watermark, 0 for a leader; of
	// a copy, how many it is behind its log, -1 when that is not known.
	Lag int64
	// IsFuture says that it is the copy of a replica that moves here.
	IsFuture bool
}

// DescribeDirs lists the directories and the replicas in them that want asks
// for; nil asks for all.
func (m *Manager) DescribeDirs(want func(topic string, partition int32) bool) []DirDescription {
	var out []DirDescription
	for _, d := range m.cfg.Missing {
		out = append(out, DirDescription{Path: absolute(d.Path), Err: d.Err, TotalBytes: -1, UsableBytes: -1})
	}
	for _, d := range m.dirs {
		desc := DirDescription{Path: absolute(d.Path()), TotalBytes: -1, UsableBytes: -1}
		if err := d.Failed(); err != nil {
			desc.Err = err
			out = append(out, desc)
			continue
		}
		if free, total, err := d.Free(); err == nil {
			desc.TotalBytes, desc.UsableBytes = total, free
		}
		for _, l := range m.logsOf(d) {
			tp := l.Partition()
			if want == nil || want(tp.Topic, tp.Partition) {
				desc.Replicas = append(desc.Replicas, m.describeLog(l))
			}
		}
		out = append(out, desc)
	}
	return out
}

func (m *Manager) describeLog(l *storage.Log) ReplicaDescription {
	tp := l.Partition()
	out := ReplicaDescription{Topic: tp.Topic, Partition: tp.Partition, Size: l.Size(), Lag: max(0, l.HighWatermark()-l.EndOffset())}
	if out.IsFuture = l.Kind() == storage.Future; !out.IsFuture {
		return out
	}
	out.Lag = -1
	if p := m.lookup(tp.Topic, tp.Partition); p != nil && p.log().Dir().Failed() == nil {
		out.Lag = p.log().EndOffset() - l.EndOffset()
	}
	return out
}

// Leadership returns who leads a partition that has a replica here, -1 for
// nobody, and since which epoch, as the controller last told; ok is false for
// any other partition and one whose log directory failed.
func (m *Manager) Leadership(topic string, partition int32) (leader, epoch int32, ok bool) {
	p := m.lookup(topic, partition)
	if p == nil {
		return 0, 0, false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.leader, p.mu.leaderEpoch, p.mu.role == roleLeader || p.mu.role == roleFollower
}

// UpdateTopic gives the replicas of a topic its new configuration.
func (m *Manager) UpdateTopic(topic string) {
	m.update(func(name string) bool { return name == topic })
}

// UpdateAll gives every replica its configuration anew, after the broker's own
// defaults changed.
func (m *Manager) UpdateAll() {
	m.update(func(string) bool { return true })
}

func (m *Manager) update(want func(topic string) bool) {
	// A partition that is being made meanwhile has either the new
	// configuration already, or is in the table when control is free.
	m.control.Lock()
	defer m.control.Unlock()
	m.each(func(p *Partition) {
		if !want(p.key.topic) {
			return
		}
		cfg := m.cfg.Topic(p.key.topic)
		p.log().SetConfig(cfg.Storage)
		p.setMinISR(cfg.MinISR) // a lower one may let the watermark go on
	})
	m.moves.each(func(l *storage.Log) {
		if topic := l.Partition().Topic; want(topic) {
			l.SetConfig(m.cfg.Topic(topic).Storage)
		}
	})
	m.mu.RLock()
	defer m.mu.RUnlock()
	for key, l := range m.mu.unclaimed {
		if want(key.topic) {
			l.SetConfig(m.cfg.Topic(key.topic).Storage)
		}
	}
}

// Log returns the log of a partition that this broker leads, for the
// coordinators that keep their state in it.
func (m *Manager) Log(topic string, partition int32) (*storage.Log, error) {
	p := m.lookup(topic, partition)
	if p == nil {
		return nil, m.missing(PartitionName{Topic: topic, Partition: partition}, false)
	}
	if err := p.checkLeader(-1); err != nil {
		return nil, err
	}
	return p.log(), nil
}
