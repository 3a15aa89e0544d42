package replica

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/quota"
	"github.com/gregor-mq/gregor/replica/isr"
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
	// FlushInterval is log.flush.scheduler.interval.ms, how often flush.ms is
	// looked at; 0 is never, as is Kafka's default.
	FlushInterval time.Duration
	// MaxLag is replica.lag.time.max.ms: how long a follower may lag before it
	// is out of sync.
	MaxLag time.Duration
	// RackAware is that replica.selector.class is the RackAwareReplicaSelector:
	// consumers are sent to replicas in their rack.
	RackAware bool
	// Follow says how partitions are copied from their leaders.
	Follow FollowConfig
	// Controller hears of changes of the in-sync replicas.
	Controller Controller
	// Topic returns the effective configuration of a topic.
	Topic func(topic string) TopicConfig
	// Throttle is leader.replication.throttled.rate and the replicas that it is
	// about; nil is none.
	Throttle *quota.Replication
	// Moves is about moves between log directories.
	Moves MoveConfig
	// Missing are the entries of log.dirs that could not be opened. A partition
	// that is not new may lie there, so it is not made again elsewhere.
	Missing []MissingDir
	// DirFailed is called once for each directory that goes offline later; live
	// is how many are left. It must not block. May be nil.
	DirFailed func(err *storage.DirError, live int)
}

// MissingDir is an entry of log.dirs that could not be opened.
type MissingDir struct {
	Path string
	Err  error
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
	moves    moves
	began    time.Time // what the time of replication counts from

	// replication is what all led partitions have in common.
	replication isr.Config
	isrChanges  isrChanges
	followers   followers

	// control orders LeaderAndIsr and StopReplica requests.
	control         sync.Mutex
	stopped         bool // guarded by control
	controllerEpoch atomic.Int32
	brokerEpoch     atomic.Int64

	mu struct {
		sync.RWMutex
		topics map[string]map[int32]*Partition
		names  map[wire.UUID]string
		// unclaimed logs were on disk at the start, and no LeaderAndIsr has
		// named them yet.
		unclaimed map[partitionKey]*storage.Log
		// loaded directories have all their logs in this table: only those may
		// get checkpoints and the mark of a clean stop.
		loaded map[*storage.Dir]bool
	}
	// logCount is how many logs each directory holds; guarded by control.
	logCount map[*storage.Dir]int
	// moved directories have watermarks that their checkpoint does not tell;
	// the map itself never changes.
	moved map[*storage.Dir]*atomic.Bool
	// checkpoints makes looking at the logs and writing what they tell one
	// step, so that no older list overwrites a newer one.
	checkpoints sync.Mutex
	offline     struct {
		sync.Mutex
		dirs map[*storage.Dir]bool // that DirFailed was told of
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
	m := &Manager{cfg: cfg, env: e, log: log, cache: cache, dirs: dirs, listener: listener, began: e.Clock.Now()}
	m.replication = isr.Config{Self: cfg.BrokerID, MaxLag: cfg.MaxLag, Alive: func(id int32) bool { return cache.Image().Alive(id) }}
	m.isrChanges.ready = make(chan struct{}, 1)
	m.isrChanges.mu.waiting = map[*Partition]*isr.Proposal{}
	m.sessions.slots = cfg.SessionSlots
	m.sessions.mu.all = map[int32]*session{}
	m.mu.topics = map[string]map[int32]*Partition{}
	m.mu.names = map[wire.UUID]string{}
	m.mu.unclaimed, m.mu.loaded = map[partitionKey]*storage.Log{}, map[*storage.Dir]bool{}
	m.logCount, m.offline.dirs = map[*storage.Dir]int{}, map[*storage.Dir]bool{}
	m.moved = make(map[*storage.Dir]*atomic.Bool, len(dirs))
	for _, d := range dirs {
		m.moved[d] = new(atomic.Bool)
	}
	m.moves.init(dirs)
	m.flushes = run.NewInbox[*storage.Log](maxQueued)
	m.deletions = run.NewInbox[deletion](maxQueued)
	m.initFollowers()
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

// unclaimedLog returns a log that was on disk at the start and that no
// LeaderAndIsr has named yet.
func (m *Manager) unclaimedLog(key partitionKey) *storage.Log {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.mu.unclaimed[key]
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

// missing says why a partition is not here: unknown to the whole cluster,
// elsewhere, or here under another id.
func (m *Manager) missing(name PartitionName, byID bool) error {
	image := m.cache.Image()
	if byID {
		t := image.TopicByID(name.TopicID)
		if t == nil {
			return wire.CodeUnknownTopicID
		}
		name.Topic = t.Name
		if m.lookup(name.Topic, name.Partition) != nil {
			return wire.CodeInconsistentTopicID
		}
	}
	if t := image.Topic(name.Topic); t != nil {
		if _, ok := t.Partition(name.Partition); ok {
			return wire.CodeNotLeaderOrFollower
		}
	}
	return wire.CodeUnknownTopicOrPartition
}

// put adds a partition to the table, with its log.
func (m *Manager) put(p *Partition, id wire.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.unclaimed, p.key)
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
	for _, p := range m.all() {
		f(p)
	}
}

// inOrder is each in the order of names, for what others hear of: so that the
// same happens whenever the same has happened before.
func (m *Manager) inOrder(f func(*Partition)) {
	all := m.all()
	slices.SortFunc(all, func(a, b *Partition) int {
		return cmp.Or(strings.Compare(a.key.topic, b.key.topic), cmp.Compare(a.key.index, b.key.index))
	})
	for _, p := range all {
		f(p)
	}
}

func (m *Manager) all() []*Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]*Partition, 0, len(m.mu.topics))
	for _, t := range m.mu.topics {
		for _, p := range t {
			all = append(all, p)
		}
	}
	return all
}

// observe takes the directory of a failing disk offline and hands the error on.
// The caller holds no lock of a partition.
func (m *Manager) observe(err error) error {
	if _, ok := errors.AsType[*storage.DirError](err); ok {
		m.takeOffline()
	}
	return err
}

// takeOffline ends the service of all partitions of failed directories; the
// others go on.
func (m *Manager) takeOffline() {
	m.inOrder(func(p *Partition) {
		if p.log().Dir().Failed() != nil {
			p.becomeOffline(m)
		}
	})
	m.abandonMoves()
	m.offline.Lock()
	defer m.offline.Unlock()
	live := len(m.dirs)
	var failed []*storage.DirError
	for _, d := range m.dirs {
		err := d.Failed()
		if err == nil {
			continue
		}
		live--
		if !m.offline.dirs[d] {
			m.offline.dirs[d] = true
			failed = append(failed, err)
		}
	}
	for _, err := range failed {
		if m.cfg.DirFailed != nil {
			m.cfg.DirFailed(err, live)
		}
	}
}

// Start begins the periodic work: retention, flushes, checkpoints, delayed
// deletion.
func (m *Manager) Start(ctx context.Context) {
	m.group = run.NewGroup(ctx)
	m.group.Go("log-retention", m.retentionLoop)
	m.group.Go("log-flush", m.flushLoop)
	m.group.Go("log-checkpoints", m.checkpointLoop)
	if m.cfg.FlushInterval > 0 {
		m.group.Go("log-flush-aged", m.flushAgedLoop)
	}
	m.group.Go("log-deletion", m.deletionLoop)
	if len(m.dirs) > 1 {
		for _, d := range m.dirs {
			m.group.Go("log-move", m.moveLoop(d))
		}
	}
	m.group.Go("isr-changes", m.isrChangeLoop)
	m.group.Go("isr-lag", m.lagLoop)
	m.followers.fetchers.Start(m.group.Context())
}
