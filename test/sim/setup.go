package sim

import (
	"strconv"

	"github.com/gregor-mq/gregor/test/virtual"
)

// setup is what a seed makes of the cluster and its load.
type setup struct {
	brokers, copies int
	partitions      int32
	producers       int
	disasters       int
	// minISR is min.insync.replicas; with 1 a power cut may take the only copy.
	minISR int
	// moves says that partitions are moved while all this goes on, racks that
	// brokers and consumers are in racks.
	moves, racks bool
	properties   map[string]string
}

// choose draws a setup.
func (w *world) choose() setup {
	s := setup{
		brokers: virtual.Pick(w.rng, 3, 3, 3, 4, 5), copies: 3, partitions: int32(1 + w.rng.N(4)), producers: 2 + w.rng.N(5),
		disasters: 4 + w.rng.N(8), minISR: virtual.Pick(w.rng, 2, 2, 2, 1),
		moves: w.rng.Chance(40), racks: w.rng.Chance(30),
	}
	s.properties = map[string]string{
		"zookeeper.session.timeout.ms":            virtual.Pick(w.rng, "2000", "3000", "6000"),
		"zookeeper.connection.timeout.ms":         "3000",
		"replica.lag.time.max.ms":                 virtual.Pick(w.rng, "1000", "3000", "10000"),
		"replica.fetch.wait.max.ms":               virtual.Pick(w.rng, "50", "200", "500"),
		"replica.fetch.backoff.ms":                "200",
		"replica.fetch.max.bytes":                 virtual.Pick(w.rng, "500", "1048576"),
		"num.replica.fetchers":                    virtual.Pick(w.rng, "1", "2"),
		"default.replication.factor":              strconv.Itoa(s.copies),
		"offsets.topic.replication.factor":        strconv.Itoa(s.copies),
		"offsets.topic.num.partitions":            "2",
		"min.insync.replicas":                     strconv.Itoa(s.minISR),
		"auto.create.topics.enable":               "false",
		"auto.leader.rebalance.enable":            virtual.Pick(w.rng, "true", "true", "false"),
		"leader.imbalance.check.interval.seconds": "5",
		"controlled.shutdown.enable":              virtual.Pick(w.rng, "true", "true", "false"),
		"controlled.shutdown.retry.backoff.ms":    "200",
		"inter.broker.protocol.version":           virtual.Pick(w.rng, "3.9", "3.9", "3.9", "3.4", "3.0", "2.8"),
		"log.flush.interval.messages":             virtual.Pick(w.rng, "9223372036854775807", "9223372036854775807", "1", "10"),
		"log.segment.delete.delay.ms":             "500",
		"log.message.timestamp.after.max.ms":      "9223372036854775807",
		// The wall clock may jump by a month: nothing is to grow old by it.
		"log.retention.ms":                              "-1",
		"offsets.retention.minutes":                     "2000000000",
		"producer.id.expiration.ms":                     "2000000000",
		"connections.max.idle.ms":                       virtual.Pick(w.rng, "600000", "10000"),
		"log.flush.offset.checkpoint.interval.ms":       "5000",
		"replica.high.watermark.checkpoint.interval.ms": virtual.Pick(w.rng, "5000", "500"),
	}
	if s.racks {
		s.properties["replica.selector.class"] = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
	}
	return s
}

// rack is the rack of a broker or consumer.
func (s setup) rack(n int) string {
	if !s.racks {
		return ""
	}
	return "rack-" + strconv.Itoa(n%3)
}
