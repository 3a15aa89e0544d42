package quota

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Unlimited is the limit that none is: the default of every replication quota.
const Unlimited int64 = math.MaxInt64

// Replication bounds how many bytes per second pass for some replicas. What
// counts is the traffic of all of them, in sync or not; who is held back when it
// is too much is the caller's choice. Safe for concurrent use.
type Replication struct {
	limit atomic.Int64
	// topics is replaced whole, so that asking takes no lock; nil while nothing
	// is throttled.
	topics atomic.Pointer[map[string]Replicas]

	mu struct {
		sync.Mutex // also orders changes of topics
		rate       *Rate
	}
}

// NewReplication returns a throttle without limit or replicas.
func NewReplication(w Window) *Replication {
	r := &Replication{}
	r.limit.Store(Unlimited)
	r.mu.rate = NewRate(w)
	return r
}

// SetLimit changes the limit, in bytes per second. What passed before counts.
func (r *Replication) SetLimit(bytesPerSecond int64) { r.limit.Store(bytesPerSecond) }

// Limit is the limit in bytes per second.
func (r *Replication) Limit() int64 { return r.limit.Load() }

// SetTopic says which replicas of a topic are throttled.
func (r *Replication) SetTopic(topic string, which Replicas) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.topics.Load()
	if old == nil && which.none() {
		return
	}
	next := map[string]Replicas{}
	if old != nil {
		next = maps.Clone(*old)
	}
	if next[topic] = which; which.none() {
		delete(next, topic)
	}
	if len(next) == 0 {
		r.topics.Store(nil)
		return
	}
	r.topics.Store(&next)
}

// Throttled reports whether this broker's replica of a partition is one of
// those that count.
func (r *Replication) Throttled(topic string, partition int32) bool {
	topics := r.topics.Load()
	return topics != nil && (*topics)[topic].has(partition)
}

// Record notes that bytes passed.
func (r *Replication) Record(now time.Time, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.rate.Record(now, int64(bytes))
}

// Exceeded reports whether more passed than the limit allows.
func (r *Replication) Exceeded(now time.Time) bool { return r.Wait(now) > 0 }

// Wait is how long to wait, if nothing passes, before more may: 0 when it may
// now. Who waited asks again.
func (r *Replication) Wait(now time.Time) time.Duration {
	limit := r.limit.Load()
	if limit == Unlimited {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rate.Until(now, limit)
}

// Replicas are those of one topic on one broker that are throttled. The zero
// value is none.
type Replicas struct {
	all        bool
	partitions []int32 // ascending
}

// ParseReplicas reads leader.replication.throttled.replicas or its sister of the
// follower: "*" for all, or partition:broker pairs, of which those of this broker
// count. Pairs that are none are passed over: the configuration refuses them.
func ParseReplicas(list []string, broker int32) Replicas {
	var r Replicas
	for _, pair := range list {
		pair = strings.TrimSpace(pair)
		if pair == "*" {
			return Replicas{all: true}
		}
		left, right, _ := strings.Cut(pair, ":")
		partition, err := strconv.ParseInt(left, 10, 32)
		if id, err2 := strconv.ParseInt(right, 10, 32); err != nil || err2 != nil || int32(id) != broker {
			continue
		}
		r.partitions = append(r.partitions, int32(partition))
	}
	slices.Sort(r.partitions)
	return r
}

func (r Replicas) none() bool { return !r.all && len(r.partitions) == 0 }

func (r Replicas) has(partition int32) bool {
	if r.all {
		return true
	}
	_, found := slices.BinarySearch(r.partitions, partition)
	return found
}
