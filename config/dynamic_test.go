package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestWithDynamic(t *testing.T) {
	b, err := load(map[string]string{"broker.id": "-1", "log.retention.minutes": "5", "log.segment.bytes": "100", "num.io.threads": "4"})
	if err != nil {
		t.Fatal(err)
	}
	b = b.WithID(1001)
	next, ignored, err := b.WithDynamic(
		map[string]string{"log.retention.ms": "7", "log.segment.bytes": "200", "listeners": "PLAINTEXT://:1", "num.io.threads": "x", "broker.id": "4"},
		map[string]string{"log.segment.bytes": "300", "ssl.keystore.location": "/k", "unknown": "1", "leader.replication.throttled.rate": "9"})
	if err != nil {
		t.Fatal(err)
	}
	d := next.TopicDefaults()
	if d.RetentionMs != 7 || d.SegmentBytes != 300 || next.Int("num.io.threads") != 4 || next.ID != 1001 || next.Listeners[0].Port != 9092 ||
		next.Long("leader.replication.throttled.rate") != 9 || next.Origin("log.segment.bytes") != OriginDynamicBroker ||
		next.Origin("log.retention.ms") != OriginDynamicDefault {
		t.Errorf("%+v", next)
	}
	var names []string
	for _, e := range ignored {
		names = append(names, e.Error())
	}
	for i, want := range []string{"dynamically: Set(broker.id)", "default cluster level", "for configuration num.io.threads", "using the listener prefix"} {
		if i >= len(names) || !strings.Contains(names[i], want) {
			t.Errorf("ignored %q, want %q in place %d", names, want, i)
		}
	}
	// Taking the settings away again leads back to the static ones.
	back, _, err := next.WithDynamic(nil, nil)
	if err != nil || back.TopicDefaults().RetentionMs != 300000 || back.TopicDefaults().SegmentBytes != 100 ||
		back.Long("leader.replication.throttled.rate") != 1<<63-1 {
		t.Errorf("%v %+v", err, back.TopicDefaults())
	}
	// A combination that breaks a rule leaves the old settings in force.
	if _, _, err := b.WithDynamic(map[string]string{"log.retention.ms": "0"}, nil); err == nil {
		t.Error("retention of 0 is taken")
	}
}

func TestValidateDynamicAgainstRunning(t *testing.T) {
	b, err := load(map[string]string{
		"listeners": "PLAINTEXT://:9092,SSL://:9093", "log.retention.ms": "1000", "log.retention.bytes": "50",
		"listener.name.ssl.ssl.client.auth": "none", "log.cleaner.threads": "4", "num.network.threads": "4",
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(settings, want string) {
		t.Helper()
		got := ""
		if err := b.ValidateDynamic(split(settings), true); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
	f("log.cleaner.threads=1", "cannot be reduced to less than half the current value 4")
	f("log.cleaner.threads=9", "cannot be increased to more than double the current value 4")
	f("log.cleaner.threads=8", "")
	f("num.network.threads=9", "value should not be greater than double the current value 4")
	f("log.local.retention.ms=-1", "Value must not be -1 as log.retention.ms value is set as 1000.")
	f("log.local.retention.ms=1001", "Value must not be more than log.retention.ms property value: 1000")
	f("log.local.retention.bytes=51", "Value must not be more than log.retention.bytes property value: 50")
	f("log.local.retention.bytes=50", "")
	f("listener.name.ssl.ssl.client.auth=required", "Configs cannot be updated dynamically for existing listener SSL")
	f("listener.name.ssl.ssl.keystore.location=/k", "")
	f("listener.name.ssl.max.connections=0", "Invalid max.connections 0")
	f("listener.name.ssl.max.connections=10", "")
	f("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SASL_SSL", "Security protocol cannot be updated for existing listener SSL")
	f("listeners=SSL://:9093", "inter.broker.listener.name must be a listener name")
	f("listeners=PLAINTEXT://:9092,SSL://:9093,SASL_SSL://:9094", "")
	if err := b.ValidateDynamic(map[string]string{"log.cleaner.threads": "5"}, false); err != nil {
		t.Error(err)
	}
}

func TestDynamicPassword(t *testing.T) {
	for name, want := range map[string]bool{
		"listener.name.ssl.ssl.keystore.password": true, "ssl.key.password": true, "listener.name.a.plain.sasl.jaas.config": true,
		"password.encoder.secret": false, "ssl.keystore.location": false, "num.io.threads": false,
	} {
		if DynamicPassword(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestAlter(t *testing.T) {
	f := func(scope Scope, current string, changes []Change, want, wantErr string) {
		t.Helper()
		have := map[string]string{}
		if current != "" {
			have = split(current)
		}
		before := maps.Clone(have)
		got, err := Alter(scope, have, changes)
		if !maps.Equal(have, before) {
			t.Errorf("%v changed its input", changes)
		}
		if wantErr != "" {
			if err == nil || err.Error() != wantErr {
				t.Errorf("%v: %v, want %s", changes, err, wantErr)
			}
			return
		}
		var lines []string
		for _, k := range slices.Sorted(maps.Keys(got)) {
			lines = append(lines, k+"="+got[k])
		}
		if s := strings.Join(lines, " ; "); err != nil || s != want {
			t.Errorf("%v: %q %v, want %q", changes, s, err, want)
		}
	}
	set := func(n, v string) Change { return Change{n, OpSet, &v} }
	add := func(n, v string) Change { return Change{n, OpAppend, &v} }
	sub := func(n, v string) Change { return Change{n, OpSubtract, &v} }
	del := func(n string) Change { return Change{n, OpDelete, nil} }
	f(ScopeTopic, "a=1 ; b=2", []Change{set("a", "3"), del("b"), del("c"), set("d", "")}, "a=3 ; d=", "")
	f(ScopeTopic, "", []Change{add("cleanup.policy", "compact")}, "cleanup.policy=delete,compact", "")
	f(ScopeTopic, "cleanup.policy=compact", []Change{add("cleanup.policy", "compact,delete")}, "cleanup.policy=compact,delete", "")
	f(ScopeTopic, "cleanup.policy=", []Change{add("cleanup.policy", "compact")}, "cleanup.policy=compact", "")
	f(ScopeTopic, "cleanup.policy=compact,delete", []Change{sub("cleanup.policy", "delete")}, "cleanup.policy=compact", "")
	f(ScopeTopic, "", []Change{sub("cleanup.policy", "delete,compact")}, "cleanup.policy=", "")
	f(ScopeBroker, "", []Change{add("metric.reporters", "x")}, "metric.reporters=x", "")
	f(ScopeTopic, "", []Change{add("segment.bytes", "1")}, "", "Config value append is not allowed for config key: segment.bytes")
	f(ScopeTopic, "", []Change{sub("segment.bytes", "1")}, "", "Config value subtract is not allowed for config key: segment.bytes")
	f(ScopeTopic, "", []Change{add("log.cleanup.policy", "1")}, "", "Unknown config name: log.cleanup.policy")
	f(ScopeTopic, "", []Change{set("a", "1"), del("a")}, "", "Error due to duplicate config keys")
	f(ScopeTopic, "", []Change{{"a", OpSet, nil}, {"b", OpAppend, nil}}, "", "Null value not supported for : a, b")
	f(ScopeTopic, "", []Change{{"a", Op(9), new("x")}}, "", "Unknown operations type 9")
}

func TestReplace(t *testing.T) {
	got, err := Replace([]Change{{"a", OpSet, new("1")}, {"b", OpSet, new("2")}})
	if err != nil || !maps.Equal(got, map[string]string{"a": "1", "b": "2"}) {
		t.Error(got, err)
	}
	for _, bad := range [][]Change{{{"a", OpSet, nil}}, {{"a", OpSet, new("1")}, {"a", OpSet, new("1")}}, {{"a", OpDelete, nil}}} {
		if _, err := Replace(bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
