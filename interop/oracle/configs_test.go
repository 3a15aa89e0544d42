//go:build interop

package oracle

import (
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

// Types of config resources.
const (
	unknownResource int8 = 0
	topicResource   int8 = 2
	brokerResource  int8 = 4
	loggerResource  int8 = 8
	metricsResource int8 = 16
	groupResource   int8 = 32
)

type described = wire.DescribeConfigsRequestResource

func describeTopicConfigs(topic string) *wire.DescribeConfigsRequest {
	req := wire.NewDescribeConfigsRequest()
	req.Resources = []described{{ResourceType: topicResource, ResourceName: topic}}
	return req
}

func configScripts() []script {
	out := each("describe", wire.KeyDescribeConfigs, describeConfigs)
	out = append(out, each("alter", wire.KeyAlterConfigs, alterConfigs)...)
	out = append(out, each("increment", wire.KeyIncrementalAlterConfigs, incrementConfigs)...)
	return append(out, script{name: "alter-broker", run: alterBroker, alone: true})
}

func describeConfigs(s *side, v int16) {
	topic := s.topic("a", 1, "retention.ms", "86400000", "cleanup.policy", "compact")
	ask := func(rs ...described) {
		req := wire.NewDescribeConfigsRequest()
		req.Resources = rs
		s.callKeeping(req, v, comparable)
		if v >= 1 {
			req.IncludeSynonyms = true
		}
		if v >= 3 {
			req.IncludeDocumentation = true
		}
		if v >= 1 {
			s.callKeeping(req, v, comparable)
		}
	}
	ask(described{ResourceType: topicResource, ResourceName: topic})
	ask(described{ResourceType: topicResource, ResourceName: topic, ConfigurationKeys: []string{"retention.ms", "no.such", "cleanup.policy", "retention.ms"}})
	ask(described{ResourceType: topicResource, ResourceName: topic, ConfigurationKeys: []string{}})
	ask(described{ResourceType: topicResource, ResourceName: s.name("missing")})
	ask(described{ResourceType: topicResource, ResourceName: "bad name"})
	ask(described{ResourceType: topicResource, ResourceName: ""})
	ask(described{ResourceType: brokerResource, ResourceName: "0"})
	ask(described{ResourceType: brokerResource, ResourceName: ""})
	for _, name := range []string{"9", "x", "-1"} {
		ask(described{ResourceType: brokerResource, ResourceName: name})
		ask(described{ResourceType: loggerResource, ResourceName: name})
	}
	ask(described{ResourceType: loggerResource, ResourceName: "0"})
	ask(described{ResourceType: loggerResource, ResourceName: ""})
	for _, kind := range []int8{unknownResource, 1, 3, metricsResource, groupResource, 99, -1} {
		ask(described{ResourceType: kind, ResourceName: "a"})
	}
	ask(described{ResourceType: topicResource, ResourceName: topic, ConfigurationKeys: []string{"retention.ms"}},
		described{ResourceType: brokerResource, ResourceName: "0", ConfigurationKeys: []string{"broker.id"}},
		described{ResourceType: topicResource, ResourceName: topic, ConfigurationKeys: []string{"retention.ms"}})
	ask([]described{}...)
}

// comparable cuts off what the programs have of their own: loggers, gregor's
// settings, and the ensemble, which may be inside of gregor.
func comparable(m wire.Body) {
	for i, r := range m.(*wire.DescribeConfigsResponse).Results {
		r.Configs = slices.DeleteFunc(r.Configs, func(c wire.DescribeConfigsResponseResourceResult) bool {
			return r.ResourceType == loggerResource || strings.HasPrefix(c.Name, "gregor.") || c.Name == "zookeeper.connect"
		})
		m.(*wire.DescribeConfigsResponse).Results[i] = r
	}
}

func alterConfigs(s *side, v int16) {
	topic := s.topic("a", 1, "retention.ms", "86400000", "cleanup.policy", "compact")
	type config = wire.AlterConfigsRequestAlterableConfig
	set := func(name, value string) config { return config{Name: name, Value: &value} }
	alter := func(only bool, kind int8, name string, cs ...config) {
		s.call(&wire.AlterConfigsRequest{ValidateOnly: only, Resources: []wire.AlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: cs}}}, v)
	}
	show := func() { s.settled(topic) }
	alter(true, topicResource, topic, set("retention.ms", "5"))
	show()
	alter(false, topicResource, topic, set("retention.ms", "7000"), set("segment.ms", "8000"))
	show()
	alter(false, topicResource, topic)
	show()
	alter(false, topicResource, topic, set("no.such", "1"))
	alter(false, topicResource, topic, set("retention.ms", "x"))
	alter(false, topicResource, topic, config{Name: "retention.ms"})
	alter(false, topicResource, topic, set("", "x"))
	alter(false, topicResource, topic, set("retention.ms", "1"), set("retention.ms", "2"))
	alter(false, topicResource, s.name("missing"), set("retention.ms", "1"))
	alter(false, topicResource, "bad name", set("retention.ms", "1"))
	alter(false, topicResource, "", set("retention.ms", "1"))
	alter(true, brokerResource, "0", set("background.threads", "12"))
	alter(true, brokerResource, "0", set("broker.id", "12"))
	alter(true, brokerResource, "0", set("no.such", "12"))
	alter(true, brokerResource, "9", set("background.threads", "12"))
	alter(true, brokerResource, "x", set("background.threads", "12"))
	alter(true, loggerResource, "0", set("root", "INFO"))
	for _, kind := range []int8{unknownResource, 1, metricsResource, groupResource, 99} {
		alter(true, kind, "a", set("retention.ms", "1"))
	}
	alter(false, topicResource, "__consumer_offsets")
	show()
}

// settled shows the configuration of a topic that its writer has just changed.
func (s *side) settled(topic string) {
	req := describeTopicConfigs(topic)
	req.Resources[0].ConfigurationKeys = []string{"retention.ms", "segment.ms", "cleanup.policy", "compression.type", "min.insync.replicas",
		"leader.replication.throttled.replicas"}
	req.IncludeSynonyms = true
	s.call(req, 1)
}

func incrementConfigs(s *side, v int16) {
	topic := s.topic("a", 1, "retention.ms", "86400000", "cleanup.policy", "compact")
	type config = wire.IncrementalAlterConfigsRequestAlterableConfig
	const set, remove, add, subtract int8 = 0, 1, 2, 3
	op := func(op int8, name, value string) config {
		return config{Name: name, ConfigOperation: op, Value: &value}
	}
	alter := func(only bool, kind int8, name string, cs ...config) {
		s.call(&wire.IncrementalAlterConfigsRequest{ValidateOnly: only,
			Resources: []wire.IncrementalAlterConfigsRequestAlterConfigsResource{{ResourceType: kind, ResourceName: name, Configs: cs}}}, v)
	}
	change := func(cs ...config) {
		alter(false, topicResource, topic, cs...)
		s.settled(topic)
	}
	alter(true, topicResource, topic, op(set, "retention.ms", "5"))
	s.settled(topic)
	change(op(set, "retention.ms", "7000"), op(set, "segment.ms", "8000"))
	change(op(remove, "retention.ms", ""), config{Name: "segment.ms", ConfigOperation: remove})
	change(op(remove, "retention.ms", ""))
	change(op(add, "cleanup.policy", "delete"))
	change(op(add, "cleanup.policy", "delete"))
	change(op(subtract, "cleanup.policy", "compact"))
	change(op(subtract, "cleanup.policy", "delete"))
	change(op(add, "leader.replication.throttled.replicas", "0:0"))
	change(op(add, "leader.replication.throttled.replicas", "0:1,1:1"))
	change(op(subtract, "leader.replication.throttled.replicas", "0:0"))
	change(op(add, "retention.ms", "5"))
	change(op(subtract, "retention.ms", "5"))
	change(op(9, "retention.ms", "5"))
	change(op(-1, "retention.ms", "5"))
	change(op(set, "no.such", "1"))
	change(op(remove, "no.such", "1"))
	change(op(set, "retention.ms", "x"))
	change(config{Name: "retention.ms", ConfigOperation: set})
	change(op(set, "", "1"))
	change(op(set, "retention.ms", "1"), op(remove, "retention.ms", ""))
	change([]config{}...)
	change(op(set, "cleanup.policy", "burn"))
	change(op(set, "min.insync.replicas", "0"))
	change(op(set, "compression.type", strings.ToUpper("gzip")))
	alter(false, topicResource, s.name("missing"), op(set, "retention.ms", "1"))
	alter(false, topicResource, "bad name", op(set, "retention.ms", "1"))
	alter(true, brokerResource, "0", op(set, "broker.id", "1"))
	alter(true, brokerResource, "0", op(set, "listeners", "x"))
	alter(true, brokerResource, "0", op(set, "no.such", "1"))
	alter(true, brokerResource, "0", op(set, "background.threads", "x"))
	alter(true, brokerResource, "0", op(set, "background.threads", "100"))
	alter(true, brokerResource, "9", op(set, "background.threads", "10"))
	alter(true, brokerResource, "x", op(set, "background.threads", "10"))
	alter(true, brokerResource, "", op(set, "background.threads", "10"))
	alter(true, brokerResource, "", op(set, "broker.id", "10"))
	alter(true, loggerResource, "0", op(set, "no.such.logger", "INFO"))
	alter(true, loggerResource, "0", op(set, "root", "LOUD"))
	alter(true, loggerResource, "9", op(set, "root", "INFO"))
	for _, kind := range []int8{unknownResource, 1, metricsResource, groupResource, 99} {
		alter(true, kind, "a", op(set, "retention.ms", "1"))
	}
	s.call(&wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestAlterConfigsResource{
		{ResourceType: topicResource, ResourceName: topic, Configs: []config{op(set, "segment.ms", "1000")}},
		{ResourceType: topicResource, ResourceName: topic, Configs: []config{op(set, "retention.ms", "1000")}}}}, v)
	s.settled(topic)
}

// alterBroker changes what a broker may change while it runs, and takes it
// back.
func alterBroker(s *side) {
	type config = wire.IncrementalAlterConfigsRequestAlterableConfig
	ten, eleven := "11", "12"
	alter := func(name string, c config) {
		s.call(&wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestAlterConfigsResource{
			{ResourceType: brokerResource, ResourceName: name, Configs: []config{c}}}}, 1)
	}
	show := func(name, want string) {
		req := wire.NewDescribeConfigsRequest()
		req.Resources = []described{{ResourceType: brokerResource, ResourceName: name, ConfigurationKeys: []string{"background.threads"}}}
		req.IncludeSynonyms = true
		s.eventually(func() error { // the change travels through ZooKeeper
			cs := s.quiet(req, 2).(*wire.DescribeConfigsResponse).Results[0].Configs
			got := "nothing"
			if len(cs) == 1 {
				got = *cs[0].Value
			}
			if got != want {
				return errString("background.threads = " + got)
			}
			return nil
		})
		s.call(req, 2)
	}
	show("0", "10")
	alter("", config{Name: "background.threads", Value: &ten})
	show("0", "11")
	show("", "11")
	alter("0", config{Name: "background.threads", Value: &eleven})
	show("0", "12")
	alter("0", config{Name: "background.threads", ConfigOperation: 1})
	show("0", "11")
	alter("", config{Name: "background.threads", ConfigOperation: 1})
	show("0", "10")
	show("", "nothing")
}

type errString string

func (e errString) Error() string { return string(e) }
