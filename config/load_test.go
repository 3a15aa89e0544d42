package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProfile(t *testing.T) {
	b, warnings, err := Load(Source{})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if b.ID != 0 || !slices.Equal(b.LogDirs, []string{"./gregor-data/logs"}) || !b.AutoCreateTopics ||
		b.Short("offsets.topic.replication.factor") != 1 || b.Int("transaction.state.log.min.isr") != 1 ||
		b.Int("group.initial.rebalance.delay.ms") != 0 {
		t.Errorf("%+v", b)
	}
	want := Keeper{
		Embedded: true, Address: "127.0.0.1", Port: 2181,
		DataDir: "./gregor-data/keeper", DataLogDir: "./gregor-data/keeper",
		TickTime: 3 * time.Second, MinSessionTimeout: 6 * time.Second, MaxSessionTimeout: time.Minute,
		MaxClientConns: 60, SnapCount: 100000, FourLetterWords: []string{"*"},
	}
	if k := b.Keeper; !slices.Equal(k.FourLetterWords, want.FourLetterWords) || k.DataDir != want.DataDir ||
		k.MinSessionTimeout != want.MinSessionTimeout || k.MaxSessionTimeout != want.MaxSessionTimeout || !k.Embedded {
		t.Errorf("keeper %+v, want %+v", k, want)
	}
	if want := (Endpoint{"PLAINTEXT", "127.0.0.1", 9092, Plaintext}); b.Listeners[0] != want || b.Advertised[0] != want {
		t.Errorf("%v %v", b.Listeners, b.Advertised)
	}
	if b.Origin("broker.id") != OriginProfile || b.Origin("num.partitions") != OriginDefault {
		t.Error("origins of the profile")
	}
}

func TestProfileIsPrinted(t *testing.T) {
	b, _, err := Load(Source{Overrides: []string{"broker.id=3", "num.partitions=4"}})
	if err != nil {
		t.Fatal(err)
	}
	got := b.FormatProfile()
	if strings.Count(got, "\n") != len(profile) || !strings.Contains(got, "broker.id=3  (override)\n") ||
		!strings.Contains(got, "gregor.keeper.data.dir=./gregor-data/keeper\n") {
		t.Errorf("%s", got)
	}
	if b.NumPartitions != 4 {
		t.Errorf("%d partitions", b.NumPartitions)
	}
}

// With a file every default is Kafka's, even if the file is empty.
func TestFile(t *testing.T) {
	b, warnings, err := Load(Source{File: []byte{}})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if b.ID != -1 || b.LogDirs[0] != "/tmp/kafka-logs" || b.Short("offsets.topic.replication.factor") != 3 ||
		b.Keeper.DataDir != "/tmp/kafka-logs-keeper" || !slices.Equal(b.Keeper.FourLetterWords, []string{"srvr"}) {
		t.Errorf("%+v", b)
	}
	if b.Has("advertised.listeners") || !b.Has("listeners") {
		t.Error("nulls")
	}
	b, _, err = Load(Source{File: []byte("zookeeper.connect=a:1,b:2/kafka\nbroker.id=5\nlog.dirs=/x, /y"), Overrides: []string{"broker.id=6"}})
	if err != nil {
		t.Fatal(err)
	}
	if b.Keeper.Embedded || b.ZooKeeperConnect != "a:1,b:2/kafka" || b.ID != 6 || b.Int("node.id") != 6 ||
		b.Origin("broker.id") != OriginOverride || b.Origin("log.dirs") != OriginFile || !slices.Equal(b.LogDirs, []string{"/x", "/y"}) {
		t.Errorf("%+v", b)
	}
}

func TestWarnings(t *testing.T) {
	_, warnings, err := Load(Source{File: []byte(strings.Join([]string{
		"num.partition=3", "leader.replication.throttled.rate=1", "delegation.token.master.key=k", "rsm.config.x=1",
		"listener.name.plaintext.max.connections=5", "group.min.session.timeout.ms=2000000",
	}, "\n"))})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.Name)
	}
	want := []string{"delegation.token.master.key", "leader.replication.throttled.rate", "num.partition", "group.min.session.timeout.ms"}
	if !slices.Equal(got, want) {
		t.Errorf("warnings about %v, want %v", warnings, want)
	}
}

func TestRefusals(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		src := Source{File: []byte{}}
		for k, v := range split(line) {
			src.Overrides = append(src.Overrides, k+"="+v)
		}
		_, _, err := Load(src)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	f("process.roles=broker,controller", "gregor works with ZooKeeper, not in KRaft mode")
	f("zookeeper.metadata.migration.enable=true", "does not migrate")
	f("remote.log.storage.system.enable=true", "no tiered storage")
	f("config.providers=file", "not supported")
	f("authorizer.class.name=com.example.Mine", "it knows: kafka.security.authorizer.AclAuthorizer")
	f("metric.reporters=org.apache.kafka.common.metrics.JmxReporter,x.Y", "Class x.Y could not be found")
	f("log.dirs=/d ; gregor.keeper.data.dir=/d/keeper", "must lie beside each other")
	f("log.dirs=/d/../e ; gregor.keeper.data.dir=/e", "must lie beside each other")
	f("log.dirs=/d/logs ; gregor.keeper.data.dir=/d", "must lie beside each other")
	f("log.dirs=. ; gregor.keeper.data.dir=k", "must lie beside each other")
	f("log.dirs=/ ; gregor.keeper.data.dir=/k", "must lie beside each other")
	f("gregor.keeper.client.port=-2", "Value must be at least -1")
	f("gregor.keeper.client.port=65536", "Value must be no more than 65535")
	f("gregor.keeper.min.session.timeout.ms=5 ; gregor.keeper.max.session.timeout.ms=4", "must not be greater")
	f("listener.name.ssl.ssl.client.auth=x", "for configuration listener.name.ssl.ssl.client.auth")
	f("num.partitions=x ; num.io.threads=0", "for configuration num.partitions: Not a number")
	f("num.partitions=x ; num.io.threads=0", "for configuration num.io.threads: Value must be at least 1")
	if _, _, err := Load(Source{Overrides: []string{"a"}}); err == nil {
		t.Error("an override without value is taken")
	}
	if _, _, err := Load(Source{File: []byte(`a=\u1`)}); err == nil {
		t.Error("a broken file is taken")
	}
}

func TestAcceptedPlaces(t *testing.T) {
	for _, line := range []string{
		"log.dirs=/d/logs ; gregor.keeper.data.dir=/d/keeper", "log.dirs=/d ; gregor.keeper.data.dir=/d2",
		"log.dirs=logs ; gregor.keeper.data.dir=../keeper", "log.dirs=/d ; gregor.keeper.data.dir=/d/k ; zookeeper.connect=z",
		"authorizer.class.name=kafka.security.authorizer.AclAuthorizer", "gregor.keeper.client.port=-1",
	} {
		src := Source{File: []byte{}}
		for k, v := range split(line) {
			src.Overrides = append(src.Overrides, k+"="+v)
		}
		if _, _, err := Load(src); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestPasswordsStayHidden(t *testing.T) {
	b, err := load(map[string]string{"ssl.key.password": "geheim", "listener.name.a.plain.sasl.jaas.config": "geheim"})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Secret("ssl.key.password"); s.Reveal() != "geheim" || s.String() != "[hidden]" {
		t.Errorf("%s", s)
	}
	for _, e := range b.Describe(nil) {
		if e.Value != nil && strings.Contains(*e.Value, "geheim") {
			t.Errorf("%s shows its value", e.Name)
		}
	}
	if !Sensitive("listener.name.a.plain.sasl.jaas.config") || !Sensitive("unknown") || Sensitive("num.partitions") {
		t.Error("what is sensitive")
	}
}

func TestListenerView(t *testing.T) {
	b, err := load(map[string]string{
		"listeners":                      "PLAINTEXT://:9092,EXT://h:9093",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,EXT:SASL_SSL",
		"connections.max.reauth.ms":      "1", "sasl.enabled.mechanisms": "PLAIN",
		"listener.name.ext.sasl.enabled.mechanisms":                 "PLAIN, SCRAM-SHA-256",
		"listener.name.ext.connections.max.reauth.ms":               "2",
		"listener.name.ext.scram-sha-256.connections.max.reauth.ms": "3",
		"listener.name.ext.scram-sha-256.sasl.jaas.config":          "x;",
		"listener.name.ext.max.connections":                         "7",
		"listener.name.ext.ssl.client.auth":                         "required",
		"listener.name.ext.ssl.allow.dn.changes":                    "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	ext, plain := b.Listener("EXT"), b.Listener("PLAINTEXT")
	scram := ext.Mechanism("SCRAM-SHA-256")
	if ext.Long("connections.max.reauth.ms") != 2 || plain.Long("connections.max.reauth.ms") != 1 ||
		scram.Long("connections.max.reauth.ms") != 3 || ext.Mechanism("PLAIN").Long("connections.max.reauth.ms") != 2 {
		t.Error("precedence of prefixes")
	}
	if scram.Secret("sasl.jaas.config").Reveal() != "x;" || !scram.Overrides("sasl.jaas.config") || ext.Overrides("sasl.jaas.config") {
		t.Error("the mechanism's login")
	}
	if len(ext.List("sasl.enabled.mechanisms")) != 2 || ext.Int("max.connections") != 7 ||
		ext.Text("ssl.client.auth") != "required" || !ext.Bool("ssl.allow.dn.changes") || plain.Bool("ssl.allow.dn.changes") {
		t.Error("overrides")
	}
	if e := b.Listeners[1]; !e.Protocol.TLS() || !e.Protocol.SASL() || e.String() != "EXT://h:9093" {
		t.Errorf("%v", e)
	}
	if s := (Endpoint{"A", "::1", 1, SSL}).String(); s != "A://[::1]:1" {
		t.Error(s)
	}
}

func TestUnits(t *testing.T) {
	b, err := load(map[string]string{"connections.max.idle.ms": "-1", "quota.window.size.seconds": "3", "sasl.login.refresh.buffer.seconds": "5"})
	if err != nil {
		t.Fatal(err)
	}
	if b.Millis("log.flush.scheduler.interval.ms") != 1<<63-1 || b.Millis("connections.max.idle.ms") != -time.Millisecond ||
		b.Millis("log.roll.ms") != 0 || b.Seconds("quota.window.size.seconds") != 3*time.Second ||
		b.Seconds("sasl.login.refresh.buffer.seconds") != 5*time.Second {
		t.Error("units")
	}
	if b.Double("log.cleaner.min.cleanable.ratio") != 0.5 || b.List("ssl.cipher.suites") == nil || !b.Bool("log.cleaner.enable") ||
		b.Text("metrics.recording.level") != "INFO" || b.WithID(9).ID != 9 || b.ID != -1 {
		t.Error("getters")
	}
	if m, err := b.ConnectionsPerIP(); err != nil || !maps.Equal(m, map[string]int32{}) {
		t.Error(m, err)
	}
}

// A name or type that the table does not know is a bug of the caller.
func TestGettersCheckTheTable(t *testing.T) {
	b, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func(){
		"a name that is no property": func() { b.Int("num.partition") },
		"a wrong type":               func() { b.Long("num.partitions") },
		"Has of no property":         func() { b.Has("x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s passes", name)
				}
			}()
			get()
		}()
	}
}
