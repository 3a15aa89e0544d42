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
	// Lag is how many offsets a replica is behind the watermark; 0 for a leader.
	Lag int64
}

// DescribeDirs lists the directories and the replicas in them that want asks
// for; nil asks for all.
func (m *Manager) DescribeDirs(want func(topic string, partition int32) bool) []DirDescription {
	var out []DirDescription
	for _, d := range m.dirs {
		desc := DirDescription{Path: d.Path(), TotalBytes: -1, UsableBytes: -1}
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
				desc.Replicas = append(desc.Replicas, ReplicaDescription{
					Topic: tp.Topic, Partition: tp.Partition, Size: l.Size(), Lag: max(0, l.HighWatermark()-l.EndOffset())})
			}
		}
		out = append(out, desc)
	}
	return out
}

// UpdateTopic gives the replicas of a topic its new configuration.
func (m *Manager) UpdateTopic(topic string) {
	cfg := m.cfg.Topic(topic)
	m.mu.RLock()
	var parts []*Partition
	for _, p := range m.mu.topics[topic] {
		parts = append(parts, p)
	}
	m.mu.RUnlock()
	for _, p := range parts {
		p.mu.Lock()
		p.minISR = cfg.MinISR
		p.mu.Unlock()
		p.log.SetConfig(cfg.Storage)
	}
	m.control.Lock()
	defer m.control.Unlock()
	for key, l := range m.unclaimed {
		if key.topic == topic {
			l.SetConfig(cfg.Storage)
		}
	}
}

// UpdateAll gives every replica its configuration anew, after the broker's own
// defaults changed.
func (m *Manager) UpdateAll() {
	m.mu.RLock()
	topics := make([]string, 0, len(m.mu.topics))
	for t := range m.mu.topics {
		topics = append(topics, t)
	}
	m.mu.RUnlock()
	for _, t := range topics {
		m.UpdateTopic(t)
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
	return p.log, nil
}
