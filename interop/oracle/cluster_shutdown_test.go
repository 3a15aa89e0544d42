//go:build interop

package oracle

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// announcedTopic is a topic that is there before broker 2 goes.
func announcedTopic(name string) string { return "cluster-shutdown-announced." + name }

// shutdownScripts announce the end of broker 2, which nobody uses afterwards.
func shutdownScripts() []script { return []script{{name: "announced", run: announceShutdown}} }

func announceShutdown(s *side) {
	led := s.replicated("led", [][]int32{{2, 1, 0}, {2, 0, 1}})
	followed := s.replicated("followed", [][]int32{{0, 2}, {1, 2}}, "min.insync.replicas", "2")
	s.putAll(followed, 0, 0, batch(record.Spec{}, "k", "v"))
	lone := s.replicated("lone", [][]int32{{2}, {2}, {2}})
	unclean := s.replicated("unclean", [][]int32{{2, 0}})
	s.replicated("deleted", [][]int32{{2, 0}, {1, 2}})
	s.to(0)
	// The leader is told nothing: it goes on with its follower in sync.
	shrink := &wire.AlterPartitionRequest{BrokerID: 2, BrokerEpoch: s.epochs.brokers[2], Topics: []wire.AlterPartitionRequestTopicData{{
		TopicID: s.id(unclean), Partitions: []wire.AlterPartitionRequestPartitionData{{NewIsr: []int32{2}}}}}}
	s.call(shrink, 2)
	announce := func(epoch int64, v int16) {
		s.callKeeping(&wire.ControlledShutdownRequest{BrokerID: 2, BrokerEpoch: epoch}, v, s.onlyMine)
	}
	announce(s.epochs.brokers[2], 3)
	for i := range 2 {
		s.to(i)
		for _, topic := range []string{led, followed} {
			s.withoutInSync(topic, 2)
		}
		s.call(about(led, followed, lone, unclean), 12)
	}
	s.to(0)
	announce(s.epochs.brokers[2], 3)
	announce(-1, 2)
}

// withoutInSync waits until a broker is in sync in no partition of a topic.
func (s *side) withoutInSync(topic string, broker int32) {
	s.eventually(func() error {
		for _, p := range s.metadata(topic).Partitions {
			if slices.Contains(p.IsrNodes, broker) {
				return fmt.Errorf("%s-%d still has %d in sync", topic, p.PartitionIndex, broker)
			}
		}
		return nil
	})
}

// bereaved are the families for the cluster without broker 2.
func bereaved() []family {
	return []family{
		{"cluster-gone", goneScripts()},
		{"cluster-gone-elect", goneElectScripts()},
		{"cluster-gone-stuck", []script{{name: "stuck", run: stuckReassignment}, {name: "deleted", run: deleteHalfGone}}},
		{"cluster-usurped", []script{{name: "controller", run: usurped}}},
	}
}

// goneScripts look at what broker 2 left behind.
func goneScripts() []script {
	out := each("metadata", wire.KeyMetadata, func(s *side, v int16) {
		s.everywhere(func() {
			s.bereft()
			s.call(about(announcedTopic("led"), announcedTopic("followed"), announcedTopic("lone"), announcedTopic("unclean")), v)
		})
	})
	out = append(out, each("describe-cluster", wire.KeyDescribeCluster, func(s *side, v int16) {
		s.bereft()
		s.call(wire.NewDescribeClusterRequest(), v)
	})...)
	out = append(out, each("produce", wire.KeyProduce, func(s *side, v int16) {
		s.bereft()
		for _, name := range []string{announcedTopic("lone"), announcedTopic("unclean"), announcedTopic("led")} {
			for _, acks := range []int16{1, -1} {
				s.call(produce(acks, name, 0, fitting(v, record.None, "k", "v")), v)
			}
		}
		s.call(produce(-1, announcedTopic("followed"), 0, fitting(v, record.None, "k", "v")), v)
	})...)
	out = append(out, each("create", wire.KeyCreateTopics, func(s *side, v int16) {
		s.bereft()
		s.call(create(creatable{Name: s.name("three"), NumPartitions: 1, ReplicationFactor: 3}), v)
		s.call(create(creatable{Name: s.name("two"), NumPartitions: 1, ReplicationFactor: 2}), v)
		ct := creatable{Name: s.name("offline"), NumPartitions: -1, ReplicationFactor: -1, Assignments: []assigned{{BrokerIDs: []int32{0, 2}}}}
		s.call(create(ct), v)
	})...)
	out = append(out, each("reassign", wire.KeyAlterPartitionReassignments, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{0, 1}})
		s.bereft()
		s.call(reassignments(topic, 0, []int32{0, 2}), v)
		s.call(reassignments(topic, 0, []int32{2}), v)
	})...)
	return append(out, each("elect-preferred", wire.KeyElectLeaders, func(s *side, v int16) {
		s.bereft()
		s.call(elections(0, announcedTopic("lone"), 0), v)
		s.call(elections(0, announcedTopic("led"), 0, 1), v)
		s.call(elections(0, announcedTopic("unclean"), 0), v)
	})...)
}

// bereft waits until a broker has noticed that one is gone, and what it led.
func (s *side) bereft() {
	s.eventually(func() error {
		r := s.quiet(about(announcedTopic("lone"), announcedTopic("unclean")), 12).(*wire.MetadataResponse)
		if len(r.Brokers) != 2 {
			return fmt.Errorf("%d brokers", len(r.Brokers))
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if p.LeaderID == 2 {
					return fmt.Errorf("%s-%d is still led by 2", *t.Name, p.PartitionIndex)
				}
			}
		}
		return nil
	})
}

// goneElectScripts elect leaders that may have lost records.
func goneElectScripts() []script {
	return []script{{name: "unclean", run: func(s *side) {
		s.call(elections(1, announcedTopic("lone"), 0, 7), 2)
		s.call(elections(1, announcedTopic("led"), 0, 1), 2)
		s.call(elections(1, announcedTopic("unclean"), 0), 2)
		s.everywhere(func() {
			s.leaders(announcedTopic("unclean"), 1)
			s.call(about(announcedTopic("unclean")), 12)
		})
		s.eventually(func() error {
			r := s.quiet(produce(-1, announcedTopic("unclean"), 0, batch(record.Spec{}, "k", "v")), 9).(*wire.ProduceResponse)
			if c := r.Responses[0].PartitionResponses[0].ErrorCode; c != wire.CodeNone {
				return c
			}
			return nil
		})
		s.call(s.fetch(12, announcedTopic("unclean"), 0, 0), 12)
		s.call(elections(1, announcedTopic("unclean"), 0), 2)
	}}}
}

// stuckReassignment moves a partition away from a leader that is gone, which
// does not end before it is taken back.
func stuckReassignment(s *side) {
	lone := announcedTopic("lone")
	look := func() {
		s.call(s.listOngoing(lone, 0, 1, 2), 0)
		s.call(about(lone), 12)
	}
	s.call(reassignments(lone, 0, []int32{0}), 0)
	s.call(reassignments(lone, 1, []int32{1, 0}), 0)
	s.moved(lone, 0, 2, 0, 2)
	s.moved(lone, 1, 2, 1, 0, 2)
	look()
	s.call(wire.NewListPartitionReassignmentsRequest(), 0)
	s.call(reassignments(lone, 1, []int32{1}), 0)
	s.moved(lone, 1, 3, 1, 2)
	look()
	grow := wire.NewCreatePartitionsRequest()
	grow.TimeoutMs = 10_000
	grow.Topics = []wire.CreatePartitionsRequestTopic{{Name: lone, Count: 4}}
	s.call(grow, 3)
	for p := range int32(2) {
		s.call(reassignments(lone, p, nil), 0)
		s.moved(lone, p, 2+p, 2)
	}
	s.call(reassignments(lone, 0, nil), 0)
	look()
}

// deleteHalfGone deletes a topic of which replicas are gone.
func deleteHalfGone(s *side) {
	topic := announcedTopic("deleted")
	req := wire.NewDeleteTopicsRequest()
	req.TimeoutMs = 10_000
	req.Topics = []wire.DeleteTopicsRequestDeleteTopicState{{Name: &topic}}
	s.call(req, 6)
	s.everywhere(func() {
		s.eventually(func() error {
			if s.metadata(topic).ErrorCode == wire.CodeNone {
				return errors.New("still there")
			}
			return nil
		})
		s.call(about(topic), 12)
	})
	s.call(create(creatable{Name: topic, NumPartitions: 1, ReplicationFactor: 1}), 7)
	grow := wire.NewCreatePartitionsRequest()
	grow.TimeoutMs = 10_000
	grow.Topics = []wire.CreatePartitionsRequestTopic{{Name: topic, Count: 4}}
	s.call(grow, 3)
	s.call(reassignments(topic, 0, []int32{0}), 0)
	s.call(elections(0, topic, 0), 2)
	s.call(req, 6)
}
