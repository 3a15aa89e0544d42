//go:build interop

package oracle

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/wire"
)

var show = flag.Bool("show", false, "print every transcript of the first broker")

var (
	reference = peer.Once(func(s peer.Scope) *peer.Broker { return withCoordinator(s, peer.Kafka(s, "3.9.1", brokerOptions())) })
	candidate = peer.Once(func(s peer.Scope) *peer.Broker { return withCoordinator(s, peer.Target(s, brokerOptions())) })
)

// brokerOptions are what both brokers run with.
func brokerOptions() peer.Options {
	return peer.Options{Properties: map[string]string{
		"log.retention.ms":                          "-1",
		"log.segment.bytes":                         "16777216",
		"message.max.bytes":                         "1048588",
		"group.max.size":                            "3",
		"max.incremental.fetch.session.cache.slots": "1000",
		"log.message.timestamp.after.max.ms":        "86400000",
		"transaction.max.timeout.ms":                "900000",
		"offset.metadata.max.bytes":                 "100",
	}}
}

// script is a case: it runs against each broker and must hear the same. One
// that changes what others see runs alone, before them.
type script struct {
	name  string
	run   func(*side)
	alone bool
}

// each makes one script of every version of an API.
func each(name string, key wire.Key, run func(s *side, v int16)) []script {
	low, high, _ := wire.Versions(key)
	return between(name, low, high, run)
}

func between(name string, low, high int16, run func(s *side, v int16)) []script {
	var out []script
	for v := low; v <= high; v++ {
		out = append(out, script{name: fmt.Sprintf("%s/v%d", name, v), run: func(s *side) { run(s, v) }})
	}
	return out
}

// withCoordinator waits until groups and producer ids work: the topic of the
// groups is created by the first who asks for a coordinator.
func withCoordinator(scope peer.Scope, b *peer.Broker) *peer.Broker {
	s := newSide("warm-up", b)
	steps := s.play(func(s *side) {
		find := wire.NewFindCoordinatorRequest()
		find.CoordinatorKey = "somebody"
		describe := &wire.DescribeGroupsRequest{Groups: []string{"somebody"}}
		s.eventually(func() error {
			if c := s.quiet(find, 2).(*wire.FindCoordinatorResponse).ErrorCode; c != wire.CodeNone {
				return c
			}
			if c := s.quiet(describe, 0).(*wire.DescribeGroupsResponse).Groups[0].ErrorCode; c != wire.CodeNone {
				return c
			}
			// The first block of producer ids is fetched when first asked for.
			if c := s.quiet(plainProducer(), 2).(*wire.InitProducerIDResponse).ErrorCode; c != wire.CodeNone {
				return c
			}
			return nil
		})
	})
	for _, step := range steps {
		scope.Fatalf("%s: %v", step.label, step.lines)
	}
	return b
}

// TestInternalTopic compares the topic that the first group brought along.
func TestInternalTopic(t *testing.T) {
	c := script{name: "internal topic", run: func(s *side) {
		name := "__consumer_offsets"
		s.call(describeTopicConfigs(name), 1)
		m := wire.NewMetadataRequest()
		m.Topics = []wire.MetadataRequestTopic{{Name: &name}}
		s.call(m, 8)
	}}
	compare(t, c, newSide(prefixOf(t), reference(t)), newSide(prefixOf(t), candidate(t)))
}

// family is the scripts about one matter.
type family struct {
	name    string
	scripts []script
}

// alone are the families for a broker that is alone.
func alone() []family {
	return []family{
		{"versions", versionScripts()},
		{"malformed", malformedScripts()},
		{"metadata", metadataScripts()},
		{"produce", produceScripts()},
		{"fetch", fetchScripts()},
		{"offsets", offsetScripts()},
		{"topics", topicScripts()},
		{"configs", configScripts()},
		{"cluster", clusterScripts()},
		{"producers", producerScripts()},
		{"groups", groupScripts()},
		{"commits", commitScripts()},
	}
}

func TestOracle(t *testing.T) {
	play(t, alone(), func(t *testing.T, c script) {
		compare(t, c, newSide(prefixOf(t), reference(t)), newSide(prefixOf(t), candidate(t)))
	})
	stale(t)
}

// play runs all scripts of some families.
func play(t *testing.T, families []family, run func(*testing.T, script)) {
	t.Helper()
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			for _, c := range f.scripts {
				t.Run(c.name, func(t *testing.T) {
					if !c.alone {
						t.Parallel()
					}
					run(t, c)
				})
			}
		})
	}
}

// stale looks whether the list of known differences has grown stale.
func stale(t *testing.T) {
	t.Helper()
	if peer.TargetIsApache() {
		return
	}
	list, err := known()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range slices.Concat(alone(), together(), bereaved()) {
		for _, c := range f.scripts {
			names = append(names, f.name+"/"+c.name)
		}
	}
	for _, line := range list.stale(names) {
		t.Errorf("differs no longer, take it off the list: %s", line)
	}
}

// compare runs a script against both sides at once.
func compare(t *testing.T, c script, a, b *side) {
	t.Helper()
	done := make(chan []step)
	go func() { done <- a.play(c.run) }()
	got := b.play(c.run)
	want := <-done
	if len(want) == 0 {
		t.Fatal("the script asked nothing")
	}
	if *show {
		for _, s := range want {
			t.Logf("%s\n\t%s", s.label, strings.Join(s.lines, "\n\t"))
		}
	}
	if last := want[len(want)-1]; last.label == "the script ends here" {
		t.Errorf("Apache: %v", last.lines)
	}
	list, err := known()
	if err != nil {
		t.Fatal(err)
	}
	name := caseName(t)
	unknown := slices.DeleteFunc(differences(want, got), func(d divergence) bool { return list.accepts(name, d) })
	list.finished(name)
	if len(unknown) > 0 {
		t.Errorf("- is Apache Kafka, + the other\n%s", report(unknown))
	}
}

// prefixOf makes a legal topic name of the name of a test.
func prefixOf(t *testing.T) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
			return r
		}
		return '-'
	}, caseName(t))
}

// caseName is the name of a test as the list of known differences has it.
func caseName(t *testing.T) string {
	if _, name, found := strings.Cut(t.Name(), "/"); found {
		return name
	}
	return t.Name()
}
