//go:build interop

package peer

import (
	"maps"
	"path/filepath"
	"strconv"
	"strings"
)

// Kind says whose program a member of a cluster is.
type Kind string

// The kinds. Where Apache Kafka stands in for gregor (see TargetIsApache) all
// members are Apache's.
const (
	KindApache Kind = "apache"
	KindGregor Kind = "gregor"
)

func (k Kind) playing() Kind {
	if TargetIsApache() {
		return KindApache
	}
	return k
}

// ClusterOptions say who the members of a cluster are.
type ClusterOptions struct {
	Brokers    []Kind            // in the order of their ids, from 0; the first becomes the controller
	Keeper     Kind              // who plays ZooKeeper
	ZooKeeper  string            // version where Apache does; "3.8.4" when empty
	Racks      []string          // by broker; none when empty
	LogDirs    int               // of each broker; 1 when 0
	Properties map[string]string // of all brokers, over ClusterProperties
	Requests   bool              // Apache's brokers log every request, as JSON
}

// Cluster is several brokers over one ensemble.
type Cluster struct {
	Ensemble *Ensemble
	Brokers  []*Broker // by id
}

// SessionTimeout is that of the brokers of a cluster, in ms: short, because
// tests wait for it, yet longer than a busy machine keeps a process waiting.
const SessionTimeout = 12_000

// ClusterProperties are the settings of brokers that are several, over
// BrokerProperties: internal topics on up to three of them, failures noticed
// soon, deleted files gone soon.
func ClusterProperties(brokers int) map[string]string {
	factor := strconv.Itoa(min(3, brokers))
	return map[string]string{
		"offsets.topic.replication.factor":         factor,
		"transaction.state.log.replication.factor": factor,
		"zookeeper.session.timeout.ms":             strconv.Itoa(SessionTimeout),
		"replica.lag.time.max.ms":                  "3000",
		"log.segment.delete.delay.ms":              "1000",
		"log.retention.ms":                         "-1",
		"auto.leader.rebalance.enable":             "false",
		"auto.create.topics.enable":                "false",
	}
}

// StartCluster starts a ZooKeeper and brokers, and waits until all are in the
// metadata of each.
func StartCluster(s Scope, o ClusterOptions) *Cluster {
	s.Helper()
	c := &Cluster{Ensemble: startEnsemble(s, o)}
	for i, kind := range o.Brokers {
		c.Brokers = append(c.Brokers, newMember(s, c.Ensemble.Addr, o, i, kind))
	}
	// The first has to win the election before the others take part in it.
	c.Brokers[0].Start(s)
	for _, b := range c.Brokers[1:] {
		b.Launch(s)
	}
	for _, b := range c.Brokers[1:] {
		b.Await(s)
	}
	return c
}

func startEnsemble(s Scope, o ClusterOptions) *Ensemble {
	s.Helper()
	// A short tick, because sessions end at one and not in between.
	zo := ZooKeeperOptions{Properties: map[string]string{"tickTime": "500", "minSessionTimeout": "1000", "maxSessionTimeout": "60000"}}
	if o.Keeper.playing() == KindGregor {
		return GregorKeeper(s, zo)
	}
	version := o.ZooKeeper
	if version == "" {
		version = "3.8.4"
	}
	return ZooKeeper(s, version, zo)
}

func newMember(s Scope, ensemble string, o ClusterOptions, id int, kind Kind) *Broker {
	s.Helper()
	p := ClusterProperties(len(o.Brokers))
	maps.Copy(p, o.Properties)
	p["broker.id"] = strconv.Itoa(id)
	if len(o.Racks) > 0 {
		p["broker.rack"] = o.Racks[id]
	}
	root, dirs := s.TempDir(), make([]string, max(1, o.LogDirs))
	for i := range dirs {
		dirs[i] = filepath.Join(root, "logs-"+strconv.Itoa(i))
	}
	p["log.dirs"] = strings.Join(dirs, ",")
	bo := Options{ZooKeeper: ensemble, LogDir: dirs[0], Properties: p, Requests: o.Requests}
	if kind.playing() == KindGregor {
		return newGregor(s, bo)
	}
	return newKafka(s, "3.9.1", bo)
}

// Bootstrap is the address list of all brokers.
func (c *Cluster) Bootstrap() string { return strings.Join(c.Seeds(), ",") }

// Seeds are the addresses of all brokers.
func (c *Cluster) Seeds() []string {
	var out []string
	for _, b := range c.Brokers {
		out = append(out, b.Addr)
	}
	return out
}
