//go:build interop

package oracle

import (
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func reassignments(topic string, partition int32, replicas []int32) *wire.AlterPartitionReassignmentsRequest {
	req := wire.NewAlterPartitionReassignmentsRequest()
	req.TimeoutMs = 10_000
	req.Topics = []wire.AlterPartitionReassignmentsRequestReassignableTopic{{Name: topic,
		Partitions: []wire.AlterPartitionReassignmentsRequestReassignablePartition{{PartitionIndex: partition, Replicas: replicas}}}}
	return req
}

func elections(kind int8, topic string, partitions ...int32) *wire.ElectLeadersRequest {
	req := wire.NewElectLeadersRequest()
	req.ElectionType, req.TimeoutMs = kind, 10_000
	req.TopicPartitions = []wire.ElectLeadersRequestTopicPartitions{{Topic: topic, Partitions: partitions}}
	return req
}

// moved waits until a partition has these replicas everywhere, in this leader
// epoch: each step of a move raises it, and the last one changes nothing else.
func (s *side) moved(topic string, partition, leaderEpoch int32, want ...int32) {
	for i := range s.all {
		s.to(i)
		s.eventually(func() error {
			got := s.partition(topic, partition)
			if !slices.Equal(got.ReplicaNodes, want) || got.LeaderEpoch != leaderEpoch {
				return fmt.Errorf("%s-%d at broker %d: replicas %v, epoch %d, want %v, %d", topic, partition, i, got.ReplicaNodes, got.LeaderEpoch, want, leaderEpoch)
			}
			return nil
		})
	}
	s.to(0)
}

func reassignScripts() []script {
	out := each("refused", wire.KeyAlterPartitionReassignments, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{0, 1}, {1, 2}})
		for _, replicas := range [][]int32{{}, {0, 0}, {0, -1}, {-2}, {0, 9}, {9}, {0, 1}, nil} {
			s.call(reassignments(topic, 0, replicas), v)
		}
		s.call(reassignments(topic, 7, []int32{0}), v)
		s.call(reassignments(topic, 7, nil), v)
		s.call(reassignments(s.name("missing"), 0, []int32{0}), v)
		s.call(reassignments(s.name("missing"), 0, nil), v)
		s.call(reassignments("bad name", 0, []int32{0}), v)
		none := reassignments(topic, 0, nil)
		none.Topics = []wire.AlterPartitionReassignmentsRequestReassignableTopic{}
		s.call(none, v)
		twice := reassignments(topic, 0, []int32{0, 9})
		twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, reassignments(topic, 1, []int32{2, 2}).Topics[0].Partitions...)
		s.call(twice, v)
		s.call(s.listOngoing(topic, 0, 1, 7), 0)
	})
	return append(out, each("moves", wire.KeyListPartitionReassignments, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{0, 1}, {1, 2}})
		s.putAll(topic, 0, 0, batch(record.Spec{}, "a", "1"))
		move := func(leaderEpoch int32, to ...int32) {
			s.to(0)
			s.call(reassignments(topic, 0, to), 0)
			s.moved(topic, 0, leaderEpoch, to...)
			s.everywhere(func() { s.callKeeping(about(topic), 12, sortISR) })
		}
		move(3, 1, 2)
		move(5, 2, 0, 1)
		move(8, 1)
		move(10, 0, 1)
		move(11, 1, 0)
		s.call(s.listOngoing(topic, 0, 1), v)
		s.call(s.listOngoing(s.name("missing"), 0), v)
		s.call(s.listOngoing(topic, 9), v)
		empty := wire.NewListPartitionReassignmentsRequest()
		empty.Topics = []wire.ListPartitionReassignmentsRequestTopics{}
		s.call(empty, v)
		s.to(int(s.partition(topic, 0).LeaderID))
		s.call(s.fetch(12, topic, 0, 0), 12)
	})...)
}

// sortISR takes the order out of in-sync replicas: it is that of their return.
func sortISR(m wire.Body) {
	for _, t := range m.(*wire.MetadataResponse).Topics {
		for _, p := range t.Partitions {
			slices.Sort(p.IsrNodes)
		}
	}
}

func (s *side) listOngoing(topic string, partitions ...int32) *wire.ListPartitionReassignmentsRequest {
	req := wire.NewListPartitionReassignmentsRequest()
	req.TimeoutMs = 10_000
	req.Topics = []wire.ListPartitionReassignmentsRequestTopics{{Name: topic, PartitionIndexes: partitions}}
	return req
}

func electScripts() []script {
	return each("leaders", wire.KeyElectLeaders, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{0, 1}, {1, 2}, {2, 0}})
		kinds := []int8{0}
		if v >= 1 {
			kinds = []int8{0, 1}
		}
		for _, kind := range kinds {
			s.call(elections(kind, topic, 0, 1, 2), v)
			s.call(elections(kind, topic, 7), v)
			s.call(elections(kind, s.name("missing"), 0), v)
			s.call(elections(kind, topic), v)
			s.call(elections(kind, "bad name", 0), v)
			s.call(elections(kind, topic, 0, 0), v)
		}
		if v >= 1 {
			s.call(elections(5, topic, 0), v)
		}
		s.call(reassignments(topic, 0, []int32{1, 0}), 0)
		s.moved(topic, 0, 1, 1, 0)
		s.call(elections(0, topic, 0, 1, 7), v)
		s.everywhere(func() {
			s.eventually(func() error {
				if p := s.partition(topic, 0); p.LeaderID != 1 {
					return fmt.Errorf("leader %d", p.LeaderID)
				}
				return nil
			})
			s.call(about(topic), 12)
		})
		s.call(elections(0, topic, 0), v)
	})
}

// alterPartitionScripts speak as a leader to the controller.
func alterPartitionScripts() []script {
	out := between("recovery-state", 1, 2, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{1, 2}})
		t := wire.AlterPartitionRequestTopicData{Partitions: []wire.AlterPartitionRequestPartitionData{{NewIsr: []int32{1, 2}, LeaderRecoveryState: 5}}}
		if v >= 2 {
			t.TopicID = s.id(topic)
		} else {
			t.TopicName = topic
		}
		s.call(&wire.AlterPartitionRequest{BrokerID: 1, BrokerEpoch: s.epochs.brokers[1], Topics: []wire.AlterPartitionRequestTopicData{t}}, v)
	})
	return append(out, each("isr", wire.KeyAlterPartition, func(s *side, v int16) {
		topic := s.replicated("a", [][]int32{{1, 2, 0}, {2, 1, 0}, {1, 0, 2}})
		id := s.id(topic)
		ask := func(change func(*wire.AlterPartitionRequest), ps ...wire.AlterPartitionRequestPartitionData) {
			req := &wire.AlterPartitionRequest{BrokerID: 1, BrokerEpoch: s.epochs.brokers[1]}
			t := wire.AlterPartitionRequestTopicData{Partitions: ps}
			if v >= 2 {
				t.TopicID = id
			} else {
				t.TopicName = topic
			}
			req.Topics = []wire.AlterPartitionRequestTopicData{t}
			if change != nil {
				change(req)
			}
			s.call(req, v)
		}
		isr := func(partition, leaderEpoch, partitionEpoch int32, ids ...int32) wire.AlterPartitionRequestPartitionData {
			p := wire.AlterPartitionRequestPartitionData{PartitionIndex: partition, LeaderEpoch: leaderEpoch, PartitionEpoch: partitionEpoch}
			if v < 3 {
				p.NewIsr = ids
				return p
			}
			for _, id := range ids {
				p.NewIsrWithEpochs = append(p.NewIsrWithEpochs, wire.AlterPartitionRequestBrokerState{BrokerID: id, BrokerEpoch: -1})
			}
			return p
		}
		ask(func(r *wire.AlterPartitionRequest) { r.BrokerEpoch-- }, isr(0, 0, 0, 1))
		ask(func(r *wire.AlterPartitionRequest) { r.BrokerEpoch++ }, isr(0, 0, 0, 1))
		ask(func(r *wire.AlterPartitionRequest) { r.BrokerID, r.BrokerEpoch = 9, -1 }, isr(0, 0, 0, 1))
		ask(nil, isr(0, 0, 0, 1, 2, 0)) // as it is
		ask(nil, isr(0, 1, 0, 1))       // the controller is behind
		ask(nil, isr(0, 0, 1, 1))
		ask(nil, isr(9, 0, 0, 1))
		ask(func(r *wire.AlterPartitionRequest) {
			r.Topics[0].TopicName, r.Topics[0].TopicID = "", wire.UUID{}
			if v >= 2 {
				r.Topics[0].TopicID = wire.UUID{7}
			} else {
				r.Topics[0].TopicName = s.name("missing")
			}
		}, isr(0, 0, 0, 1))
		ask(nil, isr(2, 0, 0, 1, 9)) // nobody has seen 9
		ask(nil, isr(2, 0, 0, 1, 0), isr(0, 0, 0, 1), isr(1, 0, 0, 2, 1, 0))
		ask(nil, isr(2, 0, 0, 1, 0)) // as it is by now
		ask(nil, isr(2, 0, 0, 1))    // of before
		ask(nil, isr(2, 0, 1, 1))
		s.eventually(func() error {
			if got := s.partition(topic, 2).IsrNodes; len(got) != 1 {
				return fmt.Errorf("in sync %v", got)
			}
			return nil
		})
		s.call(about(topic), 12)
		if v >= 1 {
			recovering := isr(2, 0, 2, 1)
			recovering.LeaderRecoveryState = 1
			ask(nil, recovering)
			recovering = isr(2, 0, 2, 1, 0)
			recovering.LeaderRecoveryState = 1
			ask(nil, recovering)
		}
		ask(func(r *wire.AlterPartitionRequest) { r.Topics = []wire.AlterPartitionRequestTopicData{} })
	})...)
}
