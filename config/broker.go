package config

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/internal/must"
)

// Broker is an immutable snapshot of a broker's settings: what server.properties
// and --override set, with the dynamic settings on top. The fields are those
// that many ask for; everything else comes by name.
type Broker struct {
	ID      int32    // broker.id; -1 until one is generated
	Rack    string   // broker.rack, "" for none
	LogDirs []string // at least one, as written
	Keeper  Keeper

	Listeners            []Endpoint // what to listen on
	Advertised           []Endpoint // what to register; an empty Host is this machine's name
	InterBrokerListener  string
	InterBrokerProtocol  SecurityProtocol
	ControlPlaneListener string          // "" when the controller uses the inter-broker listener
	Protocol             ProtocolVersion // inter.broker.protocol.version

	NumPartitions        int32
	ReplicationFactor    int32 // default.replication.factor
	AutoCreateTopics     bool
	DeleteTopics         bool
	SocketRequestMax     int32 // bytes
	QueuedMaxRequests    int32
	QueuedMaxBytes       int64 // -1: no limit
	FetchMaxBytes        int32
	ReplicaLagMax        time.Duration
	ControlledShutdown   bool
	ZooKeeperConnect     string // "" starts the embedded keeper
	ZooKeeperSession     time.Duration
	ZooKeeperMaxInFlight int32

	topicDefaults map[string]any // effective topic values without overrides

	static     map[string]setting // below the dynamic layers
	dynDefault map[string]string
	dynBroker  map[string]string
	props      map[string]setting // effective settings that somebody made
	values     map[string]any     // effective values by name; nulls are absent
}

// Keeper says how the embedded keeper runs.
type Keeper struct {
	Embedded          bool   // zookeeper.connect is not set
	Address           string // host to listen on
	Port              int32  // 0 picks one, -1 keeps it off the network
	DataDir           string
	DataLogDir        string
	TickTime          time.Duration
	MinSessionTimeout time.Duration
	MaxSessionTimeout time.Duration
	MaxClientConns    int32 // per address; 0: no limit
	SnapCount         int32 // transactions between snapshots
	FourLetterWords   []string
}

// value returns a broker value after checking that the table knows the name
// under that type; anything else is a slip of our own.
func (b *Broker) value(name string, types ...Type) any {
	return lookup(b.values, name, name, types...)
}

func lookup(values map[string]any, name, base string, types ...Type) any {
	d, ok := brokerByName[base]
	must.Hold(ok, "property "+base+" is in the table")
	if slices.Contains(types, d.Type) {
		return values[name]
	}
	must.Bug("property %s is %s, asked for as %s", base, d.Type, types[0])
	return nil
}

func as[T any](v any) T { t, _ := v.(T); return t }

// Bool returns a BOOLEAN property.
func (b *Broker) Bool(name string) bool { return as[bool](b.value(name, Boolean)) }

// Int returns an INT property, 0 for null.
func (b *Broker) Int(name string) int32 { return as[int32](b.value(name, Int)) }

// Short returns a SHORT property, 0 for null.
func (b *Broker) Short(name string) int16 { return as[int16](b.value(name, Short)) }

// Long returns a LONG property, 0 for null.
func (b *Broker) Long(name string) int64 { return as[int64](b.value(name, Long)) }

// Double returns a DOUBLE property, 0 for null.
func (b *Broker) Double(name string) float64 { return as[float64](b.value(name, Double)) }

// Text returns a STRING or CLASS property, "" for null.
func (b *Broker) Text(name string) string { return as[string](b.value(name, String, Class)) }

// List returns a LIST property. Do not change it.
func (b *Broker) List(name string) []string { return as[[]string](b.value(name, List)) }

// Secret returns a PASSWORD property, "" for null.
func (b *Broker) Secret(name string) Secret { return as[Secret](b.value(name, Password)) }

// Has reports whether the property has a value, its default included.
func (b *Broker) Has(name string) bool {
	_, known := brokerByName[name]
	must.Hold(known, "property "+name+" is in the table")
	_, ok := b.values[name]
	return ok
}

// Origin returns where the effective value of name was set.
func (b *Broker) Origin(name string) Origin { return b.props[name].origin }

// Millis returns an INT or LONG property in milliseconds as a duration; what
// is too long for one (292 years) becomes the longest, null 0.
func (b *Broker) Millis(name string) time.Duration {
	return millis(integer(b.value(name, Long, Int)))
}

// Seconds is Millis for properties in seconds.
func (b *Broker) Seconds(name string) time.Duration {
	return millis(times(integer(b.value(name, Long, Int, Short)), 1000))
}

func integer(v any) int64 {
	switch n := v.(type) {
	case int16:
		return int64(n)
	case int32:
		return int64(n)
	}
	return as[int64](v)
}

func millis(ms int64) time.Duration { return time.Duration(times(ms, int64(time.Millisecond))) }

// times multiplies by a positive unit without overflow.
func times(n, unit int64) int64 {
	switch {
	case n > math.MaxInt64/unit:
		return math.MaxInt64
	case n < math.MinInt64/unit:
		return math.MinInt64
	}
	return n * unit
}

// WithID returns a copy for a broker whose number was generated; the property
// broker.id keeps its value, as in Kafka.
func (b *Broker) WithID(id int32) *Broker {
	c := *b
	c.ID = id
	return &c
}

// fill sets the fields from the values.
func (b *Broker) fill() error {
	b.ID, b.Rack = b.Int("broker.id"), b.Text("broker.rack")
	b.NumPartitions, b.ReplicationFactor = b.Int("num.partitions"), b.Int("default.replication.factor")
	b.AutoCreateTopics, b.DeleteTopics = b.Bool("auto.create.topics.enable"), b.Bool("delete.topic.enable")
	b.SocketRequestMax = b.Int("socket.request.max.bytes")
	b.QueuedMaxRequests, b.QueuedMaxBytes = b.Int("queued.max.requests"), b.Long("queued.max.request.bytes")
	b.FetchMaxBytes, b.ReplicaLagMax = b.Int("fetch.max.bytes"), b.Millis("replica.lag.time.max.ms")
	b.ControlledShutdown = b.Bool("controlled.shutdown.enable")
	b.ZooKeeperConnect = b.Text("zookeeper.connect")
	b.ZooKeeperSession = b.Millis("zookeeper.session.timeout.ms")
	b.ZooKeeperMaxInFlight = b.Int("zookeeper.max.in.flight.requests")
	version, err := ParseProtocolVersion(b.Text("inter.broker.protocol.version"))
	if err != nil {
		return err
	}
	b.Protocol = version
	dirs := b.Text("log.dir")
	if b.Has("log.dirs") {
		dirs = b.Text("log.dirs")
	}
	b.LogDirs = csv(dirs)
	b.fillKeeper()
	if err := b.fillListeners(); err != nil {
		return err
	}
	b.topicDefaults = b.topicBase()
	return nil
}

func (b *Broker) fillKeeper() {
	tick := b.Millis("gregor.keeper.tick.time.ms")
	k := Keeper{
		Embedded: b.ZooKeeperConnect == "",
		Address:  b.Text("gregor.keeper.client.address"), Port: b.Int("gregor.keeper.client.port"),
		DataDir: b.Text("gregor.keeper.data.dir"), DataLogDir: b.Text("gregor.keeper.data.log.dir"),
		TickTime: tick, MinSessionTimeout: 2 * tick, MaxSessionTimeout: 20 * tick,
		MaxClientConns: b.Int("gregor.keeper.max.client.connections"), SnapCount: b.Int("gregor.keeper.snap.count"),
		FourLetterWords: b.List("gregor.keeper.4lw.commands.whitelist"),
	}
	if d := b.Millis("gregor.keeper.min.session.timeout.ms"); d >= 0 {
		k.MinSessionTimeout = d
	}
	if d := b.Millis("gregor.keeper.max.session.timeout.ms"); d >= 0 {
		k.MaxSessionTimeout = d
	}
	if k.DataDir == "" && len(b.LogDirs) > 0 {
		k.DataDir = strings.TrimRight(b.LogDirs[0], "/") + "-keeper"
	}
	if k.DataLogDir == "" {
		k.DataLogDir = k.DataDir
	}
	b.Keeper = k
}

// csv splits as Kafka's Csv.parseCsvList: empty elements are dropped.
func csv(s string) []string {
	var out []string
	for _, e := range commas.Split(s, -1) {
		if e != "" {
			out = append(out, e)
		}
	}
	return out
}
