package config

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// Topic is an immutable snapshot of a topic's effective settings. Times are
// milliseconds, sizes bytes, as Kafka keeps them.
type Topic struct {
	SegmentBytes       int32
	SegmentMs          int64
	SegmentJitterMs    int64
	SegmentIndexBytes  int32
	IndexIntervalBytes int32
	FlushMessages      int64 // MaxInt64: never by count
	FlushMs            int64 // MaxInt64: never by age
	Preallocate        bool
	FileDeleteDelayMs  int64

	Delete, Compact       bool  // cleanup.policy; both may hold
	RetentionBytes        int64 // -1: no limit
	RetentionMs           int64 // -1: no limit
	DeleteRetentionMs     int64 // tombstones after compaction
	MinCompactionLagMs    int64
	MaxCompactionLagMs    int64
	MinCleanableRatio     float64 // 0 to 1
	MaxMessageBytes       int32
	MinInSyncReplicas     int32
	UncleanLeaderElection bool
	DownConversion        bool // message.downconversion.enable

	Compression          string // uncompressed, gzip, snappy, lz4, zstd or producer
	CompressionLevel     int32  // of that codec, 0 where it has none
	LogAppendTime        bool   // message.timestamp.type
	TimestampBeforeMaxMs int64  // how far a record may lie behind the clock
	TimestampAfterMaxMs  int64  // how far ahead

	LeaderThrottled   []string // partition:broker pairs or *
	FollowerThrottled []string

	values    map[string]any
	overrides map[string]string
}

// Topic returns the settings of a topic that overrides some of b's defaults, as
// found in /config/topics. Names the table does not know are kept but have no
// effect, as in Kafka.
func (b *Broker) Topic(overrides map[string]string) (*Topic, error) {
	values := maps.Clone(b.topicDefaults)
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		d, ok := topicByName[name]
		if !ok {
			continue
		}
		v, err := d.Parse(overrides[name])
		if err != nil {
			return nil, err
		}
		values[name] = v
	}
	return newTopic(values, overrides), nil
}

// TopicLenient is Topic for a broker that must go on: overrides that cannot be
// read are left out and returned as errors.
func (b *Broker) TopicLenient(overrides map[string]string) (*Topic, []error) {
	good := maps.Clone(overrides)
	var bad []error
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if d, ok := topicByName[name]; ok {
			if _, err := d.Parse(overrides[name]); err != nil {
				bad = append(bad, err)
				delete(good, name)
			}
		}
	}
	t, err := b.Topic(good)
	if err != nil { // cannot be: each override was parsed above
		return newTopic(b.topicDefaults, nil), append(bad, err)
	}
	return t, bad
}

// TopicDefaults returns the settings of a topic without overrides.
func (b *Broker) TopicDefaults() *Topic { return newTopic(b.topicDefaults, nil) }

func newTopic(values map[string]any, overrides map[string]string) *Topic {
	i32 := func(name string) int32 { return as[int32](values[name]) }
	i64 := func(name string) int64 { return as[int64](values[name]) }
	boolean := func(name string) bool { return as[bool](values[name]) }
	t := &Topic{
		SegmentBytes: i32("segment.bytes"), SegmentMs: i64("segment.ms"), SegmentJitterMs: i64("segment.jitter.ms"),
		SegmentIndexBytes: i32("segment.index.bytes"), IndexIntervalBytes: i32("index.interval.bytes"),
		FlushMessages: i64("flush.messages"), FlushMs: i64("flush.ms"), Preallocate: boolean("preallocate"),
		FileDeleteDelayMs: i64("file.delete.delay.ms"),

		RetentionBytes: i64("retention.bytes"), RetentionMs: i64("retention.ms"),
		DeleteRetentionMs:  i64("delete.retention.ms"),
		MinCompactionLagMs: i64("min.compaction.lag.ms"), MaxCompactionLagMs: i64("max.compaction.lag.ms"),
		MinCleanableRatio: as[float64](values["min.cleanable.dirty.ratio"]),
		MaxMessageBytes:   i32("max.message.bytes"), MinInSyncReplicas: i32("min.insync.replicas"),
		UncleanLeaderElection: boolean("unclean.leader.election.enable"),
		DownConversion:        boolean("message.downconversion.enable"),

		Compression:          as[string](values["compression.type"]),
		LogAppendTime:        values["message.timestamp.type"] == "LogAppendTime",
		TimestampBeforeMaxMs: i64("message.timestamp.before.max.ms"),
		TimestampAfterMaxMs:  i64("message.timestamp.after.max.ms"),

		LeaderThrottled:   as[[]string](values["leader.replication.throttled.replicas"]),
		FollowerThrottled: as[[]string](values["follower.replication.throttled.replicas"]),
		values:            values, overrides: overrides,
	}
	policies := as[[]string](values["cleanup.policy"])
	t.Compact, t.Delete = slices.Contains(policies, "compact"), slices.Contains(policies, "delete")
	if slices.Contains([]string{"gzip", "lz4", "zstd"}, t.Compression) {
		t.CompressionLevel = i32("compression." + t.Compression + ".level")
	}
	// The older setting holds until one of its successors is set.
	difference := i64("message.timestamp.difference.max.ms")
	if t.TimestampBeforeMaxMs == math.MaxInt64 {
		t.TimestampBeforeMaxMs = difference
	}
	if t.TimestampAfterMaxMs == math.MaxInt64 {
		t.TimestampAfterMaxMs = difference
	}
	return t
}

// MaxSegmentMs is the age at which the active segment is closed: a compaction
// lag may demand it earlier than segment.ms.
func (t *Topic) MaxSegmentMs() int64 {
	if t.Compact && t.MaxCompactionLagMs > 0 {
		return min(t.MaxCompactionLagMs, t.SegmentMs)
	}
	return t.SegmentMs
}

// Overridden reports whether the topic itself sets the property.
func (t *Topic) Overridden(name string) bool { _, ok := t.overrides[name]; return ok }

// topicBase computes the topic settings that the broker's stand for.
func (b *Broker) topicBase() map[string]any {
	out := make(map[string]any, len(topicDefs))
	for _, d := range topicDefs {
		if d.value != nil {
			out[d.Name] = d.value
		}
		if v := b.topicDefault(d); v != nil {
			out[d.Name] = v
		}
	}
	// log.message.format.version stopped mattering with protocol 3.0.
	out["message.format.version"] = "3.0-IV1"
	if !b.Protocol.AtLeast("3.0-IV1") {
		if v, err := ParseProtocolVersion(b.Text("log.message.format.version")); err == nil {
			out["message.format.version"] = v.String()
		}
	}
	if as[int64](out["retention.ms"]) < 0 {
		out["retention.ms"] = int64(-1)
	}
	difference := out["message.timestamp.difference.max.ms"]
	for _, name := range []string{"message.timestamp.before.max.ms", "message.timestamp.after.max.ms"} {
		if out[name] == int64(math.MaxInt64) {
			out[name] = difference
		}
	}
	return out
}

// topicDefault finds the strongest broker property behind d that has a value
// and converts it to d's unit and type.
func (b *Broker) topicDefault(d *Def) any {
	for _, name := range d.Synonyms {
		v, ok := b.values[name]
		if !ok {
			continue
		}
		switch {
		case strings.HasSuffix(name, ".hours"):
			v = times(integer(v), 60*60*1000)
		case strings.HasSuffix(name, ".minutes"):
			v = times(integer(v), 60*1000)
		}
		return v
	}
	return nil
}
