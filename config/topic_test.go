package config

import (
	"math"
	"testing"
)

func TestTopicDefaults(t *testing.T) {
	f := func(broker string, want func(*Topic) bool) {
		t.Helper()
		b, err := load(split(broker))
		if err != nil {
			t.Fatal(err)
		}
		if d := b.TopicDefaults(); !want(d) {
			t.Errorf("%s gives %+v", broker, d)
		}
	}
	const hour = 3600 * 1000
	f("broker.id=0", func(d *Topic) bool {
		return d.SegmentBytes == 1<<30 && d.SegmentMs == 168*hour && d.RetentionMs == 168*hour && d.RetentionBytes == -1 &&
			d.Delete && !d.Compact && d.MaxMessageBytes == 1048588 && d.FlushMs == math.MaxInt64 && d.Compression == "producer" &&
			d.TimestampAfterMaxMs == math.MaxInt64 && d.DownConversion && d.IndexIntervalBytes == 4096 && d.MinInSyncReplicas == 1
	})
	f("log.retention.hours=2", func(d *Topic) bool { return d.RetentionMs == 2*hour })
	f("log.retention.hours=2 ; log.retention.minutes=3", func(d *Topic) bool { return d.RetentionMs == 180000 })
	f("log.retention.hours=2 ; log.retention.minutes=3 ; log.retention.ms=4", func(d *Topic) bool { return d.RetentionMs == 4 })
	f("log.retention.ms=-7", func(d *Topic) bool { return d.RetentionMs == -1 })
	f("log.retention.hours=2147483647", func(d *Topic) bool { return d.RetentionMs == math.MaxInt32*hour })
	f("log.roll.hours=2 ; log.roll.jitter.hours=1", func(d *Topic) bool { return d.SegmentMs == 2*hour && d.SegmentJitterMs == hour })
	f("log.roll.ms=5 ; log.roll.jitter.ms=6", func(d *Topic) bool { return d.SegmentMs == 5 && d.SegmentJitterMs == 6 })
	f("log.flush.scheduler.interval.ms=8", func(d *Topic) bool { return d.FlushMs == 8 })
	f("log.flush.scheduler.interval.ms=8 ; log.flush.interval.ms=9", func(d *Topic) bool { return d.FlushMs == 9 })
	f("log.message.timestamp.difference.max.ms=5", func(d *Topic) bool { return d.TimestampBeforeMaxMs == 5 && d.TimestampAfterMaxMs == 5 })
	f("log.message.timestamp.difference.max.ms=5 ; log.message.timestamp.after.max.ms=6",
		func(d *Topic) bool { return d.TimestampBeforeMaxMs == 5 && d.TimestampAfterMaxMs == 6 })
	f("inter.broker.protocol.version=2.8 ; log.message.format.version=0.10.2",
		func(d *Topic) bool { return d.values["message.format.version"] == "0.10.2-IV0" })
	f("log.message.format.version=0.10.2", func(d *Topic) bool { return d.values["message.format.version"] == "3.0-IV1" })
}

func TestTopicOverrides(t *testing.T) {
	b, err := load(map[string]string{"log.cleanup.policy": "compact", "compression.gzip.level": "3"})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := b.Topic(map[string]string{
		"cleanup.policy": "compact, delete", "retention.ms": " 9 ", "compression.type": "gzip", "max.compaction.lag.ms": "100",
		"message.timestamp.type": "LogAppendTime", "leader.replication.throttled.replicas": "0:1,1:2", "unknown": "x",
		"message.timestamp.difference.max.ms": "5", "message.timestamp.before.max.ms": "6",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !topic.Compact || !topic.Delete || topic.RetentionMs != 9 || topic.CompressionLevel != 3 || topic.MaxSegmentMs() != 100 ||
		!topic.LogAppendTime || len(topic.LeaderThrottled) != 2 || !topic.Overridden("unknown") || topic.Overridden("segment.ms") ||
		topic.TimestampBeforeMaxMs != 6 || topic.TimestampAfterMaxMs != 5 {
		t.Errorf("%+v", topic)
	}
	if d := b.TopicDefaults(); d.RetentionMs == 9 || d.Delete {
		t.Error("overrides reached the defaults")
	}
	bad := map[string]string{"retention.ms": "x", "segment.bytes": "20", "preallocate": "?"}
	if _, err := b.Topic(bad); err == nil {
		t.Error("a bad override is taken")
	}
	topic, errs := b.TopicLenient(bad)
	if len(errs) != 2 || topic.SegmentBytes != 20 || topic.RetentionMs != 604800000 || topic.Overridden("preallocate") || len(bad) != 3 {
		t.Errorf("%v %+v", errs, topic)
	}
}

func TestProtocolVersions(t *testing.T) {
	for s, want := range map[string]string{"3.9": "3.9-IV0", "0.10.2": "0.10.2-IV0", "0.9.0.1": "0.9.0", "2.7": "2.7-IV2", "3.3-IV1": "3.3-IV1"} {
		if v, err := ParseProtocolVersion(s); err != nil || v.String() != want {
			t.Errorf("%s is %s, %v", s, v, err)
		}
	}
	for _, s := range []string{"", "3", "3.9-IV1", "3.9-IV", "3.9-IV00", "4.0", "0.8.0-IV0", "x", "3.9-IV-0"} {
		if v, err := ParseProtocolVersion(s); err == nil {
			t.Errorf("%q is taken as %s", s, v)
		}
	}
	v, _ := ParseProtocolVersion("2.8-IV0")
	w, _ := ParseProtocolVersion("2.8-IV1")
	if !v.AtLeast("2.7-IV2") || v.AtLeast("2.8-IV1") || v.Compare(w) >= 0 || !w.AtLeast("2.8") {
		t.Error("order of versions")
	}
}

func TestJavaDoubles(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1.0", 0.5: "0.5", 1e-3: "0.001", 1e-4: "1.0E-4", 1e7: "1.0E7", 9999999: "9999999.0", 12345678: "1.2345678E7",
		math.MaxFloat64: "1.7976931348623157E308", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity", 0: "0.0", -2.5e-10: "-2.5E-10",
	} {
		if got := javaDouble(f); got != want {
			t.Errorf("%v prints as %s, Java has %s", f, got, want)
		}
	}
	for s, want := range map[string]float64{"1": 1, "+.5": 0.5, "-1e3f": -1000, "2.D": 2, "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "1e999": math.Inf(1)} {
		if got, ok := parseDouble(s); !ok || got != want {
			t.Errorf("%s reads as %v", s, got)
		}
	}
	for _, s := range []string{"", ".", "e1", "1_0", "inf", "nan", "0x10", "--1", "+-Infinity", "1 2"} {
		if got, ok := parseDouble(s); ok {
			t.Errorf("%q reads as %v", s, got)
		}
	}
}
