package coordinator

import (
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/record"
)

// Config holds the broker properties of group coordination.
type Config struct {
	Group group.Config
	// Partitions of __consumer_offsets, read once at start: from the topic, or
	// offsets.topic.num.partitions while there is none. Groups would hash to
	// other partitions on other brokers if it followed a later change.
	Partitions int32
	// Retention is scanned for every offsets.retention.check.interval.ms.
	RetentionCheck time.Duration
	// LoadBuffer is how many bytes are read at once: offsets.load.buffer.size.
	// A larger batch is read whole all the same.
	LoadBuffer int
	// Codec compresses appended batches: offsets.topic.compression.codec.
	Codec record.Codec
}

// DefaultConfig returns Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		Group:          group.DefaultConfig(),
		Partitions:     50,
		RetentionCheck: 10 * time.Minute,
		LoadBuffer:     5 << 20,
	}
}

// Topic is the internal topic that holds groups and offsets.
const Topic = "__consumer_offsets"

// TopicConfigs are the topic properties __consumer_offsets is created with;
// segmentBytes is offsets.topic.segment.bytes.
func TopicConfigs(segmentBytes int) map[string]string {
	return map[string]string{
		"cleanup.policy":   "compact",
		"compression.type": "producer",
		"segment.bytes":    strconv.Itoa(segmentBytes),
	}
}

const (
	// loops share the partitions. Deciding is cheap next to the network's work
	// for the same request, so a few keep up with a whole broker.
	loops = 4
	// loaders bounds how many partitions are read at once after a failover:
	// enough to keep a disk busy, few enough to leave it to others.
	loaders = 2
	// maxRequests bounds the requests that wait for one loop. A loop handles
	// some 100,000 a second, so a full queue is a tenth of a second of work;
	// clients are told to come again rather than wait behind it.
	maxRequests = 10_000
	// loadRetry is the pause after a failed load, which doubles with each further
	// one up to maxLoadRetry: what fails for long fails for good, until somebody
	// mends it. The partition answers COORDINATOR_LOAD_IN_PROGRESS meanwhile:
	// serving half of the offsets would send consumers back to the beginning of
	// their topics.
	loadRetry    = time.Second
	maxLoadRetry = time.Minute
)
