package api

import (
	"errors"
	"maps"
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

// op is one operation of IncrementalAlterConfigs.
func op(name string, kind int8, value *string) wire.IncrementalAlterConfigsRequestAlterableConfig {
	return wire.IncrementalAlterConfigsRequestAlterableConfig{Name: name, ConfigOperation: kind, Value: value}
}

const (
	opSet, opDelete, opAppend, opSubtract = 0, 1, 2, 3

	tTopic, tBroker, tLogger, tMetrics = int8(topicResource), int8(brokerResource), int8(loggerResource), int8(metricsResource)
)

// verdict is how a resource fared.
type verdict struct {
	code wire.Code
	text string // "" for null
}

func incrementally(b *bench, v int16, validateOnly bool, resources ...wire.IncrementalAlterConfigsRequestAlterConfigsResource) []verdict {
	b.t.Helper()
	req := wire.NewIncrementalAlterConfigsRequest()
	req.Resources, req.ValidateOnly = resources, validateOnly
	resp := ask[*wire.IncrementalAlterConfigsResponse](b, v, req)
	var out []verdict
	for i, r := range resp.Responses {
		if r.ResourceName != resources[i].ResourceName || r.ResourceType != resources[i].ResourceType {
			b.t.Errorf("answer %d is for %d %q", i, r.ResourceType, r.ResourceName)
		}
		out = append(out, verdict{r.ErrorCode, orEmpty(r.ErrorMessage)})
	}
	return out
}

func resource(kind int8, name string, ops ...wire.IncrementalAlterConfigsRequestAlterableConfig) wire.IncrementalAlterConfigsRequestAlterConfigsResource {
	return wire.IncrementalAlterConfigsRequestAlterConfigsResource{ResourceType: kind, ResourceName: name, Configs: ops}
}

var fine = verdict{}

func TestIncrementalAlterConfigsWrites(t *testing.T) {
	every(t, wire.KeyIncrementalAlterConfigs, func(v int16) {
		b := newBench(t)
		b.configs.topics["t"] = map[string]string{"retention.ms": "5", "cleanup.policy": "delete"}
		b.configs.own = map[string]string{"background.threads": "11"}
		got := incrementally(b, v, false,
			resource(tTopic, "t", op("retention.ms", opDelete, nil), op("segment.bytes", opSet, new("1048576")), op("cleanup.policy", opAppend, new("compact"))),
			resource(tBroker, "1", op("log.cleaner.threads", opSet, new("2"))),
			resource(tBroker, "", op("message.max.bytes", opSet, new("2000"))),
			resource(tLogger, "1", op("keeper", opSet, new("TRACE"))))
		same(t, v, "verdicts", got, []verdict{fine, fine, fine, fine})
		same(t, v, "topic", b.configs.topics["t"], map[string]string{"segment.bytes": "1048576", "cleanup.policy": "delete,compact"})
		same(t, v, "broker", b.configs.own, map[string]string{"background.threads": "11", "log.cleaner.threads": "2"})
		same(t, v, "all brokers", b.configs.all, map[string]string{"message.max.bytes": "2000"})
		same(t, v, "logger", b.levels["keeper"], "TRACE")

		// A second change builds on the first, whatever Settings knows by then.
		same(t, v, "again", incrementally(b, v, false, resource(tTopic, "t", op("cleanup.policy", opSubtract, new("delete")))), []verdict{fine})
		same(t, v, "topic", b.configs.topics["t"], map[string]string{"segment.bytes": "1048576", "cleanup.policy": "compact"})
		same(t, v, "reset", incrementally(b, v, false, resource(tLogger, "1", op("keeper", opDelete, nil))), []verdict{fine})
		same(t, v, "logger", b.levels["keeper"], "INFO")
	})
}

func TestValidateOnlyWritesNothing(t *testing.T) {
	b := newBench(t)
	levels := maps.Clone(b.levels)
	got := incrementally(b, 1, true,
		resource(tTopic, "t", op("retention.ms", opSet, new("1"))), resource(tBroker, "", op("message.max.bytes", opSet, new("2000"))),
		resource(tBroker, "1", op("background.threads", opSet, new("1000"))), resource(tLogger, "1", op("keeper", opSet, new("TRACE"))))
	same(t, 1, "verdicts", got, []verdict{fine, fine, {wire.CodeInvalidRequest,
		"Invalid dynamic configuration: Dynamic thread count update validation failed for background.threads=1000, value should not be greater than double the current value 10"}, fine})
	same(t, 1, "writes", b.configs.writes, 0)
	same(t, 1, "levels", b.levels, fakeLevels(levels))
	same(t, 2, "older", replace(b, 2, true, whole(tTopic, "t", "retention.ms", "1")), []verdict{fine})
	same(t, 2, "writes", b.configs.writes, 0)
}

// TestIncrementalAlterConfigsRefuses has the texts of Kafka's broker.
func TestIncrementalAlterConfigsRefuses(t *testing.T) {
	b := newBench(t)
	f := func(code wire.Code, text string, r wire.IncrementalAlterConfigsRequestAlterConfigsResource) {
		t.Helper()
		same(t, 1, r.ResourceName, incrementally(b, 1, false, r), []verdict{{code, text}})
	}
	const badRequest, badConfig = wire.CodeInvalidRequest, wire.CodeInvalidConfig
	set := op("retention.ms", opSet, new("1"))
	f(badRequest, "Default topic resources are not allowed.", resource(tTopic, "", set))
	f(wire.CodeUnknownTopicOrPartition, "The topic 'gone' does not exist.", resource(tTopic, "gone", set))
	f(badConfig, "Unknown topic config name: retention", resource(tTopic, "t", op("retention", opSet, new("1"))))
	f(badConfig, "Invalid config value for resource ConfigResource(type=TOPIC, name='t'): Invalid value abc for configuration retention.ms: Not a number of type LONG",
		resource(tTopic, "t", op("retention.ms", opSet, new("abc"))))
	f(badConfig, "Config value append is not allowed for config key: retention.ms", resource(tTopic, "t", op("retention.ms", opAppend, new("1"))))
	f(badRequest, "Error due to duplicate config keys", resource(tTopic, "t", set, set))
	f(badRequest, "Null value not supported for : retention.ms, a", resource(tTopic, "t", op("retention.ms", opSet, nil), op("a", opAppend, nil), op("b", opDelete, nil)))
	f(badRequest, "Unknown operations type 9", resource(tTopic, "t", op("retention.ms", 9, new("1"))))

	f(badRequest, "Node id must be an integer, but it is: one", resource(tBroker, "one", set))
	f(badRequest, "Unexpected broker id, expected 1, but received 2", resource(tBroker, "2", set))
	f(badRequest, "Cannot update these configs dynamically: Set(broker.id)", resource(tBroker, "1", op("broker.id", opSet, new("4"))))
	f(badConfig, "Config value subtract is not allowed for config key: message.max.bytes", resource(tBroker, "", op("message.max.bytes", opSubtract, new("4"))))

	level := op("keeper", opSet, new("INFO"))
	f(badRequest, "Node id must be an integer, but it is: ", resource(tLogger, "", level))
	f(badRequest, "Unexpected node id. Expected 1, but received 2", resource(tLogger, "2", level))
	f(badConfig, "Logger kafka does not exist!", resource(tLogger, "1", op("kafka", opSet, new("INFO"))))
	f(badConfig, "Cannot set the log level of keeper to info as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
		resource(tLogger, "1", op("keeper", opSet, new("info"))))
	f(badRequest, "Removing the log level of the root logger is not allowed", resource(tLogger, "1", op("root", opDelete, nil)))
	f(badRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource", resource(tLogger, "1", op("keeper", opAppend, new("INFO"))))
	f(badRequest, "SUBTRACT operation is not allowed for the BROKER_LOGGER resource", resource(tLogger, "1", op("keeper", opSubtract, new("INFO"))))
	// One bad level leaves all as they are.
	f(badConfig, "Logger kafka does not exist!", resource(tLogger, "1", op("keeper", opSet, new("FATAL")), op("kafka", opSet, new("INFO"))))
	same(t, 1, "level", b.levels["keeper"], "WARN")

	f(badRequest, "AlterConfigs is only supported for topics and brokers, but resource type is CLIENT_METRICS", resource(tMetrics, "s"))
	f(badRequest, "Unknown resource type 3", resource(3, "x"))
	same(t, 1, "writes", b.configs.writes, 0)

	// Resources fail one by one, and those named twice all do.
	twice := verdict{badRequest, "Each resource must appear at most once."}
	got := incrementally(b, 1, false, resource(tTopic, "t", set), resource(tBroker, "2"), resource(tTopic, "t", set), resource(tLogger, "1", level))
	same(t, 1, "several", got, []verdict{twice, {badRequest, "Unexpected broker id, expected 1, but received 2"}, twice, fine})

	b.configs.readFailure = errors.New("connection loss at 10.0.0.1")
	f(wire.CodeUnknownServerError, "", resource(tTopic, "t", set))
	f(wire.CodeUnknownServerError, "", resource(tBroker, "", op("message.max.bytes", opSet, new("4"))))
	b.configs.readFailure = wire.CodeRequestTimedOut
	f(wire.CodeRequestTimedOut, "", resource(tTopic, "t", set))
}

func whole(kind int8, name string, pairs ...string) wire.AlterConfigsRequestResource {
	r := wire.AlterConfigsRequestResource{ResourceType: kind, ResourceName: name}
	for i := 0; i < len(pairs); i += 2 {
		r.Configs = append(r.Configs, wire.AlterConfigsRequestAlterableConfig{Name: pairs[i], Value: &pairs[i+1]})
	}
	return r
}

func replace(b *bench, v int16, validateOnly bool, resources ...wire.AlterConfigsRequestResource) []verdict {
	b.t.Helper()
	req := wire.NewAlterConfigsRequest()
	req.Resources, req.ValidateOnly = resources, validateOnly
	var out []verdict
	for i, r := range ask[*wire.AlterConfigsResponse](b, v, req).Responses {
		if r.ResourceName != resources[i].ResourceName || r.ResourceType != resources[i].ResourceType {
			b.t.Errorf("answer %d is for %d %q", i, r.ResourceType, r.ResourceName)
		}
		out = append(out, verdict{r.ErrorCode, orEmpty(r.ErrorMessage)})
	}
	return out
}

func TestAlterConfigs(t *testing.T) {
	every(t, wire.KeyAlterConfigs, func(v int16) {
		b := newBench(t)
		b.configs.topics["t"] = map[string]string{"retention.ms": "5"}
		b.configs.own = map[string]string{"background.threads": "11"}
		got := replace(b, v, false, whole(tTopic, "t", "segment.bytes", "1048576"), whole(tBroker, "1", "log.cleaner.threads", "2"),
			whole(tBroker, "", "message.max.bytes", "2000"), whole(tLogger, "1", "keeper", "INFO"), whole(tMetrics, "s"), whole(tTopic, "gone"))
		same(t, v, "verdicts", got, []verdict{fine, fine, fine,
			{wire.CodeInvalidRequest, "Unknown resource type 8"},
			{wire.CodeInvalidRequest, "AlterConfigs is only supported for topics and brokers, but resource type is CLIENT_METRICS"},
			{wire.CodeUnknownTopicOrPartition, "The topic 'gone' does not exist."}})
		same(t, v, "topic", b.configs.topics["t"], map[string]string{"segment.bytes": "1048576"})
		same(t, v, "broker", b.configs.own, map[string]string{"log.cleaner.threads": "2"})
		same(t, v, "all brokers", b.configs.all, map[string]string{"message.max.bytes": "2000"})
		same(t, v, "emptied", replace(b, v, false, whole(tTopic, "t")), []verdict{fine})
		same(t, v, "topic", b.configs.topics["t"], map[string]string{})
		null := whole(tTopic, "t", "segment.bytes", "")
		null.Configs[0].Value = nil
		same(t, v, "null", replace(b, v, false, null), []verdict{{wire.CodeInvalidRequest, "Null value not supported for : segment.bytes"}})
	})
}
