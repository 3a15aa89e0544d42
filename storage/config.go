package storage

import (
	"fmt"
	"math"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/record"
)

// Config is the effective configuration of one topic, as far as its logs care.
// Field comments give the topic property. Times are in ms and -1 means without
// limit, as in Kafka; a property of Long.MAX does not fit a time.Duration.
type Config struct {
	SegmentBytes       int32 // segment.bytes
	SegmentMs          int64 // segment.ms, or max.compaction.lag.ms when that is less and the topic is compacted
	SegmentJitterMs    int64 // segment.jitter.ms
	IndexIntervalBytes int32 // index.interval.bytes
	IndexBytes         int32 // segment.index.bytes, bounds both indexes
	MaxMessageBytes    int32 // max.message.bytes

	Delete        bool  // cleanup.policy contains delete
	Compact       bool  // cleanup.policy contains compact
	RetentionMs   int64 // retention.ms
	RetentionSize int64 // retention.bytes, per partition
	FileDeleteMs  int64 // file.delete.delay.ms

	TimestampType record.TimestampType // message.timestamp.type
	MaxBeforeMs   int64                // message.timestamp.before.max.ms
	MaxAfterMs    int64                // message.timestamp.after.max.ms
	KeepCodec     bool                 // compression.type is producer
	Codec         record.Codec         // compression.type otherwise
	CodecLevel    int                  // compression.<codec>.level; see record.Spec
	FlushMessages int64                // flush.messages
	FlushMs       int64                // flush.ms
	ProducerMs    int64                // producer.id.expiration.ms (broker)
	VerifyTxn     bool                 // transaction.partition.verification.enable (broker)
	MaxLagMs      int64                // max.compaction.lag.ms, bounds segment.ms when Compact; 0 does not
}

// DefaultConfig is a topic without overrides on a broker without overrides.
func DefaultConfig() Config {
	const day = 24 * 60 * 60 * 1000
	return Config{
		SegmentBytes:       1 << 30,
		SegmentMs:          7 * day,
		IndexIntervalBytes: 4096,
		IndexBytes:         10 << 20,
		MaxMessageBytes:    1048588,
		Delete:             true,
		RetentionMs:        7 * day,
		RetentionSize:      -1,
		FileDeleteMs:       60_000,
		MaxBeforeMs:        math.MaxInt64,
		MaxAfterMs:         math.MaxInt64,
		KeepCodec:          true,
		CodecLevel:         record.DefaultLevel,
		FlushMessages:      math.MaxInt64,
		FlushMs:            math.MaxInt64,
		ProducerMs:         day,
		VerifyTxn:          true,
	}
}

// ConfigOf takes from a topic's settings what its logs care about. producerMs
// is producer.id.expiration.ms and verifyTxn
// transaction.partition.verification.enable of the broker.
func ConfigOf(t *config.Topic, producerMs int64, verifyTxn bool) (*Config, error) {
	c := &Config{
		SegmentBytes:       t.SegmentBytes,
		SegmentMs:          t.MaxSegmentMs(),
		SegmentJitterMs:    t.SegmentJitterMs,
		IndexIntervalBytes: t.IndexIntervalBytes,
		IndexBytes:         t.SegmentIndexBytes,
		MaxMessageBytes:    t.MaxMessageBytes,
		Delete:             t.Delete,
		Compact:            t.Compact,
		RetentionMs:        t.RetentionMs,
		RetentionSize:      t.RetentionBytes,
		FileDeleteMs:       t.FileDeleteDelayMs,
		MaxBeforeMs:        t.TimestampBeforeMaxMs,
		MaxAfterMs:         t.TimestampAfterMaxMs,
		CodecLevel:         int(t.CompressionLevel),
		FlushMessages:      t.FlushMessages,
		FlushMs:            t.FlushMs,
		ProducerMs:         producerMs,
		VerifyTxn:          verifyTxn,
	}
	if t.LogAppendTime {
		c.TimestampType = record.LogAppendTime
	}
	var err error
	if c.Codec, c.KeepCodec, err = record.ParseTopicCodec(t.Compression); err != nil {
		return nil, fmt.Errorf("compression.type %q: %w", t.Compression, err)
	}
	return c, nil
}
