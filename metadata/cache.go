package metadata

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/wire"
)

// Cache holds the current Image. The zero value is not usable; call NewCache.
type Cache struct {
	current atomic.Pointer[Image]
	mu      struct {
		sync.Mutex
		changed chan struct{} // closed at the next change
	}
}

// NewCache returns a cache with an empty image: no broker, no controller.
func NewCache() *Cache {
	c := &Cache{}
	c.current.Store(&Image{ControllerID: -1})
	c.mu.changed = make(chan struct{})
	return c
}

// Image returns the current picture.
func (c *Cache) Image() *Image { return c.current.Load() }

// Changed returns the current picture and a channel that is closed when
// another one takes its place: those who wait for a topic to appear look,
// wait, and look again.
func (c *Cache) Changed() (*Image, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Load(), c.mu.changed
}

// Gone names a partition that an update removed.
type Gone struct {
	Topic     string
	Partition int32
}

// Apply takes over an UpdateMetadata request and returns the partitions it
// removed. A controller epoch below the last accepted one is refused with
// STALE_CONTROLLER_EPOCH; the caller has checked the broker epoch.
func (c *Cache) Apply(req *wire.UpdateMetadataRequest) ([]Gone, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.current.Load()
	if req.ControllerEpoch < old.ControllerEpoch {
		return nil, wire.CodeStaleControllerEpoch
	}
	next := *old
	next.ControllerEpoch = req.ControllerEpoch
	next.ControllerID = max(req.ControllerID, -1)
	next.Brokers = brokersOf(req)
	b := builder{image: &next}
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		b.topic(t.TopicName, t.TopicID, t.PartitionStates)
	}
	b.ungrouped(req.UngroupedPartitionStates)
	c.current.Store(&next)
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
	return b.gone, nil
}

func brokersOf(req *wire.UpdateMetadataRequest) []Broker {
	out := make([]Broker, 0, len(req.LiveBrokers))
	for _, l := range req.LiveBrokers {
		b := Broker{ID: l.ID, Rack: l.Rack}
		for _, e := range l.Endpoints {
			p := config.SecurityProtocol(e.SecurityProtocol)
			if e.Listener == "" && p >= config.Plaintext && p <= config.SASLSSL {
				e.Listener = p.String() // before version 3 a listener was named by what it speaks
			}
			b.Endpoints = append(b.Endpoints, Endpoint{Listener: e.Listener, Host: e.Host, Port: e.Port, Protocol: e.SecurityProtocol})
		}
		if len(l.Endpoints) == 0 { // version 0 knows one plaintext endpoint
			b.Endpoints = []Endpoint{{Listener: config.Plaintext.String(), Host: l.V0Host, Port: l.V0Port}}
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Broker) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// builder changes a fresh copy of an image; it copies each shard once.
type builder struct {
	image       *Image
	copied      [shardCount]bool
	namesCopied [shardCount]bool
	gone        []Gone
}

func (b *builder) shard(i int) map[string]*Topic {
	if !b.copied[i] {
		b.copied[i] = true
		if b.image.shards[i] = maps.Clone(b.image.shards[i]); b.image.shards[i] == nil {
			b.image.shards[i] = map[string]*Topic{}
		}
	}
	return b.image.shards[i]
}

func (b *builder) nameShard(i int) map[wire.UUID]string {
	if !b.namesCopied[i] {
		b.namesCopied[i] = true
		if b.image.names[i] = maps.Clone(b.image.names[i]); b.image.names[i] == nil {
			b.image.names[i] = map[wire.UUID]string{}
		}
	}
	return b.image.names[i]
}

// ungrouped handles versions below 5, which list partitions one by one.
func (b *builder) ungrouped(states []wire.UpdateMetadataRequestPartitionState) {
	for i := range states {
		b.topic(states[i].TopicName, wire.UUID{}, states[i:i+1])
	}
}

func (b *builder) topic(name string, id wire.UUID, states []wire.UpdateMetadataRequestPartitionState) {
	shard := b.shard(shardOf(name))
	old := shard[name]
	next := &Topic{Name: name, ID: id}
	if old != nil {
		next.Partitions = slices.Clone(old.Partitions)
	}
	before := len(next.Partitions)
	for i := range states {
		b.partition(next, &states[i])
	}
	b.image.parts += len(next.Partitions) - before
	if old != nil && old.ID != id && old.ID != (wire.UUID{}) {
		delete(b.nameShard(idShard(old.ID)), old.ID)
	}
	switch {
	case len(next.Partitions) == 0:
		if old != nil {
			b.image.topics--
			delete(shard, name)
		}
		if id != (wire.UUID{}) {
			delete(b.nameShard(idShard(id)), id)
		}
		return
	case old == nil:
		b.image.topics++
	}
	shard[name] = next
	if id != (wire.UUID{}) {
		b.nameShard(idShard(id))[id] = name
	}
}

func (b *builder) partition(t *Topic, s *wire.UpdateMetadataRequestPartitionState) {
	i, ok := slices.BinarySearchFunc(t.Partitions, s.PartitionIndex, func(p Partition, x int32) int { return int(p.Index) - int(x) })
	if s.Leader == leaderDuringDelete {
		if ok {
			t.Partitions = slices.Delete(t.Partitions, i, i+1)
		}
		b.gone = append(b.gone, Gone{Topic: t.Name, Partition: s.PartitionIndex})
		return
	}
	p := Partition{
		Index: s.PartitionIndex, Leader: s.Leader, LeaderEpoch: s.LeaderEpoch, PartitionEpoch: s.ZkVersion,
		ControllerEpoch: s.ControllerEpoch, ISR: s.Isr, Replicas: s.Replicas, Offline: s.OfflineReplicas,
	}
	if ok {
		t.Partitions[i] = p
	} else {
		t.Partitions = slices.Insert(t.Partitions, i, p)
	}
}
