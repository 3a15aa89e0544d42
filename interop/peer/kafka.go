//go:build interop

package peer

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

// Options change how a broker is started; the zero value will do.
type Options struct {
	ZooKeeper  string            // host:port of the ensemble; its own one when empty
	LogDir     string            // its own one when empty
	Properties map[string]string // over BrokerProperties
	Overrides  map[string]string // gregor only: given on the command line, over the file
	DataDir    string            // gregor only: the keeper's directory; its own one when empty
	Requests   bool              // Apache only: every request is logged, as JSON
	JVM        []string          // Apache only: more flags of the JVM
}

// Broker is a running broker of either kind.
type Broker struct {
	ID         int32
	Kind       Kind
	Addr       string // bootstrap address
	ZooKeeper  string // connect string of its ensemble
	LogDir     string // the first of LogDirs
	LogDirs    []string
	Properties map[string]string
	run        func(Scope) *Process
	*Process
}

// BrokerProperties are the settings of a broker that is alone: what its
// internal topics need, made small so that they load in no time.
func BrokerProperties() map[string]string {
	return map[string]string{
		"broker.id":                                "0",
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.num.partitions":     "1",
		"transaction.state.log.min.isr":            "1",
		"group.initial.rebalance.delay.ms":         "0",
		"log.cleaner.dedupe.buffer.size":           "2097152",
		"num.network.threads":                      "2",
		"num.io.threads":                           "4",
		"controlled.shutdown.retry.backoff.ms":     "100",
	}
}

// Kafka starts Apache Kafka ("3.9.1"), with a ZooKeeper of its own unless the
// options name one, and waits until it leads the cluster.
func Kafka(s Scope, version string, o Options) *Broker {
	s.Helper()
	if o.ZooKeeper == "" {
		o.ZooKeeper = ZooKeeper(s, "3.8.4", ZooKeeperOptions{}).Addr
	}
	b := newKafka(s, version, o)
	b.Start(s)
	return b
}

// newKafka prepares a broker that is to be started.
func newKafka(s Scope, version string, o Options) *Broker {
	s.Helper()
	b := newBroker(s, KindApache, o)
	b.Properties["zookeeper.connect"] = o.ZooKeeper
	var more []string
	if o.Requests {
		more = append(more, "log4j.logger.kafka.request.logger=DEBUG")
	}
	b.run = func(s Scope) *Process {
		jvm := []string{"-Xmx512m", "-Xms256m", "-Dlog4j.configuration=file:" + log4j(s, "INFO", "System.out", more...)}
		jvm = append(jvm, o.JVM...)
		return java(s, "kafka-"+version, Jars(s, "kafka-"+version), jvm, "kafka.Kafka", []string{b.configFile(s)}, "")
	}
	return b
}

// newBroker settles what does not depend on the kind of broker.
func newBroker(s Scope, kind Kind, o Options) *Broker {
	s.Helper()
	b := &Broker{Kind: kind, Addr: loopback(Port(s)), ZooKeeper: o.ZooKeeper, LogDir: o.LogDir, Properties: BrokerProperties()}
	if b.LogDir == "" {
		b.LogDir = s.TempDir()
	}
	b.Properties["listeners"] = "PLAINTEXT://" + b.Addr
	b.Properties["log.dirs"] = b.LogDir
	maps.Copy(b.Properties, o.Properties)
	b.LogDirs = strings.Split(b.Properties["log.dirs"], ",")
	id, err := strconv.ParseInt(b.Properties["broker.id"], 10, 32)
	if err != nil {
		s.Fatalf("broker.id: %v", err)
	}
	b.ID = int32(id)
	return b
}

// Apache tells whether the broker is Apache's, be it in gregor's place.
func (b *Broker) Apache() bool { return b.Kind.playing() == KindApache }

func (b *Broker) configFile(s Scope) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), "server.properties")
	properties(s, file, slices.Sorted(maps.Keys(b.Properties)), func(k string) string { return b.Properties[k] })
	return file
}

// Start starts a stopped broker again, on its data and its port.
func (b *Broker) Start(s Scope) {
	s.Helper()
	b.Launch(s)
	b.Await(s)
}

// Launch is Start without the wait; Await is the wait.
func (b *Broker) Launch(s Scope) {
	s.Helper()
	b.Process = b.run(s)
}

// Await waits until a launched broker serves and knows the controller.
func (b *Broker) Await(s Scope) {
	s.Helper()
	b.await(s, b.ready)
}

// ready checks that the broker is registered and a controller is elected.
func (b *Broker) ready() error {
	c, err := Dial(b.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	req := wire.NewMetadataRequest()
	req.Topics = []wire.MetadataRequestTopic{}
	resp, err := c.Call(req, 1)
	if err != nil {
		return err
	}
	m := resp.(*wire.MetadataResponse)
	if m.ControllerID < 0 {
		return errors.New("no controller yet")
	}
	if !slices.ContainsFunc(m.Brokers, func(n wire.MetadataResponseBroker) bool { return n.NodeID == b.ID }) {
		return fmt.Errorf("broker %d is not in the metadata yet", b.ID)
	}
	return nil
}
