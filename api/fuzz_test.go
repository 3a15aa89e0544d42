package api

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// groupKeys are the APIs whose owners are fakes here.
var groupKeys = []wire.Key{
	wire.KeyFindCoordinator, wire.KeyJoinGroup, wire.KeySyncGroup, wire.KeyHeartbeat, wire.KeyLeaveGroup,
	wire.KeyOffsetCommit, wire.KeyOffsetFetch, wire.KeyOffsetDelete, wire.KeyDescribeGroups, wire.KeyListGroups, wire.KeyDeleteGroups,
	wire.KeyDescribeConfigs, wire.KeyAlterConfigs, wire.KeyIncrementalAlterConfigs,
}

// samples are requests with something in every part of them that v has.
func samples(v int16) []wire.Body {
	join := wire.NewJoinGroupRequest()
	join.GroupID, join.Protocols = "g", []wire.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
	sync := wire.NewSyncGroupRequest()
	sync.GroupID, sync.Assignments = "g", []wire.SyncGroupRequestAssignment{{MemberID: "m", Assignment: []byte("a")}}
	leave := wire.NewLeaveGroupRequest()
	leave.Members = since(v, 3, []wire.LeaveGroupRequestMemberIdentity{{MemberID: "m", GroupInstanceID: new("i")}})
	del := wire.NewOffsetDeleteRequest()
	del.Topics = []wire.OffsetDeleteRequestTopic{{Name: "t", Partitions: []wire.OffsetDeleteRequestPartition{{PartitionIndex: 1}, {PartitionIndex: 9}}}}
	find := wire.NewFindCoordinatorRequest()
	find.CoordinatorKeys = since(v, 4, []string{"a", "b"})
	groups := wire.NewDescribeGroupsRequest()
	groups.Groups = []string{"g"}
	gone := wire.NewDeleteGroupsRequest()
	gone.GroupsNames = []string{"g"}
	configs := wire.NewDescribeConfigsRequest()
	configs.Resources = []wire.DescribeConfigsRequestResource{describes(tTopic, "t"), describes(tBroker, "1", "broker.id"), describes(tBroker, ""), describes(tLogger, "1")}
	alter := wire.NewAlterConfigsRequest()
	alter.Resources = []wire.AlterConfigsRequestResource{whole(tTopic, "t", "retention.ms", "1"), whole(tBroker, "1")}
	incremental := wire.NewIncrementalAlterConfigsRequest()
	incremental.Resources = []wire.IncrementalAlterConfigsRequestAlterConfigsResource{
		resource(tTopic, "t", op("cleanup.policy", opAppend, new("compact"))), resource(tLogger, "1", op("keeper", opDelete, nil))}
	out := []wire.Body{
		join, sync, leave, del, find, groups, gone, configs, alter, incremental,
		commitRequest(v), fetchRequest(v, partitionsOfT), wire.NewHeartbeatRequest(), wire.NewListGroupsRequest(),
	}
	for _, key := range groupKeys {
		out = append(out, wire.NewRequest(key))
	}
	return out
}

// FuzzAnswers hands arbitrary bodies over: the broker answers in a way that
// the version can carry, or closes the connection.
func FuzzAnswers(f *testing.F) {
	for _, key := range groupKeys {
		lowest, highest, _ := wire.Versions(key)
		for v := lowest; v <= highest; v++ {
			for _, req := range samples(v) {
				if req.Key() != key {
					continue
				}
				body, err := wire.Append(nil, req, v)
				if err != nil {
					f.Fatalf("%v v%d: %v", key, v, err)
				}
				f.Add(uint8(slices.Index(groupKeys, key)), uint8(v), body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, version uint8, body []byte) {
		b := newBench(t)
		b.groups.reply = []group.DescribeReply{{Group: "g"}} // fits one; others see the zero reply
		k, v := groupKeys[int(key)%len(groupKeys)], int16(version)
		if k == wire.KeyOffsetFetch {
			b.groups.reply = nil
		}
		call := &fakeCall{t: t, header: wire.RequestHeader{Key: k, Version: v}, body: body, peer: Peer{Listener: "PLAINTEXT", Host: "10.1.2.3"}}
		b.broker.Handle(call)
		if (call.reply == nil) == (call.closed == nil) {
			t.Fatalf("%v v%d: answer %v, closed with %v", k, v, call.reply, call.closed)
		}
		if call.reply != nil {
			decoded[wire.Body](t, v, call)
		}
	})
}
