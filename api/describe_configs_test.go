package api

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/wire"
)

func describe(b *bench, v int16, synonyms, documentation bool, resources ...wire.DescribeConfigsRequestResource) []wire.DescribeConfigsResponseResult {
	b.t.Helper()
	req := wire.NewDescribeConfigsRequest()
	req.Resources, req.IncludeSynonyms, req.IncludeDocumentation = resources, synonyms, documentation
	return ask[*wire.DescribeConfigsResponse](b, v, req).Results
}

func describes(kind int8, name string, keys ...string) wire.DescribeConfigsRequestResource {
	return wire.DescribeConfigsRequestResource{ResourceType: kind, ResourceName: name, ConfigurationKeys: keys}
}

func TestDescribeTopicConfigs(t *testing.T) {
	every(t, wire.KeyDescribeConfigs, func(v int16) {
		b := newBench(t, "log.retention.bytes=77")
		b.configs.topics["t"] = map[string]string{"retention.ms": "5"}
		rich := v >= 3
		got := describe(b, v, v >= 1, rich, describes(tTopic, "t", "retention.ms", "retention.bytes", "preallocate", "nothing"))[0]
		same(t, v, "result", []any{got.ErrorCode, got.ErrorMessage, got.ResourceType, got.ResourceName}, []any{wire.CodeNone, new(""), tTopic, "t"})
		entry := func(name, value string, source config.SourceID, kind config.Type) wire.DescribeConfigsResponseResourceResult {
			e := wire.NewDescribeConfigsResponseResourceResult()
			e.Name, e.Value, e.ConfigSource = name, &value, since(v, 1, int8(source))
			if v == 0 {
				e.ConfigSource = -1
			}
			if rich {
				d, _ := config.LookupTopic(name)
				e.ConfigType, e.Documentation = int8(kind), &d.Doc
			}
			return e
		}
		synonyms := func(v int16, s ...wire.DescribeConfigsResponseSynonym) []wire.DescribeConfigsResponseSynonym {
			return since(v, 1, s)
		}
		want := []wire.DescribeConfigsResponseResourceResult{
			entry("preallocate", "false", config.SourceDefault, config.Boolean),
			entry("retention.bytes", "77", config.SourceStatic, config.Long),
			entry("retention.ms", "5", config.SourceTopic, config.Long),
		}
		want[0].Synonyms = synonyms(v, wire.DescribeConfigsResponseSynonym{Name: "log.preallocate", Value: new("false"), Source: 5})
		want[1].Synonyms = synonyms(v, wire.DescribeConfigsResponseSynonym{Name: "log.retention.bytes", Value: new("77"), Source: 4},
			wire.DescribeConfigsResponseSynonym{Name: "log.retention.bytes", Value: new("-1"), Source: 5})
		want[2].Synonyms = synonyms(v, wire.DescribeConfigsResponseSynonym{Name: "retention.ms", Value: new("5"), Source: 1})
		same(t, v, "entries", got.Configs, want)

		// Without the flags neither synonyms nor documentation, with any source.
		got = describe(b, v, false, false, describes(tTopic, "t"))[0]
		if len(got.Configs) != len(config.TopicDefs()) {
			t.Errorf("v%d: %d entries of %d", v, len(got.Configs), len(config.TopicDefs()))
		}
		for _, e := range got.Configs {
			if len(e.Synonyms) > 0 || v >= 3 && e.Documentation != nil || v >= 1 && e.ConfigSource < 1 {
				t.Errorf("v%d %+v", v, e)
			}
		}
	})
}

func TestDescribeBrokerConfigs(t *testing.T) {
	every(t, wire.KeyDescribeConfigs, func(v int16) {
		b := newBench(t, "num.io.threads=3", "ssl.key.password=secret")
		next, ignored, err := b.broker.Settings.Broker().WithDynamic(map[string]string{"message.max.bytes": "2000"}, map[string]string{"background.threads": "11"})
		if err != nil || len(ignored) > 0 {
			t.Fatal(err, ignored)
		}
		b.broker.Settings = fakeSettings{next}
		got := describe(b, v, v >= 1, v >= 3, describes(tBroker, "1", "num.io.threads", "background.threads", "ssl.key.password", "broker.id"), describes(tBroker, ""))
		type row struct {
			name                string
			value               *string
			readOnly, sensitive bool
			source              int8
		}
		rows := func(r wire.DescribeConfigsResponseResult) (out []row) {
			for _, e := range r.Configs {
				out = append(out, row{e.Name, e.Value, e.ReadOnly, e.IsSensitive, e.ConfigSource})
			}
			return out
		}
		source := func(s int8) int8 {
			if v == 0 {
				return -1
			}
			return s
		}
		same(t, v, "own", rows(got[0]), []row{
			{"background.threads", new("11"), false, false, source(2)},
			{"broker.id", new("1"), true, false, source(4)},
			{"num.io.threads", new("3"), false, false, source(4)},
			{"ssl.key.password", nil, false, true, source(4)}})
		same(t, v, "all brokers", rows(got[1]), []row{{"message.max.bytes", new("2000"), false, false, source(3)}})
		for _, e := range got[0].Configs {
			for _, s := range e.Synonyms {
				if e.IsSensitive && s.Value != nil {
					t.Errorf("v%d %s shows %q", v, e.Name, *s.Value)
				}
			}
		}
	})
}

func TestDescribeLoggers(t *testing.T) {
	every(t, wire.KeyDescribeConfigs, func(v int16) {
		b := newBench(t)
		got := describe(b, v, false, false, describes(tLogger, "1"), describes(tLogger, "1", "keeper", "other"))
		source := int8(6)
		if v == 0 {
			source = -1
		}
		keeper := wire.DescribeConfigsResponseResourceResult{Name: "keeper", Value: new("WARN"), ConfigSource: source, Documentation: new("")}
		root := wire.DescribeConfigsResponseResourceResult{Name: "root", Value: new("INFO"), ConfigSource: source, Documentation: new("")}
		if v >= 1 {
			keeper.Synonyms, root.Synonyms = []wire.DescribeConfigsResponseSynonym{}, []wire.DescribeConfigsResponseSynonym{}
		}
		same(t, v, "all", got[0].Configs, []wire.DescribeConfigsResponseResourceResult{keeper, root})
		same(t, v, "one", got[1].Configs, []wire.DescribeConfigsResponseResourceResult{keeper})
	})
}

// TestDescribeConfigsRefuses has the texts of Kafka's broker.
func TestDescribeConfigsRefuses(t *testing.T) {
	b := newBench(t)
	f := func(kind int8, name string, code wire.Code, text *string) {
		t.Helper()
		got := describe(b, 4, true, true, describes(tBroker, ""), describes(kind, name))[1]
		same(t, 4, name, []any{got.ErrorCode, got.ErrorMessage, got.ResourceType, got.ResourceName, len(got.Configs)}, []any{code, text, kind, name, 0})
	}
	f(tTopic, "gone", wire.CodeUnknownTopicOrPartition, new(""))
	f(tTopic, "no/name", wire.CodeInvalidTopicException,
		new("Topic name is invalid: 'no/name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"))
	f(tBroker, "2", wire.CodeInvalidRequest, new("Unexpected broker id, expected 1 or empty string, but received 2"))
	f(tBroker, "x", wire.CodeInvalidRequest, new("Broker id must be an integer, but it is: x"))
	f(tLogger, "", wire.CodeInvalidRequest, new("Broker id must not be empty"))
	f(tLogger, "2", wire.CodeInvalidRequest, new("Unexpected broker id, expected 1 but received 2"))
	f(tMetrics, "", wire.CodeInvalidRequest, new("Client metrics subscription name must not be empty"))
	f(tMetrics, "s", wire.CodeInvalidRequest, new("Config type client-metrics is only supported on KRaft clusters"))
	b.configs.readFailure = wire.CodeRequestTimedOut
	f(tTopic, "t", wire.CodeRequestTimedOut, nil)
	b.configs.readFailure = nil

	// An unknown type refuses all of them.
	for _, r := range describe(b, 4, false, false, describes(tBroker, ""), describes(32, "g"), describes(tTopic, "t")) {
		if r.ErrorCode != wire.CodeInvalidRequest || orEmpty(r.ErrorMessage) != codeText(wire.CodeInvalidRequest) || len(r.Configs) > 0 {
			t.Errorf("unknown type: %+v", r)
		}
	}
}

// TestBadOverridesAreLeftOut: what some other program wrote cannot hide the
// rest of a topic's settings.
func TestBadOverridesAreLeftOut(t *testing.T) {
	b := newBench(t)
	b.configs.topics["t"] = map[string]string{"retention.ms": "soon", "segment.bytes": "2000000"}
	got := describe(b, 4, false, false, describes(tTopic, "t", "retention.ms", "segment.bytes"))[0].Configs
	values := slices.Collect(func(yield func(string) bool) {
		for _, e := range got {
			if !yield(e.Name + "=" + orEmpty(e.Value)) {
				return
			}
		}
	})
	same(t, 4, "values", values, []string{"retention.ms=604800000", "segment.bytes=2000000"})
}
