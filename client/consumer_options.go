package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/fetch"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/znode"
)

// Position is where to begin to read a partition.
type Position int64

const (
	// Latest is after the newest record; it is the default, as it was for Kafka's
	// consumer.
	Latest = Position(fetch.Latest)
	// Earliest is at the oldest record that is still there.
	Earliest = Position(fetch.Earliest)
)

// offsetsIn is where offsets are kept.
type offsetsIn uint8

const (
	inZooKeeper offsetsIn = iota
	inKafka
	inBoth
)

// consumerOptions is what a GroupConsumer is made with.
type consumerOptions struct {
	connection
	// subscription is what the member's node will say; streams goes into it.
	subscription      znode.Consumer
	streams           int32
	id                string
	strategy          assign.Strategy
	oldNames          bool
	offsets           offsetsIn
	autoCommit        time.Duration
	begin             Position
	retries           int
	backoff, handOver time.Duration
	onAssigned        func(context.Context, map[string][]int32)
	onRevoked         func(context.Context, map[string][]int32)
	onLost            func(context.Context, map[string][]int32)
	maxBytes          int32
	partitionMaxBytes int32
	minBytes          int32
	maxWait           time.Duration
	pollRecords       int
	committed         bool
	err               error

	// env and dialZooKeeper are others in tests.
	env           env.Env
	dialZooKeeper func(ctx context.Context, connect string) (*coord.Conn, error)
}

func consumerDefaults() consumerOptions {
	nothing := func(context.Context, map[string][]int32) {}
	return consumerOptions{
		connection: defaults(), streams: 1, strategy: assign.Range, autoCommit: time.Minute, begin: Latest,
		retries: 4, backoff: 2 * time.Second, onAssigned: nothing, onRevoked: nothing, onLost: nothing,
		maxBytes: 50 << 20, partitionMaxBytes: 1 << 20, minBytes: 1, maxWait: 500 * time.Millisecond, pollRecords: 500, env: env.Real(),
	}
}

type consumerOption func(*consumerOptions)

func (f consumerOption) consumer(o *consumerOptions) { f(o) }

// Topics subscribes to topics by their names. One that does not exist is read from
// when it does.
func Topics(names ...string) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.subscribe(znode.StaticPattern, names...) })
}

// WhiteList subscribes to all topics, those to come included, whose whole name the
// regular expression matches. As in Kafka's consumer a comma means "or", spaces do
// not count, and __consumer_offsets never matches. The expression must mean the
// same in Go as in Java if members written in Java share the group.
func WhiteList(expression string) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.subscribe(znode.WhiteListPattern, expression) })
}

// BlackList subscribes to all topics whose name the regular expression does not
// match; see WhiteList.
func BlackList(expression string) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.subscribe(znode.BlackListPattern, expression) })
}

func (o *consumerOptions) subscribe(pattern string, names ...string) {
	if o.subscription.Pattern != "" {
		o.err = errors.New("a consumer has one subscription: Topics, WhiteList or BlackList")
		return
	}
	o.subscription = znode.Consumer{Pattern: pattern, Streams: map[string]int32{}}
	for _, name := range names {
		if pattern != znode.StaticPattern {
			f, err := assign.ParseFilter(pattern, name)
			if err != nil {
				o.err = err
				return
			}
			name = f.Text
		}
		o.subscription.Streams[name] = 0
	}
}

// Streams is the number of shares that the member takes, at least 1: one with two
// gets twice as many partitions as one with one. In Kafka's consumer each was a
// thread. 1 is the default.
func Streams(n int) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if n < 1 || n > math.MaxInt16 {
			o.err = fmt.Errorf("%d streams", n)
		}
		o.streams = int32(n)
	})
}

// ConsumerID is the member's name in its group, that of its znode. The default is
// "host:UUID". Members are ordered by their names, which decides who gets what.
func ConsumerID(id string) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.id = id })
}

// RangeAssignor deals each topic by itself, in ranges of partitions. It is the
// default. All members of a group must use the same assignor.
func RangeAssignor() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.strategy = assign.Range })
}

// RoundRobinAssignor deals the partitions of all topics in turn. It needs all
// members to subscribe to the same topics with as many streams for each.
func RoundRobinAssignor() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.strategy = assign.RoundRobin })
}

// OffsetsInZooKeeper keeps offsets in /consumers/GROUP/offsets. It is the default.
func OffsetsInZooKeeper() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.offsets = inZooKeeper })
}

// OffsetsInKafka keeps offsets in Kafka, under the group's name.
func OffsetsInKafka() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.offsets = inKafka })
}

// OffsetsInBoth writes offsets to Kafka and then to ZooKeeper, and of two that it
// reads takes the larger, so that a group can move from one to the other.
func OffsetsInBoth() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.offsets = inBoth })
}

// LegacyPartitionNames adds owner nodes and offsets under the names of Kafka 0.7,
// "broker-partition", to those under the partition's number, the broker being the
// partition's preferred replica. Who owns a partition is decided by the node of the
// number as ever, so members with and without this option can share a group. Of the
// offsets that a partition has under its names the one written last counts.
func LegacyPartitionNames() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.oldNames = true })
}

// AutoCommit commits in such intervals, before partitions are given up, and in
// Close: what was returned by calls of Poll before the last one, and by the last
// one once it is followed by another, by Commit or by Close. It is the default,
// each minute.
func AutoCommit(interval time.Duration) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if interval <= 0 {
			o.err = fmt.Errorf("commit interval %v", interval)
		}
		o.autoCommit = interval
	})
}

// ManualCommit leaves it to Commit. The place for the last one before partitions
// go to another member is OnRevoked.
func ManualCommit() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.autoCommit = 0 })
}

// StartAt is where to begin in a partition without an offset, or with one that its
// log does not have: Latest or Earliest.
func StartAt(p Position) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if p != Latest && p != Earliest {
			o.err = fmt.Errorf("no position %d to start at", p)
		}
		o.begin = p
	})
}

// RebalanceRetries is how often a rebalance may fail in a row before Poll reports
// it; it is tried on and on all the same. 4 is the default.
func RebalanceRetries(n int) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if n < 1 {
			o.err = fmt.Errorf("%d rebalance retries", n)
		}
		o.retries = n
	})
}

// RebalanceBackoff is the pause between two attempts. 2 s is the default. The
// others of the group should have as much.
func RebalanceBackoff(d time.Duration) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if d <= 0 {
			o.err = fmt.Errorf("rebalance backoff %v", d)
		}
		o.backoff = d
	})
}

// HandOverWithin bounds how long a rebalance waits for the application to come back
// from working on what Poll returned. What it is still working on then cannot be
// committed any more (ErrLost), and is read again by whoever gets the partition. The default is half
// the time that others try to get it: RebalanceRetries / 2 × RebalanceBackoff.
func HandOverWithin(d time.Duration) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if d <= 0 {
			o.err = fmt.Errorf("hand-over within %v", d)
		}
		o.handOver = d
	})
}

// OnAssigned is called with the partitions by topic that the member got, before
// their first record is delivered. Like the other callbacks it runs alone, on a
// goroutine of the consumer's, holds up rebalances, and must not call Close, nor
// Poll: that would wait for what waits for the callback.
func OnAssigned(f func(context.Context, map[string][]int32)) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.onAssigned = o.callback("OnAssigned", f) })
}

// OnRevoked is called with partitions that the member is about to give up: nothing
// of them is delivered any more, they are still its own, and Commit still counts,
// unless the application was too slow: see HandOverWithin. It is not called for what
// is lost already.
func OnRevoked(f func(context.Context, map[string][]int32)) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.onRevoked = o.callback("OnRevoked", f) })
}

// OnLost is called with partitions that the member no longer owns because its
// ZooKeeper session expired. It is too late to commit.
func OnLost(f func(context.Context, map[string][]int32)) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.onLost = o.callback("OnLost", f) })
}

// FetchMaxBytes bounds one answer of a broker, 50 MiB by default. A single batch
// may be larger.
func FetchMaxBytes(n int32) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.maxBytes = o.positive("fetch max bytes", n) })
}

// FetchMaxPartitionBytes bounds what an answer holds of one partition, and so what
// waits for Poll of each: 1 MiB by default.
func FetchMaxPartitionBytes(n int32) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.partitionMaxBytes = o.positive("fetch max partition bytes", n) })
}

// FetchMinBytes is how much a broker gathers before it answers, or until
// FetchMaxWait is over: 1 byte by default.
func FetchMinBytes(n int32) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.minBytes = o.positive("fetch min bytes", n) })
}

// FetchMaxWait is how long a broker waits for records, 500 ms by default.
func FetchMaxWait(d time.Duration) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		if d < time.Millisecond || d > time.Minute {
			o.err = fmt.Errorf("fetch max wait %v is not between 1ms and 1m", d)
		}
		o.maxWait = d
	})
}

// PollRecords bounds what one Poll returns, 500 records by default.
func PollRecords(n int) ConsumerOption {
	return consumerOption(func(o *consumerOptions) {
		o.pollRecords = int(o.positive("poll records", int32(min(n, math.MaxInt32))))
	})
}

// ReadCommitted leaves out records of transactions that were aborted or are still
// open.
func ReadCommitted() ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.committed = true })
}

// callback refuses a function that is nil.
func (o *consumerOptions) callback(what string, f func(context.Context, map[string][]int32)) func(context.Context, map[string][]int32) {
	if f == nil {
		o.err = fmt.Errorf("%s is given no function", what)
	}
	return f
}

func (o *consumerOptions) positive(what string, n int32) int32 {
	if n < 1 {
		o.err = fmt.Errorf("%s %d", what, n)
	}
	return n
}

// complete checks what was asked for and fills in what depends on the rest.
func (o *consumerOptions) complete() error {
	if err := errors.Join(o.err, o.check()); err != nil {
		return err
	}
	if len(o.subscription.Streams) == 0 {
		return errors.New("nothing to consume: Topics, WhiteList or BlackList is needed")
	}
	for name := range o.subscription.Streams {
		o.subscription.Streams[name] = o.streams
	}
	if o.handOver == 0 {
		o.handOver = time.Duration(o.retries) * o.backoff / 2
	}
	if o.oldNames {
		o.strategy = assign.OldNames(o.strategy)
	}
	if o.id == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("name the consumer: %w", err)
		}
		u := env.RandomUUID(o.env.Rand)
		o.id = fmt.Sprintf("%s:%x-%x-%x-%x-%x", host, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	}
	if o.dialZooKeeper == nil {
		o.dialZooKeeper = o.zookeeper
	}
	return nil
}
