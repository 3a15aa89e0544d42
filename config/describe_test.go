package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func format(scope string, entries []Entry) []string {
	show := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "gregor.") {
			continue
		}
		change, secret := "writable", "open"
		if e.ReadOnly {
			change = "read-only"
		}
		if e.Sensitive {
			secret = "sensitive"
		}
		var syn []string
		for _, s := range e.Synonyms {
			syn = append(syn, fmt.Sprintf("%d %s=%s", s.Source, s.Name, show(s.Value)))
		}
		out = append(out, strings.Join([]string{scope, e.Name, show(e.Value), fmt.Sprintf("source %d", e.Source),
			fmt.Sprintf("type %d", e.Type), change, secret, strings.Join(syn, " | ")}, "\t"))
	}
	return out
}

// described builds the broker and topic of testdata/describe.in.
func described(t *testing.T) (*Broker, *Topic) {
	t.Helper()
	layers := map[string]map[string]string{"static": {}, "default": {}, "broker": {}, "topic": {}}
	for _, l := range lines(t, "describe.in") {
		layer, rest, _ := strings.Cut(l, " ")
		maps.Copy(layers[layer], split(rest))
	}
	b, err := load(layers["static"])
	if err != nil {
		t.Fatal(err)
	}
	b, ignored, err := b.WithDynamic(layers["default"], layers["broker"])
	if err != nil || len(ignored) > 0 {
		t.Fatal(err, ignored)
	}
	topic, err := b.Topic(layers["topic"])
	if err != nil {
		t.Fatal(err)
	}
	return b, topic
}

// TestDescribeAsKafka compares every entry with what Kafka 3.9.1 describes for
// the same settings.
func TestDescribeAsKafka(t *testing.T) {
	b, topic := described(t)
	got := slices.Concat(format("broker", b.Describe(nil)), format("default", b.DescribeDefault(nil)),
		format("topic", b.DescribeTopic(topic, nil)))
	want := lines(t, "describe-3.9.1.tsv")
	has := func(list []string, l string) bool { return slices.Contains(list, l) }
	for _, l := range got {
		if !has(want, l) {
			t.Errorf("got   %s", l)
		}
	}
	for _, l := range want {
		if !has(got, l) {
			t.Errorf("Kafka %s", l)
		}
	}
}

func TestDescribeSome(t *testing.T) {
	b, topic := described(t)
	if e := b.Describe([]string{"num.partitions", "nothing", "gregor.keeper.client.port"}); len(e) != 2 ||
		e[0].Name != "gregor.keeper.client.port" || *e[1].Value != "7" || e[1].Doc == "" {
		t.Errorf("%+v", e)
	}
	if e := b.DescribeDefault([]string{"num.io.threads"}); len(e) != 1 || *e[0].Value != "9" {
		t.Errorf("%+v", e)
	}
	if e := b.DescribeTopic(topic, []string{"retention.ms"}); len(e) != 1 || e[0].Source != SourceTopic {
		t.Errorf("%+v", e)
	}
}
