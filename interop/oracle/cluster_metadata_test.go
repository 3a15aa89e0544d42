//go:build interop

package oracle

import (
	"fmt"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// everywhere runs a part of a script against each broker.
func (s *side) everywhere(ask func()) {
	for i := range s.all {
		s.to(i)
		s.note(fmt.Sprintf("now broker %d", i))
		ask()
	}
	s.to(0)
}

func clusterMetadataScripts() []script {
	out := each("topics", wire.KeyMetadata, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}})
		single := s.replicated("b", [][]int32{{2}, {0}})
		s.everywhere(func() {
			req := about(topic, single)
			s.call(req, v)
			if v >= 8 {
				req.IncludeTopicAuthorizedOperations = true
				req.IncludeClusterAuthorizedOperations = v <= 10
				s.call(req, v)
			}
			s.call(about(s.name("missing")), v)
			if v >= 10 {
				req = wire.NewMetadataRequest()
				req.Topics = []wire.MetadataRequestTopic{{TopicID: s.id(topic)}, {TopicID: wire.UUID{1, 2, 3}}}
				s.call(req, v)
			}
		})
	})
	out = append(out, each("describe-cluster", wire.KeyDescribeCluster, func(s *side, v int16) {
		s.everywhere(func() { s.call(wire.NewDescribeClusterRequest(), v) })
	})...)
	out = append(out, each("log-dirs", wire.KeyDescribeLogDirs, func(s *side, v int16) {
		topic := s.placed([][]int32{{0, 1}, {1, 2}}, 0)
		s.putAll(topic, 1, 1, batch(record.Spec{}, "k", "v"))
		s.watermark(topic, 1, 2, 1)
		s.everywhere(func() { s.call(logDirsOf(topic, 0, 1), v) })
	})...)
	out = append(out, each("alter-log-dirs", wire.KeyAlterReplicaLogDirs, func(s *side, v int16) {
		for _, dir := range []string{"/none", "relative", ""} {
			s.call(alterLogDirs(dir, s.name("a"), 0), v)
		}
		s.call(alterLogDirs(s.broker.LogDirs[1], s.name("a"), 0), v)
		topic := s.placed([][]int32{{0, 1}, {1, 2}}, 1)
		s.putAll(topic, 0, 0, batch(record.Spec{}, "k", "v"))
		s.watermark(topic, 0, 1, 1)
		s.everywhere(func() {
			s.call(alterLogDirs("/none", topic, 0, 7), v)
			s.call(alterLogDirs(s.broker.LogDirs[0], topic, 0, 1, 7), v)
			s.inLogDir(topic, 0)
			s.call(alterLogDirs(s.broker.LogDirs[0], topic, 0, 1), v) // where they are
			s.call(logDirsOf(topic, 0, 1), 4)
		})
		s.call(s.fetch(12, topic, 0, 0), 12)
	})...)
	return append(out, each("broker-configs", wire.KeyDescribeConfigs, func(s *side, v int16) {
		s.everywhere(func() {
			for id := range 4 {
				req := wire.NewDescribeConfigsRequest()
				req.Resources = []wire.DescribeConfigsRequestResource{{ResourceType: 4, ResourceName: fmt.Sprint(id), ConfigurationKeys: []string{"broker.id", "broker.rack", "log.dirs"}}}
				s.call(req, v)
			}
		})
	})...)
}

// placed creates a topic whose replicas lie in a certain log directory of each
// broker: where one is wanted can be said before it is there.
func (s *side) placed(assignment [][]int32, dir int) string {
	s.everywhere(func() {
		var partitions []int32
		for p := range assignment {
			partitions = append(partitions, int32(p))
		}
		s.quiet(alterLogDirs(s.broker.LogDirs[dir], s.name("a"), partitions...), 2)
	})
	return s.replicated("a", assignment)
}

// inLogDir waits until all replicas of a topic on this broker lie in a directory.
func (s *side) inLogDir(topic string, dir int) {
	s.eventually(func() error {
		for _, d := range s.quiet(logDirsOf(topic, 0, 1), 4).(*wire.DescribeLogDirsResponse).Results {
			if d.LogDir != s.broker.LogDirs[dir] && len(d.Topics) > 0 {
				return fmt.Errorf("%s is in %s", topic, d.LogDir)
			}
		}
		return nil
	})
}

func alterLogDirs(dir, topic string, partitions ...int32) *wire.AlterReplicaLogDirsRequest {
	return &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestAlterReplicaLogDir{{Path: dir,
		Topics: []wire.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic{{Name: topic, Partitions: partitions}}}}}
}

func logDirsOf(topic string, partitions ...int32) *wire.DescribeLogDirsRequest {
	return &wire.DescribeLogDirsRequest{Topics: []wire.DescribeLogDirsRequestDescribableLogDirTopic{{Topic: topic, Partitions: partitions}}}
}

// controllerScripts ask brokers for what only the controller does.
func controllerScripts() []script {
	var out []script
	add := func(name string, key wire.Key, ask func(s *side, v int16)) {
		out = append(out, each(name, key, func(s *side, v int16) {
			for i := range s.all[1:] { // the others
				s.to(i + 1)
				ask(s, v)
			}
		})...)
	}
	add("not-create", wire.KeyCreateTopics, func(s *side, v int16) {
		s.call(create(creatable{Name: s.name("x"), NumPartitions: 1, ReplicationFactor: 1}, creatable{Name: "bad name", NumPartitions: 1, ReplicationFactor: 1}), v)
	})
	add("not-delete", wire.KeyDeleteTopics, func(s *side, v int16) {
		req := wire.NewDeleteTopicsRequest()
		req.TimeoutMs = 1000
		if v >= 6 {
			req.Topics = []wire.DeleteTopicsRequestDeleteTopicState{{Name: new(s.name("x"))}, {Name: new("__consumer_offsets")}}
		} else {
			req.TopicNames = []string{s.name("x"), "__consumer_offsets"}
		}
		s.call(req, v)
	})
	add("not-grow", wire.KeyCreatePartitions, func(s *side, v int16) {
		req := wire.NewCreatePartitionsRequest()
		req.TimeoutMs = 1000
		req.Topics = []wire.CreatePartitionsRequestTopic{{Name: s.name("x"), Count: 2}}
		s.call(req, v)
	})
	add("not-elect", wire.KeyElectLeaders, func(s *side, v int16) {
		all := elections(0, "")
		all.TopicPartitions = nil
		s.callKeeping(all, v, s.onlyMine)
	})
	add("not-reassign", wire.KeyAlterPartitionReassignments, func(s *side, v int16) {
		s.call(reassignments(s.name("x"), 0, []int32{0}), v)
	})
	add("not-list", wire.KeyListPartitionReassignments, func(s *side, v int16) {
		s.call(wire.NewListPartitionReassignmentsRequest(), v)
	})
	add("not-alter-partition", wire.KeyAlterPartition, func(s *side, v int16) {
		s.call(&wire.AlterPartitionRequest{BrokerID: 1, BrokerEpoch: s.epochs.brokers[1]}, v)
	})
	add("not-producer-ids", wire.KeyAllocateProducerIDs, func(s *side, v int16) {
		s.call(&wire.AllocateProducerIDsRequest{BrokerID: 1, BrokerEpoch: s.epochs.brokers[1]}, v)
	})
	add("not-shutdown", wire.KeyControlledShutdown, func(s *side, v int16) {
		s.call(&wire.ControlledShutdownRequest{BrokerID: 1, BrokerEpoch: -1}, v)
	})
	add("other-config", wire.KeyIncrementalAlterConfigs, func(s *side, v int16) {
		for id := range 3 {
			if int32(id) == s.broker.ID {
				continue
			}
			s.call(&wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestAlterConfigsResource{{ResourceType: 4, ResourceName: fmt.Sprint(id),
				Configs: []wire.IncrementalAlterConfigsRequestAlterableConfig{{Name: "log.cleaner.threads", Value: new("2")}}}}}, v)
		}
	})
	out = append(out, each("not-elect-topic", wire.KeyElectLeaders, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{0, 1}, {1, 2}})
		s.to(1)
		s.call(elections(0, topic, 0, 7), v)
	})...)
	out = append(out, each("create", wire.KeyCreateTopics, createReplicated)...)
	out = append(out, each("grow", wire.KeyCreatePartitions, growReplicated)...)
	return append(out, script{name: "producer-ids", run: func(s *side) {
		for _, id := range []int32{0, 1, 9} {
			s.call(&wire.AllocateProducerIDsRequest{BrokerID: id, BrokerEpoch: 5}, 0)
			s.call(&wire.AllocateProducerIDsRequest{BrokerID: id, BrokerEpoch: -1}, 0)
		}
	}}, script{name: "shutdown-refused", run: func(s *side) {
		for v := range int16(4) {
			for _, id := range []int32{1, 9, -1} {
				if id == 1 && v < 2 {
					continue // there is no epoch that could be wrong
				}
				s.call(&wire.ControlledShutdownRequest{BrokerID: id, BrokerEpoch: 5}, v)
			}
			s.call(&wire.ControlledShutdownRequest{BrokerID: 9, BrokerEpoch: -1}, v)
		}
	}})
}

// createReplicated asks the controller for topics with several replicas.
func createReplicated(s *side, v int16) {
	s.call(create(creatable{Name: s.name("three"), NumPartitions: 2, ReplicationFactor: 3}), v)
	s.call(create(creatable{Name: s.name("four"), NumPartitions: 2, ReplicationFactor: 4}), v)
	assign := func(name string, replicas ...[]int32) {
		ct := creatable{Name: s.name(name), NumPartitions: -1, ReplicationFactor: -1}
		for p, r := range replicas {
			ct.Assignments = append(ct.Assignments, assigned{PartitionIndex: int32(p), BrokerIDs: r})
		}
		s.call(create(ct), v)
	}
	assign("good", []int32{2, 0}, []int32{1, 2})
	assign("uneven", []int32{2, 0}, []int32{1})
	assign("twice", []int32{2, 2})
	assign("negative", []int32{0, -1})
	ct := creatable{Name: s.name("gap"), NumPartitions: -1, ReplicationFactor: -1,
		Assignments: []assigned{{PartitionIndex: 0, BrokerIDs: []int32{0}}, {PartitionIndex: 2, BrokerIDs: []int32{1}}}}
	s.call(create(ct), v)
	ct.Name, ct.Assignments = s.name("double"), []assigned{{PartitionIndex: 0, BrokerIDs: []int32{0}}, {PartitionIndex: 0, BrokerIDs: []int32{1}}}
	s.call(create(ct), v)
	ct.Name, ct.Assignments, ct.ReplicationFactor = s.name("both"), []assigned{{BrokerIDs: []int32{0}}}, 1
	s.call(create(ct), v)
	s.knownEverywhere(s.name("three"), 2)
	s.knownEverywhere(s.name("good"), 2)
	s.to(1)
	for _, name := range []string{"good", "uneven", "four", "both"} {
		s.call(about(s.name(name)), 12)
	}
}

// growReplicated asks the controller for more partitions on certain brokers.
func growReplicated(s *side, v int16) {
	topic := s.replicated("a", [][]int32{{0, 1}})
	ask := func(count int32, replicas ...[]int32) {
		t := wire.CreatePartitionsRequestTopic{Name: topic, Count: count, Assignments: []wire.CreatePartitionsRequestAssignment{}}
		for _, r := range replicas {
			t.Assignments = append(t.Assignments, wire.CreatePartitionsRequestAssignment{BrokerIDs: r})
		}
		req := wire.NewCreatePartitionsRequest()
		req.TimeoutMs = 10_000
		req.Topics = []wire.CreatePartitionsRequestTopic{t}
		s.call(req, v)
	}
	ask(2, []int32{0, 1, 2})
	ask(2, []int32{1})
	ask(2, []int32{1, 9})
	ask(2, []int32{1, 1})
	ask(2, []int32{})
	ask(2, []int32{1, 2}, []int32{2, 0})
	ask(4, []int32{1, 2})
	ask(3, []int32{1, 2}, []int32{2, 0})
	ask(1, []int32{1, 2})
	s.knownEverywhere(topic, 3)
	s.to(2)
	s.call(about(topic), 12)
}
