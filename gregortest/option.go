package gregortest

import (
	"fmt"
	"log/slog"
	"maps"
	"strconv"

	"github.com/gregor-mq/gregor/node"
)

// Option changes what Start starts.
type Option func(*options)

type options struct {
	brokers    int
	racks      []string
	properties map[string]string
	level      string
	zookeeper  string
}

// Brokers sets how many brokers the cluster has, at least 1 (Start fails the test
// otherwise); 1 is the default. Their ids count from 0.
func Brokers(n int) Option { return func(o *options) { o.brokers = n } }

// Property sets a property of every broker's server.properties; the last one of
// a name counts, and Start fails the test for a name that Kafka does not know.
// gregortest's own settings are made for short tests; see
// Properties.
func Property(name, value string) Option {
	return func(o *options) { o.properties[name] = value }
}

// Racks sets broker.rack of the brokers in turn: broker i is in the rack i modulo
// the number of racks.
func Racks(names ...string) Option { return func(o *options) { o.racks = names } }

// LogLevel sets from which level on brokers and keeper write to the test's log:
// DEBUG, INFO, WARN (the default) or ERROR.
func LogLevel(level string) Option { return func(o *options) { o.level = level } }

// ExternalKeeper makes the brokers use a ZooKeeper that the test provides,
// instead of starting one; connect is in the form of zookeeper.connect, with or
// without a chroot. What the brokers write there stays when the test ends.
func ExternalKeeper(connect string) Option { return func(o *options) { o.zookeeper = connect } }

// Properties returns what differs from Kafka's defaults in a cluster of so many
// brokers before Property changes it: groups start without delay, failures are
// noticed within seconds, internal topics are small and replicated up to three times.
func Properties(brokers int) map[string]string {
	copies := strconv.Itoa(min(brokers, 3))
	return map[string]string{
		"default.replication.factor":           copies,
		"offsets.topic.replication.factor":     copies,
		"offsets.topic.num.partitions":         "4",
		"group.initial.rebalance.delay.ms":     "0",
		"zookeeper.session.timeout.ms":         "4000",
		"replica.lag.time.max.ms":              "4000",
		"controlled.shutdown.retry.backoff.ms": "100",
	}
}

func gather(opts []Option) (options, slog.Level, error) {
	o := options{brokers: 1, properties: map[string]string{}, level: "WARN"}
	for _, set := range opts {
		set(&o)
	}
	if o.brokers < 1 {
		return o, 0, fmt.Errorf("Brokers(%d): want 1 or more", o.brokers)
	}
	all := Properties(o.brokers)
	maps.Copy(all, o.properties)
	o.properties = all
	level, err := node.ParseLevel(o.level)
	return o, level, err
}
