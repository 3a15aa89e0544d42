//go:build interop

package oracle

import (
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// asReplica makes a fetch that of a follower, or of a debugging consumer (-2).
func asReplica(req *wire.FetchRequest, v int16, replica int32) *wire.FetchRequest {
	if v >= 15 {
		req.ReplicaState.ReplicaID, req.ReplicaState.ReplicaEpoch = replica, -1
	} else {
		req.ReplicaID = replica
	}
	return req
}

// data is a topic of two replicas on 0 and 1 with five records that both have.
func (s *side) data(configs ...string) string {
	topic := s.replicated("data", [][]int32{{0, 1}}, configs...)
	s.putAll(topic, 0, 0, batch(record.Spec{}, "a", "1", "b", "2"), batch(record.Spec{Codec: record.LZ4}, "c", "3", "d", "4"), batch(record.Spec{}, "e", "5"))
	s.watermark(topic, 0, 0, 5)
	s.watermark(topic, 0, 1, 5)
	s.to(0)
	return topic
}

// followerScripts fetch as followers do, and from followers.
func followerScripts() []script {
	out := each("fetch-as-follower", wire.KeyFetch, func(s *side, v int16) {
		topic := s.data()
		for _, replica := range []int32{1, 2, 9, -2} {
			for _, offset := range []int64{0, 2, 5} {
				s.call(asReplica(s.fetch(v, topic, 0, offset), v, replica), v)
			}
		}
		for _, offset := range []int64{6, -1} {
			s.call(asReplica(s.fetch(v, topic, 0, offset), v, 2), v)
			s.call(asReplica(s.fetch(v, topic, 0, offset), v, 1), v)
		}
		if v >= 9 {
			for _, e := range []int32{0, 1} {
				req := asReplica(s.fetch(v, topic, 0, 5), v, 1)
				req.Topics[0].Partitions[0].CurrentLeaderEpoch = e
				s.call(req, v)
			}
		}
		if v >= 12 {
			for _, e := range []int32{0, 3} {
				req := asReplica(s.fetch(v, topic, 0, 5), v, 1)
				req.Topics[0].Partitions[0].LastFetchedEpoch = e
				s.call(req, v)
			}
			req := asReplica(s.fetch(v, topic, 0, 9), v, 1)
			req.Topics[0].Partitions[0].LastFetchedEpoch = 0
			s.call(req, v)
		}
	})
	out = append(out, each("fetch-from-follower", wire.KeyFetch, func(s *side, v int16) {
		topic := s.data()
		for _, broker := range []int{1, 2} {
			s.to(broker)
			for _, replica := range []int32{-1, -2, 0, 2} {
				for _, offset := range []int64{0, 3, 5, 6} {
					s.call(asReplica(s.fetch(v, topic, 0, offset), v, replica), v)
				}
			}
			if v >= 9 {
				for _, e := range []int32{0, 1} {
					req := s.fetch(v, topic, 0, 0)
					req.Topics[0].Partitions[0].CurrentLeaderEpoch = e
					s.call(req, v)
				}
			}
			if v >= 11 {
				req := s.fetch(v, topic, 0, 0)
				req.RackID = "r1"
				s.call(req, v)
			}
		}
	})...)
	out = append(out, between("follower-sessions", 7, 17, followerSessions)...)
	return append(out, between("closest", 11, 17, func(s *side, v int16) {
		topic := s.data()
		for _, rack := range []string{"", "r0", "r1", "r9"} {
			req := s.fetch(v, topic, 0, 1)
			req.RackID = rack
			s.call(req, v)
		}
	})...)
}

// followerSessions fetches as broker 2 would, which leaves the real followers
// alone.
func followerSessions(s *side, v int16) {
	topic := s.replicated("data", [][]int32{{0, 1, 2}, {0, 1, 2}})
	s.putAll(topic, 0, 0, batch(record.Spec{}, "a", "1"))
	for _, b := range []int{0, 1, 2} {
		s.watermark(topic, 0, b, 1)
	}
	s.to(0)
	req := asReplica(s.fetch(v, topic, 0, 0), v, 2)
	second := s.fetch(v, topic, 1, 0).Topics[0].Partitions[0]
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
	req.SessionEpoch = 0
	resp, ok := s.call(req, v).(*wire.FetchResponse)
	if !ok {
		s.must(errors.New("no session"))
	}
	next := func(epoch int32, change func(*wire.FetchRequest)) {
		r := asReplica(s.fetch(v, topic, 0, 0), v, 2)
		r.Topics = []wire.FetchRequestTopic{}
		r.SessionID, r.SessionEpoch = resp.SessionID, epoch
		if change != nil {
			change(r)
		}
		s.call(r, v)
	}
	next(1, func(r *wire.FetchRequest) {
		p := s.fetch(v, topic, 0, 1).Topics[0].Partitions[0]
		r.Topics = []wire.FetchRequestTopic{s.fetchTopic(v, topic, p)}
	})
	next(2, nil)
	next(2, nil)
	next(3, func(r *wire.FetchRequest) {
		f := wire.FetchRequestForgottenTopic{Topic: topic, Partitions: []int32{1}}
		if v >= 13 {
			f = wire.FetchRequestForgottenTopic{TopicID: s.id(topic), Partitions: []int32{1}}
		}
		r.ForgottenTopicsData = []wire.FetchRequestForgottenTopic{f}
	})
	next(-1, nil)
	next(4, nil)
}

// leaderScripts ask the wrong broker, or with the wrong epoch.
func leaderScripts() []script {
	out := each("produce", wire.KeyProduce, func(s *side, v int16) {
		topic := s.data("min.insync.replicas", "2")
		for _, broker := range []int{1, 2} {
			s.to(broker)
			for _, acks := range []int16{1, -1} {
				s.call(produce(acks, topic, 0, fitting(v, record.None, "k", "v")), v)
			}
		}
		s.to(0)
		s.call(produce(-1, topic, 0, fitting(v, record.None, "k", "v")), v)
		lacking := s.replicated("lacking", [][]int32{{0, 1}}, "min.insync.replicas", "3")
		s.call(produce(-1, lacking, 0, fitting(v, record.None, "k", "v")), v)
		s.call(produce(1, lacking, 0, fitting(v, record.None, "k", "v")), v)
		s.watermark(lacking, 0, 0, 2)
	})
	out = append(out, each("list-offsets", wire.KeyListOffsets, func(s *side, v int16) {
		topic := s.data()
		for _, broker := range []int{0, 1, 2} {
			s.to(broker)
			for _, replica := range []int32{-1, -2, 0, 1, 2, 9} {
				for _, at := range []int64{-1, -2, epoch + 1} {
					req := listOffsets(topic, 0, at)
					req.ReplicaID = replica
					s.call(req, v)
				}
			}
			if v >= 4 {
				for _, e := range []int32{0, 1} {
					req := listOffsets(topic, 0, -1)
					req.Topics[0].Partitions[0].CurrentLeaderEpoch = e
					s.call(req, v)
				}
			}
		}
	})...)
	out = append(out, each("epoch-ends", wire.KeyOffsetForLeaderEpoch, epochEnds)...)
	out = append(out, each("delete-records", wire.KeyDeleteRecords, func(s *side, v int16) {
		topic := s.data()
		cut := func(to int64) {
			s.call(&wire.DeleteRecordsRequest{TimeoutMs: 5000, Topics: []wire.DeleteRecordsRequestTopic{{Name: topic,
				Partitions: []wire.DeleteRecordsRequestPartition{{Offset: to}}}}}, v)
		}
		for _, broker := range []int{1, 2, 0} {
			s.to(broker)
			cut(2)
			cut(6)
		}
		cut(-1)
		s.to(1)
		s.eventually(func() error {
			r := s.quiet(s.fetch(11, topic, 0, 5), 11).(*wire.FetchResponse)
			if p := r.Responses[0].Partitions[0]; p.LogStartOffset != 5 {
				return fmt.Errorf("the follower's log starts at %d", p.LogStartOffset)
			}
			return nil
		})
		s.call(s.fetch(11, topic, 0, 4), 11)
	})...)
	out = append(out, each("producers", wire.KeyDescribeProducers, func(s *side, v int16) {
		topic := s.data()
		s.everywhere(func() {
			s.call(&wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopicRequest{{Name: topic, PartitionIndexes: []int32{0, 1}}}}, v)
		})
	})...)
	return append(out, groupsElsewhere()...)
}

// epochEnds asks for the ends of epochs that elections began.
func epochEnds(s *side, v int16) {
	topic := s.data()
	for i, leader := range []int{1, 0, 1} {
		s.to(0)
		s.quiet(reassignments(topic, 0, []int32{int32(leader), int32(1 - leader)}), 0)
		s.moved(topic, 0, int32(2*i+1), int32(leader), int32(1-leader))
		s.quiet(elections(0, topic, 0), 2)
		s.eventually(func() error {
			if got := s.partition(topic, 0); got.LeaderID != int32(leader) {
				return fmt.Errorf("leader %d", got.LeaderID)
			}
			return nil
		})
		s.putAll(topic, 0, leader, batch(record.Spec{}, "k", fmt.Sprint(i)))
		s.watermark(topic, 0, 0, int64(6+i))
		s.watermark(topic, 0, 1, int64(6+i))
	}
	for _, broker := range []int{0, 1, 2} {
		s.to(broker)
		for _, replica := range []int32{-1, -2, 0, 2} {
			for e := int32(-1); e < 9; e++ {
				req := epochEnd(topic, 0, -1, e, -2)
				if v >= 3 {
					req.ReplicaID = replica
				}
				s.call(req, v)
			}
		}
		if v >= 2 {
			for _, current := range []int32{0, 3, 6, 9} {
				s.call(epochEnd(topic, 0, current, 0, -2), v)
			}
		}
	}
	s.to(1)
	s.call(s.fetch(12, topic, 0, 0), 12)
}

// groupsElsewhere asks brokers for groups that another one coordinates.
func groupsElsewhere() []script {
	elsewhere := func(s *side) {
		find := wire.NewFindCoordinatorRequest()
		find.CoordinatorKey = s.name("group")
		var at int32
		s.eventually(func() error {
			r := s.quiet(find, 2).(*wire.FindCoordinatorResponse)
			at = r.NodeID
			if r.ErrorCode != wire.CodeNone {
				return r.ErrorCode
			}
			return nil
		})
		s.to(int(at+1) % 3)
	}
	var out []script
	add := func(name string, key wire.Key, ask func(s *side, v int16, group string)) {
		low, high, _ := wire.Versions(key)
		if key == wire.KeyOffsetCommit {
			low = 1 // 0 goes to ZooKeeper
		}
		out = append(out, between(name, low, high, func(s *side, v int16) {
			elsewhere(s)
			ask(s, v, s.name("group"))
		})...)
	}
	add("join", wire.KeyJoinGroup, func(s *side, v int16, group string) {
		req := wire.NewJoinGroupRequest()
		req.GroupID, req.SessionTimeoutMs, req.RebalanceTimeoutMs, req.ProtocolType = group, 10_000, 10_000, "consumer"
		req.Protocols = []wire.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("x")}}
		s.call(req, v)
	})
	add("heartbeat", wire.KeyHeartbeat, func(s *side, v int16, group string) {
		s.call(&wire.HeartbeatRequest{GroupID: group, MemberID: "m", GenerationID: 1}, v)
	})
	add("commit", wire.KeyOffsetCommit, func(s *side, v int16, group string) {
		req := wire.NewOffsetCommitRequest()
		req.GroupID = group
		req.Topics = []wire.OffsetCommitRequestTopic{{Name: s.name("t"), Partitions: []wire.OffsetCommitRequestPartition{
			{CommittedOffset: 1, CommittedLeaderEpoch: -1, CommitTimestamp: -1}}}}
		s.call(req, v)
	})
	add("committed", wire.KeyOffsetFetch, func(s *side, v int16, group string) {
		req := wire.NewOffsetFetchRequest()
		if v < 8 {
			req.GroupID = group
			req.Topics = []wire.OffsetFetchRequestTopic{{Name: s.name("t"), PartitionIndexes: []int32{0}}}
		} else {
			req.Groups = []wire.OffsetFetchRequestGroup{{GroupID: group, MemberEpoch: -1}}
		}
		s.call(req, v)
	})
	add("describe", wire.KeyDescribeGroups, func(s *side, v int16, group string) {
		s.call(&wire.DescribeGroupsRequest{Groups: []string{group}}, v)
	})
	add("leave", wire.KeyLeaveGroup, func(s *side, v int16, group string) {
		req := wire.NewLeaveGroupRequest()
		req.GroupID = group
		if v < 3 {
			req.MemberID = "m"
		} else {
			req.Members = []wire.LeaveGroupRequestMemberIdentity{{MemberID: "m"}}
		}
		s.call(req, v)
	})
	add("delete", wire.KeyDeleteGroups, func(s *side, v int16, group string) {
		s.call(&wire.DeleteGroupsRequest{GroupsNames: []string{group}}, v)
	})
	return out
}
