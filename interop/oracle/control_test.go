//go:build interop

package oracle

import (
	"net"
	"strconv"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// The scripts here speak as the controller to a broker, about topics that are
// in no znode: the real controller says nothing of those.

// ghost is a topic that only these scripts know.
type ghost struct {
	name string
	id   wire.UUID
}

func (s *side) ghost(name string) ghost {
	g := ghost{name: s.name(name)}
	copy(g.id[:], s.prefix[max(0, len(s.prefix)-12):])
	g.id[15] = byte(len(name))
	return g
}

type (
	leaderState = wire.LeaderAndIsrRequestPartitionState
	updateState = wire.UpdateMetadataRequestPartitionState
	stopState   = wire.StopReplicaRequestPartitionState
)

// leaderAndIsr is a request as the present controller sends it to a broker.
func (s *side) leaderAndIsr(v int16, to int, g ghost, states ...leaderState) *wire.LeaderAndIsrRequest {
	req := wire.NewLeaderAndIsrRequest()
	req.ControllerEpoch, req.BrokerEpoch = s.epochs.controller, s.epochs.brokers[to]
	for i := range states {
		states[i].ControllerEpoch = s.epochs.controller
		if v < 2 {
			states[i].TopicName = g.name
		}
	}
	if v < 2 {
		req.UngroupedPartitionStates = states
	} else {
		req.TopicStates = []wire.LeaderAndIsrRequestTopicState{{TopicName: g.name, TopicID: g.id, PartitionStates: states}}
	}
	for i, b := range s.all {
		host, port := s.hostPort(i)
		req.LiveLeaders = append(req.LiveLeaders, wire.LeaderAndIsrRequestLiveLeader{BrokerID: b.ID, HostName: host, Port: port})
	}
	return req
}

func (s *side) hostPort(broker int) (string, int32) {
	host, port, err := net.SplitHostPort(s.all[broker].Addr)
	s.must(err)
	n, err := strconv.ParseInt(port, 10, 32)
	s.must(err)
	return host, int32(n)
}

// updateMetadata is a request as the present controller sends it to a broker,
// with all brokers in it.
func (s *side) updateMetadata(v int16, to int, g ghost, states ...updateState) *wire.UpdateMetadataRequest {
	req := wire.NewUpdateMetadataRequest()
	req.ControllerEpoch, req.BrokerEpoch = s.epochs.controller, s.epochs.brokers[to]
	for i := range states {
		states[i].ControllerEpoch = s.epochs.controller
		if v < 5 {
			states[i].TopicName = g.name
		}
	}
	switch {
	case len(states) == 0:
	case v < 5:
		req.UngroupedPartitionStates = states
	default:
		req.TopicStates = []wire.UpdateMetadataRequestTopicState{{TopicName: g.name, TopicID: g.id, PartitionStates: states}}
	}
	for i, b := range s.all {
		host, port := s.hostPort(i)
		lb := wire.UpdateMetadataRequestBroker{ID: b.ID, Rack: new(b.Properties["broker.rack"])}
		if v == 0 {
			lb.V0Host, lb.V0Port = host, port
		} else {
			lb.Endpoints = []wire.UpdateMetadataRequestEndpoint{{Host: host, Port: port, Listener: "PLAINTEXT"}}
		}
		req.LiveBrokers = append(req.LiveBrokers, lb)
	}
	return req
}

func (s *side) stopReplica(v int16, to int, g ghost, remove bool, states ...stopState) *wire.StopReplicaRequest {
	req := wire.NewStopReplicaRequest()
	req.ControllerEpoch, req.BrokerEpoch = s.epochs.controller, s.epochs.brokers[to]
	var partitions []int32
	for i := range states {
		states[i].DeletePartition = remove
		partitions = append(partitions, states[i].PartitionIndex)
	}
	switch {
	case v >= 3:
		req.TopicStates = []wire.StopReplicaRequestTopicState{{TopicName: g.name, PartitionStates: states}}
	case v >= 1:
		req.DeletePartitions = remove
		req.Topics = []wire.StopReplicaRequestTopicV1{{Name: g.name, PartitionIndexes: partitions}}
	default:
		req.DeletePartitions = remove
		for _, p := range partitions {
			req.UngroupedPartitions = append(req.UngroupedPartitions, wire.StopReplicaRequestPartitionV0{TopicName: g.name, PartitionIndex: p})
		}
	}
	return req
}

func controlScripts() []script {
	out := each("leader-and-isr", wire.KeyLeaderAndIsr, leaderAndIsr)
	out = append(out, each("update-metadata", wire.KeyUpdateMetadata, updateMetadata)...)
	out = append(out, each("stop-replica", wire.KeyStopReplica, stopReplica)...)
	out = append(out, script{name: "takes-over", run: takesOver}, script{name: "leaderless", run: leaderless},
		script{name: "stopped-leader", run: stoppedLeader}, script{name: "uncommitted", run: uncommitted})
	for i := range out {
		out[i].alone = true
	}
	return out
}

// leaderAndIsr makes broker 1 leader and follower.
func leaderAndIsr(s *side, v int16) {
	s.to(1)
	g := s.ghost("ghost")
	led := leaderState{Leader: 1, Isr: []int32{1}, Replicas: []int32{1}, IsNew: true}
	at := func(epoch int32, change func(*leaderState)) *wire.LeaderAndIsrRequest {
		st := led
		st.LeaderEpoch = epoch
		if change != nil {
			change(&st)
		}
		return s.leaderAndIsr(v, 1, g, st)
	}
	old := at(0, nil)
	old.ControllerEpoch--
	s.call(old, v)
	if v >= 2 {
		old = at(0, nil)
		old.BrokerEpoch--
		s.call(old, v)
	}
	s.call(at(0, nil), v)
	s.call(at(0, nil), v)
	early := at(1, nil) // the controller knows of the registration first
	early.BrokerEpoch++
	s.call(early, v)
	whichever := at(2, nil)
	whichever.BrokerEpoch = -1
	s.call(whichever, v)
	s.call(at(1, nil), v)
	s.call(at(3, func(st *leaderState) { st.PartitionEpoch = 4; st.IsNew = false }), v)
	s.call(at(4, func(st *leaderState) { st.PartitionEpoch = 3 }), v)
	s.call(at(5, func(st *leaderState) { st.Replicas, st.Isr, st.Leader = []int32{2}, []int32{2}, 2 }), v)
	if v >= 5 {
		other := at(6, nil)
		other.TopicStates[0].TopicID[0]++
		s.call(other, v)
		none := at(7, nil)
		none.TopicStates[0].TopicID = wire.UUID{}
		s.call(none, v)
	}
	both := []int32{1, 2}
	s.call(s.leaderAndIsr(v, 1, g,
		leaderState{PartitionIndex: 1, Leader: 2, Isr: both, Replicas: both, IsNew: true},
		leaderState{PartitionIndex: 2, Leader: -1, Isr: both, Replicas: both},
		leaderState{PartitionIndex: 3, Leader: 9, Isr: []int32{9}, Replicas: []int32{9, 1}, IsNew: true},
		leaderState{PartitionIndex: 0, Leader: 1, LeaderEpoch: 9, Isr: both, Replicas: both},
		leaderState{PartitionIndex: 4, Leader: 2, Isr: []int32{2}, Replicas: []int32{2}, IsNew: true}), v)
	s.call(s.leaderAndIsr(v, 1, g,
		leaderState{PartitionIndex: 1, Leader: 1, LeaderEpoch: 1, Isr: both, Replicas: both},
		leaderState{PartitionIndex: 2, Leader: 1, LeaderEpoch: 1, Isr: both, Replicas: both}), v)
	empty := s.leaderAndIsr(v, 1, g)
	empty.TopicStates = nil
	s.call(empty, v)
	s.remove(g, 5)
}

// remove takes a ghost off broker 1.
func (s *side) remove(g ghost, partitions int32) {
	var states []stopState
	for p := range partitions {
		states = append(states, stopState{PartitionIndex: p, LeaderEpoch: -2})
	}
	s.quiet(s.stopReplica(4, 1, g, true, states...), 4)
	var gone []updateState
	for p := range partitions {
		gone = append(gone, updateState{PartitionIndex: p, Leader: -2})
	}
	s.quiet(s.updateMetadata(8, 1, g, gone...), 8)
}

// updateMetadata tells broker 1 of a topic.
func updateMetadata(s *side, v int16) {
	s.to(1)
	g := s.ghost("ghost")
	look := func() {
		for _, v := range []int16{1, 9, 12} {
			s.call(about(g.name), v)
		}
	}
	all := []int32{0, 1, 2}
	first := updateState{Leader: 2, Isr: all, Replicas: all, OfflineReplicas: []int32{}}
	old := s.updateMetadata(v, 1, g, first)
	old.ControllerEpoch--
	s.call(old, v)
	if v >= 5 {
		old = s.updateMetadata(v, 1, g, first)
		old.BrokerEpoch--
		s.call(old, v)
	}
	s.call(s.updateMetadata(v, 1, g), v)
	look()
	s.call(s.updateMetadata(v, 1, g, first,
		updateState{PartitionIndex: 1, Leader: -1, LeaderEpoch: 3, Isr: []int32{1}, Replicas: all, OfflineReplicas: []int32{0}},
		updateState{PartitionIndex: 2, Leader: 7, LeaderEpoch: 4, Isr: []int32{1, 7}, Replicas: []int32{7, 1}, OfflineReplicas: []int32{7}}), v)
	look()
	s.call(s.updateMetadata(v, 1, g, updateState{PartitionIndex: 2, Leader: 0, LeaderEpoch: 2, ZkVersion: 9, Isr: []int32{0}, Replicas: []int32{0, 1}}), v)
	look()
	s.call(s.updateMetadata(v, 1, g, updateState{PartitionIndex: 1, Leader: -2}), v)
	look()
	fewer := s.updateMetadata(v, 1, g)
	fewer.LiveBrokers = fewer.LiveBrokers[:2]
	s.call(fewer, v)
	look()
	s.quiet(s.updateMetadata(8, 1, g), 8)
	s.call(s.updateMetadata(v, 1, g, updateState{Leader: -2}, updateState{PartitionIndex: 2, Leader: -2}), v)
	look()
	s.remove(g, 3)
}

// stopReplica stops and deletes replicas that broker 1 leads.
func stopReplica(s *side, v int16) {
	s.to(1)
	g := s.ghost("ghost")
	start := func(epoch int32) {
		s.lead(g, 0, 1, epoch, 1)
		s.lead(g, 1, 1, epoch, 1)
	}
	use := func() {
		s.call(produce(1, g.name, 0, batch(record.Spec{}, "k", "v")), 9)
		s.call(produce(1, g.name, 1, batch(record.Spec{}, "k", "v")), 9)
		s.call(listOffsets(g.name, 0, -1), 5)
	}
	start(4)
	use()
	old := s.stopReplica(v, 1, g, true, stopState{LeaderEpoch: 4})
	old.ControllerEpoch--
	s.call(old, v)
	if v >= 1 {
		old = s.stopReplica(v, 1, g, true, stopState{LeaderEpoch: 4})
		old.BrokerEpoch--
		s.call(old, v)
	}
	if v >= 3 {
		s.call(s.stopReplica(v, 1, g, true, stopState{LeaderEpoch: 3}), v)
		use()
	}
	s.call(s.stopReplica(v, 1, g, false, stopState{LeaderEpoch: 4}), v)
	s.call(s.stopReplica(v, 1, g, false, stopState{LeaderEpoch: 4}), v)
	start(5)
	use()
	s.call(s.stopReplica(v, 1, g, true, stopState{LeaderEpoch: 5}, stopState{PartitionIndex: 1, LeaderEpoch: 6}), v)
	use()
	s.call(s.stopReplica(v, 1, g, true, stopState{LeaderEpoch: -1}, stopState{PartitionIndex: 7, LeaderEpoch: -2}), v)
	s.call(s.stopReplica(v, 1, g, false, stopState{PartitionIndex: 7, LeaderEpoch: 1}), v)
	start(6)
	use() // a new log
	s.call(s.stopReplica(v, 1, g, true, stopState{LeaderEpoch: -2}, stopState{PartitionIndex: 1, LeaderEpoch: -1}), v)
	s.remove(g, 2)
}

// lead tells broker 1 who leads a partition of a ghost.
func (s *side) lead(g ghost, partition, leader, epoch int32, replicas ...int32) {
	s.quiet(s.leaderAndIsr(7, 1, g, leaderState{PartitionIndex: partition, Leader: leader, LeaderEpoch: epoch, Isr: replicas, Replicas: replicas, IsNew: true}), 7)
	s.quiet(s.updateMetadata(8, 1, g, updateState{PartitionIndex: partition, Leader: leader, LeaderEpoch: epoch, Isr: replicas, Replicas: replicas}), 8)
}

// takesOver gives broker 1 a partition with epochs and looks at what it does
// with requests of every age.
func takesOver(s *side) {
	s.to(1)
	g := s.ghost("ghost")
	look := func() {
		for _, e := range []int32{-1, 0, 1, 2, 4, 5, 9} {
			req := s.fetch(12, g.name, 0, 1)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = e
			s.call(req, 12)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = -1
			req.Topics[0].Partitions[0].LastFetchedEpoch = e
			s.call(req, 12)
			s.call(epochEnd(g.name, 0, -1, e, -1), 4)
			s.call(epochEnd(g.name, 0, e, 1, -1), 4)
			lo := listOffsets(g.name, 0, -1)
			lo.Topics[0].Partitions[0].CurrentLeaderEpoch = e
			s.call(lo, 6)
		}
	}
	s.lead(g, 0, 1, 1, 1)
	s.call(produce(-1, g.name, 0, batch(record.Spec{}, "a", "1", "b", "2")), 9)
	s.lead(g, 0, 1, 2, 1)
	s.lead(g, 0, 1, 4, 1)
	s.call(produce(-1, g.name, 0, batch(record.Spec{}, "c", "3")), 9)
	look()
	s.lead(g, 0, 1, 5, 1)
	look()
	s.call(s.fetch(12, g.name, 0, 0), 12)
	s.lead(g, 0, 2, 6, 1, 2)
	look()
	s.call(produce(-1, g.name, 0, batch(record.Spec{}, "d", "4")), 9)
	// The leader's epoch is known before the cluster's picture changes.
	both := []int32{1, 2}
	s.quiet(s.leaderAndIsr(7, 1, g, leaderState{Leader: 2, LeaderEpoch: 7, Isr: both, Replicas: both}), 7)
	s.call(produce(-1, g.name, 0, batch(record.Spec{}, "e", "5")), 10)
	s.call(s.fetch(16, g.name, 0, 0), 16)
	fenced := s.fetch(16, g.name, 0, 0)
	fenced.Topics[0].Partitions[0].CurrentLeaderEpoch = 6
	s.call(fenced, 16)
	s.remove(g, 1)
}

// leaderless tells a leader that the partition has none any more.
func leaderless(s *side) {
	s.to(1)
	g := s.ghost("ghost")
	s.lead(g, 0, 1, 1, 1)
	s.lead(g, 0, -1, 2, 1)
	s.call(produce(-1, g.name, 0, batch(record.Spec{}, "a", "1")), 9)
	s.remove(g, 1)
}

// stoppedLeader stops a leader's replica without deleting it.
func stoppedLeader(s *side) {
	s.to(1)
	g := s.ghost("ghost")
	s.lead(g, 0, 1, 1, 1)
	s.call(s.stopReplica(4, 1, g, false, stopState{LeaderEpoch: 1}), 4)
	s.call(produce(1, g.name, 0, batch(record.Spec{}, "a", "1")), 9)
	s.remove(g, 1)
}

// uncommitted asks for records that a follower in sync has not got.
func uncommitted(s *side) {
	s.to(1)
	g := s.ghost("ghost")
	s.lead(g, 0, 1, 1, 1, 2) // 2 knows nothing of it
	s.call(produce(1, g.name, 0, batch(record.Spec{}, "a", "1", "b", "2")), 9)
	late := produce(-1, g.name, 0, batch(record.Spec{}, "c", "3"))
	late.TimeoutMs = 10
	s.call(late, 9)
	for _, v := range []int16{4, 10, 11, 12, 17} {
		for _, replica := range []int32{-1, -2, -3, -4, 9} {
			for _, offset := range []int64{0, 1, 3, 4} {
				s.call(asReplica(s.fetch(v, g.name, 0, offset), v, replica), v)
			}
		}
	}
	for _, replica := range []int32{-1, -2, 2} {
		for _, at := range []int64{-1, -2, epoch} {
			req := listOffsets(g.name, 0, at)
			req.ReplicaID = replica
			s.call(req, 7)
		}
	}
	s.call(epochEnd(g.name, 0, -1, 1, -1), 4)
	s.call(&wire.DeleteRecordsRequest{TimeoutMs: 10, Topics: []wire.DeleteRecordsRequestTopic{{Name: g.name,
		Partitions: []wire.DeleteRecordsRequestPartition{{Offset: 1}}}}}, 2)
	s.remove(g, 1)
}

// usurped tells broker 1 of a newer controller: whoever has heard of it obeys
// the one of before no more.
func usurped(s *side) {
	s.to(1)
	g := s.ghost("ghost")
	led := leaderState{Leader: 1, Isr: []int32{1}, Replicas: []int32{1}, IsNew: true}
	newer := s.updateMetadata(8, 1, g)
	newer.ControllerID = 1
	newer.ControllerEpoch++
	s.call(newer, 8)
	s.call(about(), 12)
	s.call(s.updateMetadata(8, 1, g), 8)
	s.call(s.leaderAndIsr(7, 1, g, led), 7)
	s.call(s.stopReplica(4, 1, g, false, stopState{}), 4)
	s.call(about(), 12)
	obeyed := s.leaderAndIsr(7, 1, g, led)
	obeyed.ControllerEpoch++
	s.call(obeyed, 7)
}

func epochEnd(topic string, partition, current, e, replica int32) *wire.OffsetForLeaderEpochRequest {
	req := wire.NewOffsetForLeaderEpochRequest()
	req.ReplicaID = replica
	req.Topics = []wire.OffsetForLeaderEpochRequestOffsetForLeaderTopic{{Topic: topic, Partitions: []wire.OffsetForLeaderEpochRequestOffsetForLeaderPartition{
		{Partition: partition, CurrentLeaderEpoch: current, LeaderEpoch: e}}}}
	return req
}
