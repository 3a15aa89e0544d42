package metadata

import (
	"hash/maphash"
	"iter"
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// NoLeader is the leader of a partition without one; leaderDuringDelete marks
// a partition of a topic that is being deleted (LeaderAndIsr, UpdateMetadata).
const (
	NoLeader           int32 = -1
	leaderDuringDelete int32 = -2
)

// shardCount divides the topics, so that a change copies one shard's table and
// not that of all topics.
const shardCount = 256

var shardSeed = maphash.MakeSeed()

func shardOf(topic string) int { return int(maphash.String(shardSeed, topic) % shardCount) }

// Image is one state of the cluster as the controller told it. It never
// changes; all that hangs below it is shared and must not be written to.
type Image struct {
	// ControllerID is the active controller's broker id, -1 when unknown.
	ControllerID int32
	// ControllerEpoch is that of the last accepted UpdateMetadata request.
	ControllerEpoch int32
	// Brokers are the live brokers by id, in id order.
	Brokers []Broker

	shards [shardCount]map[string]*Topic
	names  [shardCount]map[wire.UUID]string
	topics int
	parts  int
}

// Broker is one live broker.
type Broker struct {
	ID        int32
	Rack      *string
	Endpoints []Endpoint
}

// Endpoint is one listener of a broker.
type Endpoint struct {
	Listener string
	Host     string
	Port     int32
	// Protocol is the security protocol's id: 0 PLAINTEXT, 1 SSL, 2
	// SASL_PLAINTEXT, 3 SASL_SSL.
	Protocol int16
}

// Endpoint returns the broker's endpoint of a listener.
func (b Broker) Endpoint(listener string) (Endpoint, bool) {
	i := slices.IndexFunc(b.Endpoints, func(e Endpoint) bool { return e.Listener == listener })
	if i < 0 {
		return Endpoint{}, false
	}
	return b.Endpoints[i], true
}

// Topic is one topic with its partitions in index order. Indexes may have
// holes while a topic is being created.
type Topic struct {
	Name       string
	ID         wire.UUID
	Partitions []Partition
}

// Partition is the state of one partition.
type Partition struct {
	Index           int32
	Leader          int32
	LeaderEpoch     int32
	PartitionEpoch  int32
	ControllerEpoch int32
	ISR             []int32
	Replicas        []int32
	Offline         []int32
}

// Partition returns the partition with an index.
func (t *Topic) Partition(index int32) (*Partition, bool) {
	i, ok := slices.BinarySearchFunc(t.Partitions, index, func(p Partition, x int32) int { return int(p.Index) - int(x) })
	if !ok {
		return nil, false
	}
	return &t.Partitions[i], true
}

// Topic returns a topic by name, nil when unknown.
func (m *Image) Topic(name string) *Topic { return m.shards[shardOf(name)][name] }

// TopicByID returns a topic by id, nil when unknown.
func (m *Image) TopicByID(id wire.UUID) *Topic {
	name, ok := m.names[idShard(id)][id]
	if !ok {
		return nil
	}
	return m.Topic(name)
}

func idShard(id wire.UUID) int { return int(id[15]) % shardCount }

// TopicCount and PartitionCount tell the size of the cluster.
func (m *Image) TopicCount() int { return m.topics }

// PartitionCount returns the number of partitions of all topics.
func (m *Image) PartitionCount() int { return m.parts }

// Topics yields all topics in no particular order.
func (m *Image) Topics() iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, shard := range m.shards {
			for _, t := range shard {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// Broker returns a live broker by id.
func (m *Image) Broker(id int32) (Broker, bool) {
	i, ok := slices.BinarySearchFunc(m.Brokers, id, func(b Broker, x int32) int { return int(b.ID) - int(x) })
	if !ok {
		return Broker{}, false
	}
	return m.Brokers[i], true
}

// Alive reports whether a broker is live.
func (m *Image) Alive(id int32) bool {
	_, ok := m.Broker(id)
	return ok
}
