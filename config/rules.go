package config

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkRules holds the rules between properties, in Kafka's order and words
// where it has them.
func (b *Broker) checkRules() error {
	for _, check := range []func() error{
		b.checkMode, b.checkID, b.checkLogs, b.checkReplication, b.checkListeners,
		b.checkVersions, b.checkSASL, b.checkConnections, b.checkGroups, b.checkKeeper,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkMode refuses what belongs to KRaft clusters and to tiered storage.
func (b *Broker) checkMode() error {
	switch {
	case len(b.List("process.roles")) > 0:
		return rulef("process.roles must not be set: gregor works with ZooKeeper, not in KRaft mode")
	case b.Bool("zookeeper.metadata.migration.enable"):
		return rulef("zookeeper.metadata.migration.enable must be false: gregor does not migrate to KRaft")
	case b.Text("controller.listener.names") != "":
		return rulef("controller.listener.names must be empty when not running in KRaft mode: [%s]",
			strings.ReplaceAll(b.Text("controller.listener.names"), ",", ", "))
	case b.Bool("remote.log.storage.system.enable"):
		return rulef("remote.log.storage.system.enable must be false: gregor has no tiered storage")
	}
	return nil
}

func (b *Broker) checkID() error {
	if b.Int("node.id") != b.ID {
		return rulef("You must set `node.id` to the same value as `broker.id`.")
	}
	if !b.Bool("broker.id.generation.enable") {
		if b.ID < 0 {
			return rulef("broker.id must be greater than or equal to 0")
		}
		return nil
	}
	if b.ID < -1 || b.ID > b.Int("reserved.broker.max.id") {
		return rulef("broker.id must be greater than or equal to -1 and not greater than reserved.broker.max.id")
	}
	return nil
}

func (b *Broker) checkLogs() error {
	switch roll, jitter, retention := b.topicMs("segment.ms"), b.topicMs("segment.jitter.ms"), b.topicMs("retention.ms"); {
	case roll < 1:
		return rulef("log.roll.ms must be greater than or equal to 1")
	case jitter < 0:
		return rulef("log.roll.jitter.ms must be greater than or equal to 0")
	case retention == 0:
		return rulef("log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
	case len(b.LogDirs) == 0:
		return rulef("At least one log directory must be defined via log.dirs or log.dir.")
	}
	seen := map[string]bool{}
	for _, dir := range b.LogDirs {
		clean := path.Clean(dir)
		if seen[clean] {
			return rulef("log.dirs names %s twice", dir)
		}
		seen[clean] = true
	}
	// Kafka divides by the threads and dies on none; without threads there is no share.
	threads := int64(b.Int("log.cleaner.threads"))
	if threads == 0 && b.Bool("log.cleaner.enable") {
		return rulef("log.cleaner.threads must be at least 1 while log.cleaner.enable is true")
	}
	if threads > 0 && b.Long("log.cleaner.dedupe.buffer.size")/threads <= 1<<20 {
		return rulef("log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
	}
	// Kafka finds these out a little later, when its log manager starts.
	for _, d := range topicDefs {
		if v := b.topicDefaults[d.Name]; d.Valid != nil {
			if err := d.Valid.Check(cmp.Or(firstOf(d.Synonyms), d.Name), v); err != nil {
				return err
			}
		}
	}
	if low, high := b.topicMs("min.compaction.lag.ms"), b.topicMs("max.compaction.lag.ms"); low > high {
		return rulef("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", low, high)
	}
	return nil
}

func firstOf(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

func (b *Broker) topicMs(name string) int64 { return as[int64](b.topicDefaults[name]) }

func (b *Broker) checkReplication() error {
	wait := b.Int("replica.fetch.wait.max.ms")
	if wait > b.Int("replica.socket.timeout.ms") {
		return rulef("replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms " +
			"to prevent unnecessary socket timeouts")
	}
	if int64(wait) > b.Long("replica.lag.time.max.ms") {
		return rulef("replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms " +
			"to prevent frequent changes in ISR")
	}
	return nil
}

func names(endpoints []Endpoint) []string {
	var out []string
	for _, e := range endpoints {
		out = append(out, e.Listener)
	}
	return out
}

func (b *Broker) checkListeners() error {
	advertised, own := names(b.Advertised), names(b.Listeners)
	if len(advertised) == 0 {
		return rulef("There must be at least one broker advertised listener.")
	}
	if !slices.Contains(advertised, b.InterBrokerListener) {
		return rulef("inter.broker.listener.name must be a listener name defined in advertised.listeners. "+
			"The valid options based on currently configured listeners are %s", strings.Join(advertised, ","))
	}
	for _, e := range b.Advertised {
		if !slices.Contains(own, e.Listener) {
			return rulef("advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. "+
				"Found %s. The valid options based on the current configuration are %s",
				strings.Join(advertised, ","), strings.Join(own, ","))
		}
		if e.Host == "0.0.0.0" {
			return rulef("advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.")
		}
	}
	if c := b.ControlPlaneListener; c != "" {
		if !slices.Contains(advertised, c) {
			return rulef("control.plane.listener.name must be a listener name defined in advertised.listeners. "+
				"The valid options based on currently configured listeners are %s", strings.Join(advertised, ","))
		}
		if c == b.InterBrokerListener {
			return rulef("control.plane.listener.name, when defined, should have a different value from the inter broker "+
				"listener name. Currently they both have the value ListenerName(%s)", c)
		}
	}
	for _, l := range csv(b.Text("early.start.listeners")) {
		if !slices.Contains(own, l) {
			return rulef("early.start.listeners contains listener %s, but this is not contained in listeners "+
				"or controller.listener.names", l)
		}
	}
	return nil
}

func (b *Broker) checkVersions() error {
	format, err := ParseProtocolVersion(as[string](b.topicDefaults["message.format.version"]))
	if err != nil {
		return err
	}
	for _, magic := range []string{"0.11.0-IV0", "0.10.0-IV0"} { // record formats 2 and 1 began here
		if format.AtLeast(magic) && !b.Protocol.AtLeast(magic) {
			return rulef("log.message.format.version %s can only be used when inter.broker.protocol.version "+
				"is set to version %s or higher", b.Text("log.message.format.version"), magic[:len(magic)-len("-IV0")])
		}
	}
	// Zstd came with 2.1, but what Kafka compares is the record format.
	if !b.Protocol.AtLeast("0.11.0-IV0") && b.Int("offsets.topic.compression.codec") == 4 {
		return rulef("offsets.topic.compression.codec zstd can only be used when inter.broker.protocol.version " +
			"is set to version 2.1 or higher")
	}
	return nil
}

func (b *Broker) checkSASL() error {
	if !b.InterBrokerProtocol.SASL() {
		return nil
	}
	mechanism := b.Text("sasl.mechanism.inter.broker.protocol")
	if mechanism != "GSSAPI" && !b.Protocol.AtLeast("0.10.0-IV1") {
		return rulef("Only GSSAPI mechanism is supported for inter-broker communication with SASL when "+
			"inter.broker.protocol.version is set to %s", b.Text("inter.broker.protocol.version"))
	}
	if !slices.Contains(b.Listener(b.InterBrokerListener).List("sasl.enabled.mechanisms"), mechanism) {
		return rulef("sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used " +
			"for inter-broker communication")
	}
	return nil
}

var hostCharacters = regexp.MustCompile(`^[0-9a-zA-Z\-%._:]*$`)

func (b *Broker) checkConnections() error {
	const perIP = "max.connections.per.ip.overrides"
	if b.QueuedMaxBytes > 0 && b.QueuedMaxBytes < int64(b.SocketRequestMax) {
		return rulef("queued.max.request.bytes must be larger or equal to socket.request.max.bytes")
	}
	overrides, err := b.ConnectionsPerIP()
	if err != nil {
		return err
	}
	if b.Int("max.connections.per.ip") == 0 && len(overrides) == 0 {
		return rulef("max.connections.per.ip can be set to zero only if %s property is set.", perIP)
	}
	for _, pair := range csv(b.Text(perIP)) {
		if host := pair[:strings.LastIndex(pair, ":")]; !hostCharacters.MatchString(javaTrim(host)) {
			return rulef("%s contains invalid addresses : %s", perIP, host)
		}
	}
	idle, delay := b.Long("connections.max.idle.ms"), int64(b.Int("connection.failed.authentication.delay.ms"))
	if idle >= 0 && delay >= idle {
		return rulef("connection.failed.authentication.delay.ms=%d should always be less than connections.max.idle.ms=%d "+
			"to prevent failed authentication responses from timing out", delay, idle)
	}
	return nil
}

// ConnectionsPerIP reads max.connections.per.ip.overrides: address or host
// name to limit.
func (b *Broker) ConnectionsPerIP() (map[string]int32, error) {
	const name = "max.connections.per.ip.overrides"
	out := map[string]int32{}
	for _, pair := range csv(b.Text(name)) {
		i := strings.LastIndex(pair, ":")
		if i < 0 {
			return nil, rulef("Error parsing configuration property '%s': %q has no colon", name, pair)
		}
		n, err := parse(name, pair[i+1:], Int)
		if err != nil {
			return nil, err
		}
		out[javaTrim(pair[:i])] = n.(int32)
	}
	return out, nil
}

// order says that one setting must not exceed another; lowFirst picks which of
// the two Kafka's message begins with.
type order struct {
	low, high string
	lowFirst  bool
}

// groupOrder holds for settings of the newer group protocols: they have no
// effect here, but Kafka refuses them out of order.
var groupOrder = func() (out []order) {
	for _, name := range []string{
		"group.consumer.%heartbeat.interval.ms", "group.consumer.%session.timeout.ms",
		"group.share.%heartbeat.interval.ms", "group.share.%session.timeout.ms", "group.share.%record.lock.duration.ms",
	} {
		of := func(which string) string { return strings.Replace(name, "%", which, 1) }
		out = append(out, order{of("min."), of("max."), false}, order{of("min."), of(""), false}, order{of(""), of("max."), true})
	}
	return out
}()

func (b *Broker) checkGroups() error {
	protocols := b.List("group.coordinator.rebalance.protocols")
	if !slices.Contains(protocols, "classic") {
		return rulef("Disabling the 'classic' protocol is not supported.")
	}
	if slices.Contains(protocols, "consumer") {
		return rulef("The new 'consumer' rebalance protocol is only supported in KRaft cluster.")
	}
	const acks = "offsets.commit.required.acks"
	if n := b.Short(acks); n < -1 || n > b.Short("offsets.topic.replication.factor") {
		return rulef("%s must be greater or equal to -1 and less or equal to offsets.topic.replication.factor", acks)
	}
	for _, o := range groupOrder {
		if b.Int(o.low) > b.Int(o.high) {
			if o.lowFirst {
				return rulef("%s must be less than or equals to %s", o.low, o.high)
			}
			return rulef("%s must be greater than or equals to %s", o.high, o.low)
		}
	}
	if codec := b.Int("offsets.topic.compression.codec"); codec < 0 || codec > 4 {
		return rulef("Unknown compression type id: %d", codec)
	}
	return nil
}

// checkKeeper keeps the embedded keeper out of the log directories: Apache
// would take its files for partitions.
func (b *Broker) checkKeeper() error {
	if !b.Keeper.Embedded {
		return nil
	}
	if k := b.Keeper; k.MinSessionTimeout > k.MaxSessionTimeout {
		return rulef("gregor.keeper.min.session.timeout.ms (%d) must not be greater than "+
			"gregor.keeper.max.session.timeout.ms (%d)", k.MinSessionTimeout.Milliseconds(), k.MaxSessionTimeout.Milliseconds())
	}
	for _, keeper := range []string{b.Keeper.DataDir, b.Keeper.DataLogDir} {
		for _, logs := range b.LogDirs {
			if within(keeper, logs) || within(logs, keeper) {
				return rulef("the keeper's directory %s and the log directory %s must lie beside each other, "+
					"not inside (gregor.keeper.data.dir, gregor.keeper.data.log.dir, log.dirs)", keeper, logs)
			}
		}
	}
	return nil
}

// within reports whether the path is dir or lies below it, by name alone.
func within(p, dir string) bool {
	p, dir = path.Clean(p), path.Clean(dir)
	if dir == "." {
		return !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../")
	}
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
