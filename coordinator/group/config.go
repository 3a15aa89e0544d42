package group

import "time"

// Config holds the broker properties the machine decides by.
type Config struct {
	// MinSession and MaxSession bound what a joining member may ask for:
	// group.min.session.timeout.ms, group.max.session.timeout.ms.
	MinSession, MaxSession time.Duration
	// MaxSize is the largest number of members: group.max.size.
	MaxSize int
	// InitialDelay is how long the first rebalance of an empty group waits for
	// more members: group.initial.rebalance.delay.ms.
	InitialDelay time.Duration
	// MaxMetadata is the longest metadata of an offset, counted in UTF-16
	// units as Java counts: offset.metadata.max.bytes.
	MaxMetadata int
	// Retention is how long offsets outlive their use:
	// offsets.retention.minutes.
	Retention time.Duration
}

// DefaultConfig returns Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		MinSession:   6 * time.Second,
		MaxSession:   30 * time.Minute,
		MaxSize:      1<<31 - 1,
		InitialDelay: 3 * time.Second,
		MaxMetadata:  4096,
		Retention:    7 * 24 * time.Hour,
	}
}

const (
	// newMemberTimeout bounds how long a member that does not know its id yet
	// may wait for its first rebalance: it cannot heartbeat, and a client that
	// gave up and joined again would otherwise stay in the group for ever.
	newMemberTimeout = 5 * time.Minute
	// minRetryDelay is the least time before a rebalance that nobody rejoined
	// is tried again. Members may ask for a rebalance timeout of zero, which
	// must not turn into a busy loop.
	minRetryDelay = time.Second
	// maxString is the longest string the record format can carry (int16).
	maxString = 1<<15 - 1
	// maxQueued bounds the writes under way of one machine. At the 5 s that an
	// append may take this is more than 3,000 commits a second on one
	// partition without a single acknowledgement: further ones are refused.
	maxQueued = 1 << 14
)
