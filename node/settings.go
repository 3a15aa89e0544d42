package node

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
)

// settings is the configuration in force: what the process was started with,
// and what /config/brokers and /config/topics say on top.
type settings struct {
	log       *slog.Logger
	throttles throttles // are told of every change
	current   atomic.Pointer[config.Broker]
	// plain is a topic without overrides; one value for all of them.
	plain atomic.Pointer[topicSettings]

	// change orders changes, so that none is derived from what another replaces.
	change sync.Mutex
	// read is when the newest topic settings that were taken over were read; change
	// guards it.
	read moment

	mu struct {
		sync.RWMutex
		topics map[string]*topicSettings // those with overrides
	}
}

// topicSettings is one topic's configuration, and what replicas take of it.
type topicSettings struct {
	overrides map[string]string
	topic     *config.Topic
	replica   replica.TopicConfig
}

func newSettings(b *config.Broker, log *slog.Logger) *settings {
	s := &settings{log: log, throttles: newThrottles(b)}
	s.mu.topics = map[string]*topicSettings{}
	s.install(b)
	return s
}

// setID gives the broker the id that it found out.
func (s *settings) setID(id int32) {
	s.change.Lock()
	defer s.change.Unlock()
	s.install(s.Broker().WithID(id))
}

// install makes b the broker's configuration; topics are derived anew. The
// caller holds change, but for the first time.
func (s *settings) install(b *config.Broker) {
	s.current.Store(b)
	s.throttles.limit(b)
	plain := s.derive(b, nil)
	if before := s.plain.Swap(plain); plain.topic.Compact && (before == nil || !before.topic.Compact) {
		s.log.Warn("log.cleanup.policy=compact: "+notCompacted, "topic", "all without a policy of their own")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, t := range s.mu.topics {
		t = s.derive(b, t.overrides)
		s.mu.topics[name] = t
		s.throttles.topic(name, t.topic, b.ID)
	}
}

// notCompacted is what a topic with cleanup.policy=compact must be told as long as
// there is no log cleaner.
const notCompacted = "this version does not compact logs, so old records stay and take space"

func (s *settings) derive(b *config.Broker, overrides map[string]string) *topicSettings {
	t, bad := b.TopicLenient(overrides)
	for _, err := range bad {
		s.log.Warn("topic override has no effect", "error", err)
	}
	r, err := replicaConfig(b, t)
	if err != nil { // the table has checked every value
		must.Bug("topic settings passed the table's rules but not storage's: %v", err)
	}
	return &topicSettings{overrides: overrides, topic: t, replica: r}
}

// Broker implements api.Settings.
func (s *settings) Broker() *config.Broker { return s.current.Load() }

func (s *settings) of(topic string) *topicSettings {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t, ok := s.mu.topics[topic]; ok {
		return t
	}
	return s.plain.Load()
}

// overridden names the topics with overrides, in no order.
func (s *settings) overridden() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.mu.topics))
}

// Topic implements api.Settings.
func (s *settings) Topic(name string) *config.Topic { return s.of(name).topic }

// Replica returns what replicas need of a topic's configuration.
func (s *settings) Replica(topic string) replica.TopicConfig { return s.of(topic).replica }

// moment is a state of ZooKeeper as a session saw it. Moments of different sessions
// have no order: the servers may have been given older data.
type moment struct{ session, zxid int64 }

// setTopic takes over a topic's overrides as they were at a moment; none means that
// there is no node. It refuses those from before others that it took over.
func (s *settings) setTopic(name string, overrides map[string]string, at moment) bool {
	s.change.Lock()
	defer s.change.Unlock()
	if at.session == s.read.session && at.zxid < s.read.zxid {
		return false
	}
	s.read = at
	var t *topicSettings
	if len(overrides) > 0 {
		t = s.derive(s.Broker(), overrides)
		if t.topic.Compact && !s.of(name).topic.Compact {
			s.log.Warn("cleanup.policy=compact: "+notCompacted, "topic", name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t == nil {
		delete(s.mu.topics, name)
		s.throttles.forget(name)
		return true
	}
	s.throttles.topic(name, t.topic, s.Broker().ID)
	s.mu.topics[name] = t
	return true
}

// setBroker takes over the dynamic configuration of all brokers and of this
// one. What breaks a rule as a whole leaves the old settings in force.
func (s *settings) setBroker(clusterDefault, own map[string]string) error {
	s.change.Lock()
	defer s.change.Unlock()
	next, ignored, err := s.Broker().WithDynamic(clusterDefault, own)
	for _, bad := range ignored {
		s.log.Warn("dynamic broker setting has no effect", "error", bad)
	}
	if err != nil {
		return err
	}
	s.install(next)
	return nil
}

// replicaConfig is what a topic's replicas need of its configuration and of
// the broker's.
func replicaConfig(b *config.Broker, t *config.Topic) (replica.TopicConfig, error) {
	c, err := storage.ConfigOf(t, int64(b.Int("producer.id.expiration.ms")), b.Bool("transaction.partition.verification.enable"))
	return replica.TopicConfig{Storage: c, MinISR: int(t.MinInSyncReplicas)}, err
}
