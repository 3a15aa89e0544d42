package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// Config is what the manager must know of the broker's properties.
type Config struct {
	BrokerID int32
	// SessionSlots is max.incremental.fetch.session.cache.slots.
	SessionSlots int
	// RetentionInterval and TaskDelay are log.retention.check.interval.ms and
	// log.initial.task.delay.ms.
	RetentionInterval, TaskDelay time.Duration
	// CheckpointInterval is log.flush.offset.checkpoint.interval.ms,
	// WatermarkInterval replica.high.watermark.checkpoint.interval.ms.
	CheckpointInterval, WatermarkInterval time.Duration
	// Topic returns the effective configuration of a topic.
	Topic func(topic string) TopicConfig
}

// TopicConfig is the effective configuration of a topic, as far as its
// replicas care.
type TopicConfig struct {
	Storage *storage.Config
	// MinISR is min.insync.replicas.
	MinISR int
}

// Listener hears of role changes: coordinators load and unload by them. Its
// methods are called in order and must not block.
type Listener interface {
	// BecameLeader says that this broker leads a partition since an epoch.
	BecameLeader(topic string, partition, leaderEpoch int32)
	// Resigned says that it leads it no more; deleted that it holds none of it.
	Resigned(topic string, partition, leaderEpoch int32, deleted bool)
}

// Manager holds all partitions of this broker.
type Manager struct {
	cfg      Config
	env      env.Env
	log      *slog.Logger
	cache    *metadata.Cache
	dirs     []*storage.Dir
	listener Listener
	group    *run.Group
	sessions sessions

	// control orders LeaderAndIsr and StopReplica requests.
	control         sync.Mutex
	controllerEpoch atomic.Int32
	brokerEpoch     atomic.Int64

	mu struct {
		sync.RWMutex
		topics map[string]map[int32]*Partition
		names  map[wire.UUID]string
	}
	// logs are those that were on disk at the start and that no LeaderAndIsr
	// has named yet; guarded by control.
	unclaimed map[partitionKey]*storage.Log
	// logCount is how many logs each directory holds; guarded by control.
	logCount map[*storage.Dir]int
	moved    struct {
		sync.Mutex
		dirs map[*storage.Dir]bool // whose watermarks changed since their checkpoint
	}
	flushes   *run.Inbox[*storage.Log]
	deletions *run.Inbox[deletion]
}

// maxQueued bounds the rolled segments to flush and the directories to delete:
// more than any broker has at once. What does not fit is done by the next
// periodic run, or by the next start.
const maxQueued = 1 << 20

// New returns a manager over loaded log directories.
func New(cfg Config, dirs []*storage.Dir, cache *metadata.Cache, listener Listener, e env.Env, log *slog.Logger) *Manager {
	m := &Manager{cfg: cfg, env: e, log: log, cache: cache, dirs: dirs, listener: listener}
	m.sessions.slots = cfg.SessionSlots
	m.sessions.mu.all = map[int32]*session{}
	m.mu.topics = map[string]map[int32]*Partition{}
	m.mu.names = map[wire.UUID]string{}
	m.moved.dirs = map[*storage.Dir]bool{}
	m.unclaimed, m.logCount = map[partitionKey]*storage.Log{}, map[*storage.Dir]int{}
	m.flushes = run.NewInbox[*storage.Log](maxQueued)
	m.deletions = run.NewInbox[deletion](maxQueued)
	m.controllerEpoch.Store(-1)
	m.brokerEpoch.Store(-1)
	return m
}

// SetBrokerEpoch tells the czxid of this broker's registration; requests of a
// controller that names an older one are refused.
func (m *Manager) SetBrokerEpoch(epoch int64) { m.brokerEpoch.Store(epoch) }

// BrokerEpoch returns the czxid of this broker's registration, -1 before it.
func (m *Manager) BrokerEpoch() int64 { return m.brokerEpoch.Load() }

// lookup returns a partition by name, nil when this broker holds none.
func (m *Manager) lookup(topic string, index int32) *Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.mu.topics[topic][index]
}

// find returns the partition that a fetch names.
func (m *Manager) find(name PartitionName, byID bool) *Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	topic := name.Topic
	if byID {
		topic = m.mu.names[name.TopicID]
	}
	p := m.mu.topics[topic][name.Partition]
	if p != nil && byID && p.topicID() != name.TopicID {
		return nil
	}
	return p
}

// missing says why a partition is not here: unknown to the whole cluster, or
// elsewhere.
func (m *Manager) missing(name PartitionName, byID bool) error {
	image := m.cache.Image()
	if byID {
		t := image.TopicByID(name.TopicID)
		if t == nil {
			return wire.CodeUnknownTopicID
		}
		name.Topic = t.Name
	}
	if t := image.Topic(name.Topic); t != nil {
		if _, ok := t.Partition(name.Partition); ok {
			return wire.CodeNotLeaderOrFollower
		}
	}
	return wire.CodeUnknownTopicOrPartition
}

// put adds a partition to the table.
func (m *Manager) put(p *Partition, id wire.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.mu.topics[p.key.topic]
	if t == nil {
		t = map[int32]*Partition{}
		m.mu.topics[p.key.topic] = t
	}
	t[p.key.index] = p
	if id != (wire.UUID{}) {
		m.mu.names[id] = p.key.topic
	}
}

// drop removes a partition from the table.
func (m *Manager) drop(p *Partition) {
	id := p.topicID()
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.mu.topics[p.key.topic]
	if t[p.key.index] != p {
		return
	}
	delete(t, p.key.index)
	if len(t) == 0 {
		delete(m.mu.topics, p.key.topic)
		delete(m.mu.names, id)
	}
}

// each calls f for every partition, without holding the table's lock.
func (m *Manager) each(f func(*Partition)) {
	m.mu.RLock()
	all := make([]*Partition, 0, len(m.mu.topics))
	for _, t := range m.mu.topics {
		for _, p := range t {
			all = append(all, p)
		}
	}
	m.mu.RUnlock()
	for _, p := range all {
		f(p)
	}
}

// observe takes the directory of a failing disk offline and hands the error on.
func (m *Manager) observe(err error) error {
	if dirErr, ok := errors.AsType[*storage.DirError](err); ok {
		m.dirFailed(dirErr)
	}
	return err
}

// dirFailed takes all partitions of a directory offline; the others go on.
func (m *Manager) dirFailed(err *storage.DirError) {
	m.each(func(p *Partition) {
		if p.log != nil && p.log.Dir().Failed() != nil {
			p.becomeOffline(m)
		}
	})
}

// Start begins the periodic work: retention, flushes, checkpoints, delayed
// deletion.
func (m *Manager) Start(ctx context.Context) {
	m.group = run.NewGroup(ctx)
	m.group.Go("log-retention", m.retentionLoop)
	m.group.Go("log-flush", m.flushLoop)
	m.group.Go("log-checkpoints", m.checkpointLoop)
	m.group.Go("log-deletion", m.deletionLoop)
}
