package follow

import (
	"context"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/rpc"
)

// Config is what all fetchers of a broker have in common.
type Config struct {
	BrokerID int32
	// BrokerEpoch returns the czxid of this broker's registration.
	BrokerEpoch func() int64
	// Protocol is inter.broker.protocol.version: it alone decides in which
	// versions requests go out.
	Protocol config.ProtocolVersion
	// Fetchers is num.replica.fetchers, the fetchers per source broker; at least 1.
	Fetchers int
	// MaxWait, MinBytes and MaxBytes are replica.fetch.wait.max.ms,
	// replica.fetch.min.bytes and replica.fetch.response.max.bytes.
	MaxWait            time.Duration
	MinBytes, MaxBytes int32
	// PartitionBytes is replica.fetch.max.bytes, the bound for one partition.
	PartitionBytes int32
	// Backoff is replica.fetch.backoff.ms, the pause after an error.
	Backoff time.Duration
	// Address returns host:port of a broker's inter-broker listener. It is asked
	// again after every failure.
	Address func(broker int32) (string, error)
	// Dial returns a client of an address, which connects when it is first used.
	Dial func(address, clientID string) Peer
	// Throttle limits what is copied; nil does not.
	Throttle Throttle
	// Settle is called when logs were cut, before they grow again: their recovery
	// points must be written down. May be nil.
	Settle func()
}

// Peer sends requests to one broker. *rpc.Client is one.
type Peer interface {
	// Do sends a request and waits for its answer.
	Do(ctx context.Context, call *rpc.Call) error
	// Close ends what is in flight.
	Close() error
}

// Throttle is the follower's side of replication quotas; *quota.Replication is
// one. Partitions in sync are never held back: it would only throw them out of
// the ISR.
type Throttle interface {
	// Throttled reports whether a partition is one of those that are limited.
	Throttled(topic string, partition int32) bool
	// Exceeded reports that more came lately than the rate allows.
	Exceeded(now time.Time) bool
	// Record notes bytes that came for a throttled partition.
	Record(now time.Time, bytes int)
}
