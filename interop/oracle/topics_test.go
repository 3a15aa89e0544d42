//go:build interop

package oracle

import (
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

type (
	creatable = wire.CreateTopicsRequestCreatableTopic
	assigned  = wire.CreateTopicsRequestCreatableReplicaAssignment
	setting   = wire.CreateTopicsRequestCreatableTopicConfig
)

func create(topics ...creatable) *wire.CreateTopicsRequest {
	req := wire.NewCreateTopicsRequest()
	req.TimeoutMs = 15_000
	req.Topics = topics
	return req
}

func topicScripts() []script {
	out := each("create", wire.KeyCreateTopics, createTopics)
	out = append(out, each("create-configs", wire.KeyCreateTopics, createWithConfigs)...)
	out = append(out, each("create-assigned", wire.KeyCreateTopics, createAssigned)...)
	out = append(out, each("delete", wire.KeyDeleteTopics, deleteTopics)...)
	return append(out, each("grow", wire.KeyCreatePartitions, createPartitions)...)
}

func createTopics(s *side, v int16) {
	one := func(name string, partitions int32, replicas int16) {
		s.call(create(creatable{Name: name, NumPartitions: partitions, ReplicationFactor: replicas}), v)
	}
	one(s.name("plain"), 3, 1)
	s.leaders(s.name("plain"), 3)
	one(s.name("plain"), 3, 1)
	one(s.name("defaults"), -1, -1)
	one(s.name("default-partitions"), -1, 1)
	for _, n := range []int32{0, -2} {
		one(s.name("x"), n, 1)
	}
	for _, n := range []int16{0, 2, 300, -2} {
		one(s.name("x"), 1, n)
	}
	for _, name := range []string{"", ".", "..", "a b", "ä", "a/b", "a\n", strings.Repeat("n", 250), strings.Repeat("n", 249) + "x"} {
		one(name, 1, 1)
	}
	one(s.name("with_underscore"), 1, 1)
	one(s.name("with.underscore"), 1, 1)
	s.call(create(creatable{Name: s.name("twice"), NumPartitions: 1, ReplicationFactor: 1}, creatable{Name: s.name("twice"), NumPartitions: 2, ReplicationFactor: 1},
		creatable{Name: s.name("beside"), NumPartitions: 1, ReplicationFactor: 1}), v)
	s.call(create(creatable{Name: s.name("good"), NumPartitions: 1, ReplicationFactor: 1}, creatable{Name: "bad name", NumPartitions: 1, ReplicationFactor: 1},
		creatable{Name: s.name("plain"), NumPartitions: 1, ReplicationFactor: 1}), v)
	s.call(create([]creatable{}...), v)
	if v >= 1 {
		req := create(creatable{Name: s.name("only-asked"), NumPartitions: 2, ReplicationFactor: 1}, creatable{Name: s.name("plain"), NumPartitions: 2, ReplicationFactor: 1})
		req.ValidateOnly = true
		s.call(req, v)
		s.note("created all the same?", s.metadata(s.name("only-asked")).ErrorCode.Name())
	}
}

func createWithConfigs(s *side, v int16) {
	with := func(name string, configs ...setting) {
		s.call(create(creatable{Name: s.name(name), NumPartitions: 1, ReplicationFactor: 1, Configs: configs}), v)
	}
	set := func(name, value string) setting { return setting{Name: name, Value: &value} }
	with("good", set("cleanup.policy", "compact,delete"), set("retention.ms", "1000"), set("compression.type", "zstd"))
	with("unknown", set("no.such.config", "1"))
	with("bad-number", set("retention.ms", "soon"))
	with("bad-range", set("segment.bytes", "1"))
	with("bad-enum", set("cleanup.policy", "burn"))
	with("bad-enum2", set("compression.type", "rar"))
	with("bad-bool", set("preallocate", "maybe"))
	with("null", setting{Name: "retention.ms"})
	with("empty-name", set("", "1"))
	with("empty-value", set("retention.ms", ""))
	with("twice", set("retention.ms", "1"), set("retention.ms", "2"))
	with("isr", set("min.insync.replicas", "0"))
	with("throttled", set("leader.replication.throttled.replicas", "0:0,1"))
	with("bounds", set("min.compaction.lag.ms", "100"), set("max.compaction.lag.ms", "10"))
	with("format", set("message.format.version", "0.10.0"))
	with("remote", set("remote.storage.enable", "true"))
	with("spaces", set("retention.ms", " 12 "), set("cleanup.policy", " compact , delete "))
	for _, name := range []string{"good", "twice", "empty-value", "format", "throttled", "spaces"} {
		s.call(describeTopicConfigs(s.name(name)), 1)
	}
}

func createAssigned(s *side, v int16) {
	with := func(name string, partitions int32, replicas int16, as ...assigned) {
		req := create(creatable{Name: s.name(name), NumPartitions: partitions, ReplicationFactor: replicas, Assignments: as})
		req.TimeoutMs = 1000 // one that never gets a leader is among them
		s.call(req, v)
	}
	on := func(partition int32, brokers ...int32) assigned {
		return assigned{PartitionIndex: partition, BrokerIDs: brokers}
	}
	with("good", -1, -1, on(0, 0), on(1, 0))
	with("counted-too", 1, 1, on(0, 0))
	with("counted-wrong", 5, -1, on(0, 0))
	with("gap", -1, -1, on(0, 0), on(2, 0))
	with("from-one", -1, -1, on(1, 0))
	with("twice", -1, -1, on(0, 0), on(0, 0))
	with("same-replica", -1, -1, on(0, 0, 0))
	with("unknown-broker", -1, -1, on(0, 9))
	with("uneven", -1, -1, on(0, 0), on(1, 0, 9))
	with("negative", -1, -1, on(-1, 0))
}

func deleteTopics(s *side, v int16) {
	a, b, c := s.topic("a", 1), s.topic("b", 1), s.topic("c", 2)
	drop := func(names ...string) {
		req := wire.NewDeleteTopicsRequest()
		req.TimeoutMs = 15_000
		for _, n := range names {
			if v >= 6 {
				req.Topics = append(req.Topics, wire.DeleteTopicsRequestDeleteTopicState{Name: &n})
			} else {
				req.TopicNames = append(req.TopicNames, n)
			}
		}
		s.call(req, v)
	}
	gone := func(topic string) {
		s.eventually(func() error {
			if c := s.metadata(topic).ErrorCode; c != wire.CodeUnknownTopicOrPartition {
				return c
			}
			return nil
		})
	}
	drop()
	drop(s.name("missing"))
	drop("bad name")
	drop(a)
	gone(a)
	drop(a)
	drop(b, b, s.name("missing"))
	drop(b)
	s.note("again", s.topic("a", 2))
	if v < 6 {
		return
	}
	id := s.id(c)
	byID := func(states ...wire.DeleteTopicsRequestDeleteTopicState) {
		req := wire.NewDeleteTopicsRequest()
		req.TimeoutMs = 15_000
		req.Topics = states
		s.call(req, v)
	}
	byID(wire.DeleteTopicsRequestDeleteTopicState{TopicID: wire.UUID{4, 4}})
	byID(wire.DeleteTopicsRequestDeleteTopicState{})
	byID(wire.DeleteTopicsRequestDeleteTopicState{Name: &c, TopicID: id})
	byID(wire.DeleteTopicsRequestDeleteTopicState{Name: &c}, wire.DeleteTopicsRequestDeleteTopicState{TopicID: id})
	byID(wire.DeleteTopicsRequestDeleteTopicState{TopicID: id}, wire.DeleteTopicsRequestDeleteTopicState{TopicID: id})
	byID(wire.DeleteTopicsRequestDeleteTopicState{TopicID: id})
	gone(c)
	byID(wire.DeleteTopicsRequestDeleteTopicState{TopicID: id})
}

func createPartitions(s *side, v int16) {
	topic := s.topic("a", 2)
	type grown = wire.CreatePartitionsRequestTopic
	grow := func(only bool, ts ...grown) {
		s.call(&wire.CreatePartitionsRequest{Topics: ts, TimeoutMs: 15_000, ValidateOnly: only}, v)
	}
	to := func(brokers ...int32) wire.CreatePartitionsRequestAssignment {
		return wire.CreatePartitionsRequestAssignment{BrokerIDs: brokers}
	}
	grow(true, grown{Name: topic, Count: 3})
	grow(false, grown{Name: topic, Count: 2})
	grow(false, grown{Name: topic, Count: 1})
	grow(false, grown{Name: topic, Count: 0})
	grow(false, grown{Name: topic, Count: -1})
	grow(false, grown{Name: topic, Count: 3})
	s.leaders(topic, 3)
	grow(false, grown{Name: topic, Count: 5, Assignments: []wire.CreatePartitionsRequestAssignment{to(0), to(0)}})
	s.leaders(topic, 5)
	grow(false, grown{Name: topic, Count: 7, Assignments: []wire.CreatePartitionsRequestAssignment{to(0)}})
	grow(false, grown{Name: topic, Count: 6, Assignments: []wire.CreatePartitionsRequestAssignment{to(9)}})
	grow(false, grown{Name: topic, Count: 6, Assignments: []wire.CreatePartitionsRequestAssignment{to(0, 0)}})
	grow(false, grown{Name: topic, Count: 6, Assignments: []wire.CreatePartitionsRequestAssignment{to()}})
	grow(false, grown{Name: topic, Count: 6, Assignments: []wire.CreatePartitionsRequestAssignment{}})
	grow(false, grown{Name: s.name("missing"), Count: 6})
	grow(false, grown{Name: "bad name", Count: 6})
	grow(false, grown{Name: topic, Count: 8}, grown{Name: topic, Count: 9})
	grow(false, []grown{}...)
	s.note("partitions", s.flatten(&wire.MetadataResponse{Topics: []wire.MetadataResponseTopic{s.metadata(topic)}})...)
}
