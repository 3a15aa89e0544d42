package api

import (
	"reflect"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// The coordinator serves the API as it is.
var _ Groups = (*coordinator.Coordinator)(nil)

// every calls f for each version of an API.
func every(t *testing.T, key wire.Key, f func(v int16)) {
	t.Helper()
	lowest, highest, ok := wire.Versions(key)
	if !ok {
		t.Fatalf("%v has no versions", key)
	}
	for v := lowest; v <= highest; v++ {
		f(v)
	}
}

// since is x from a version on, and the zero value before.
func since[T any](v, first int16, x T) (zero T) {
	if v >= first {
		return x
	}
	return zero
}

func same(t *testing.T, v int16, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("v%d %s:\n got %+v\nwant %+v", v, what, got, want)
	}
}

func TestJoinGroupAsks(t *testing.T) {
	every(t, wire.KeyJoinGroup, func(v int16) {
		for _, instance := range []*string{nil, since(v, 5, new("i"))} {
			b := newBench(t)
			req := wire.NewJoinGroupRequest()
			req.GroupID, req.MemberID, req.GroupInstanceID, req.ProtocolType = "g", "m", instance, "consumer"
			req.SessionTimeoutMs, req.Reason = 10_000, since(v, 8, new("restart"))
			req.RebalanceTimeoutMs = since(v, 1, int32(60_000))
			req.Protocols = []wire.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("a")}, {Name: "sticky", Metadata: []byte("b")}}
			ask[*wire.JoinGroupResponse](b, v, req)
			want := group.Join{
				Group: "g", Member: "m", Instance: instance, ProtocolType: "consumer", ClientID: "client", ClientHost: "/10.1.2.3",
				RequireMemberID: v >= 4 && instance == nil, SkipAssignment: v >= 9,
				Session: 10 * time.Second, Rebalance: 10 * time.Second, Reason: since(v, 8, "restart"),
				Protocols: []group.Protocol{{Name: "range", Metadata: []byte("a")}, {Name: "sticky", Metadata: []byte("b")}},
			}
			if v >= 1 {
				want.Rebalance = time.Minute
			}
			same(t, v, "join", b.groups.got, []any{want})
		}
	})
}

func TestJoinGroupAnswers(t *testing.T) {
	every(t, wire.KeyJoinGroup, func(v int16) {
		b := newBench(t)
		b.groups.reply = group.JoinReply{
			Generation: 3, ProtocolType: new("consumer"), ProtocolName: new("range"), Leader: "m", Member: "m", SkipAssignment: true,
			Members: []group.JoinMember{{Member: "m", Instance: new("i"), Metadata: []byte("a")}, {Member: "n"}},
		}
		req := wire.NewJoinGroupRequest()
		req.GroupID = "g"
		resp := ask[*wire.JoinGroupResponse](b, v, req)
		same(t, v, "protocol", []*string{resp.ProtocolType, resp.ProtocolName}, []*string{since(v, 7, new("consumer")), new("range")})
		same(t, v, "skip", resp.SkipAssignment, v >= 9)
		same(t, v, "rest", []any{resp.ErrorCode, resp.GenerationID, resp.Leader, resp.MemberID}, []any{wire.CodeNone, int32(3), "m", "m"})
		same(t, v, "members", resp.Members, []wire.JoinGroupResponseMember{
			{MemberID: "m", GroupInstanceID: since(v, 5, new("i")), Metadata: []byte("a")}, {MemberID: "n", Metadata: []byte{}}})

		b.groups.reply = group.JoinReply{Code: wire.CodeMemberIDRequired, Generation: -1, Member: "new"}
		resp = ask[*wire.JoinGroupResponse](b, v, req)
		name := new("")
		if v >= 7 {
			name = nil
		}
		same(t, v, "error", []any{resp.ErrorCode, resp.GenerationID, resp.ProtocolName, resp.MemberID, len(resp.Members)},
			[]any{wire.CodeMemberIDRequired, int32(-1), name, "new", 0})
	})
}

// TestStaticMembersOfOldBrokers: with brokers before 2.3 around, instance ids
// would be lost with the coordinator.
func TestStaticMembersOfOldBrokers(t *testing.T) {
	b := newBench(t, "inter.broker.protocol.version=2.2")
	join := wire.NewJoinGroupRequest()
	join.GroupInstanceID = new("i")
	same(t, 5, "join", ask[*wire.JoinGroupResponse](b, 5, join).ErrorCode, wire.CodeUnsupportedVersion)
	sync := wire.NewSyncGroupRequest()
	sync.GroupInstanceID = new("i")
	same(t, 3, "sync", ask[*wire.SyncGroupResponse](b, 3, sync).ErrorCode, wire.CodeUnsupportedVersion)
	beat := wire.NewHeartbeatRequest()
	beat.GroupInstanceID = new("i")
	same(t, 3, "heartbeat", ask[*wire.HeartbeatResponse](b, 3, beat).ErrorCode, wire.CodeUnsupportedVersion)
	commit := commitRequest(7)
	commit.GroupInstanceID = new("i")
	resp := ask[*wire.OffsetCommitResponse](b, 7, commit)
	same(t, 7, "commit", commitCodes(resp), []wire.Code{35, 35, 35, 35})
	same(t, 7, "coordinator", len(b.groups.got), 0)
}

func TestSyncGroup(t *testing.T) {
	every(t, wire.KeySyncGroup, func(v int16) {
		b := newBench(t)
		b.groups.reply = group.SyncReply{ProtocolType: new("consumer"), ProtocolName: new("range"), Assignment: []byte("x")}
		req := wire.NewSyncGroupRequest()
		req.GroupID, req.MemberID, req.GenerationID, req.GroupInstanceID = "g", "m", 2, since(v, 3, new("i"))
		req.ProtocolType, req.ProtocolName = since(v, 5, new("consumer")), since(v, 5, new("range"))
		req.Assignments = []wire.SyncGroupRequestAssignment{{MemberID: "m", Assignment: []byte("x")}}
		resp := ask[*wire.SyncGroupResponse](b, v, req)
		same(t, v, "sync", b.groups.got, []any{group.Sync{
			Group: "g", Member: "m", Generation: 2, Instance: req.GroupInstanceID, ProtocolType: req.ProtocolType, ProtocolName: req.ProtocolName,
			Assignments: []group.Assignment{{Member: "m", Data: []byte("x")}}}})
		same(t, v, "answer", []any{resp.ErrorCode, resp.ProtocolType, resp.ProtocolName, string(resp.Assignment)},
			[]any{wire.CodeNone, req.ProtocolType, req.ProtocolName, "x"})

		req.ProtocolName = nil
		resp = ask[*wire.SyncGroupResponse](b, v, req)
		want := wire.CodeNone
		if v >= 5 {
			want = wire.CodeInconsistentGroupProtocol
		}
		same(t, v, "without a protocol", resp.ErrorCode, want)
	})
}

func TestHeartbeat(t *testing.T) {
	every(t, wire.KeyHeartbeat, func(v int16) {
		b := newBench(t)
		b.groups.reply = group.CodeReply{Code: wire.CodeRebalanceInProgress}
		req := wire.NewHeartbeatRequest()
		req.GroupID, req.MemberID, req.GenerationID, req.GroupInstanceID = "g", "m", 2, since(v, 3, new("i"))
		same(t, v, "code", ask[*wire.HeartbeatResponse](b, v, req).ErrorCode, wire.CodeRebalanceInProgress)
		same(t, v, "heartbeat", b.groups.got, []any{group.Heartbeat{Group: "g", Member: "m", Generation: 2, Instance: req.GroupInstanceID}})
	})
}

func TestLeaveGroup(t *testing.T) {
	every(t, wire.KeyLeaveGroup, func(v int16) {
		b := newBench(t)
		b.groups.reply = group.LeaveReply{Members: []group.LeftMember{{Member: "m", Code: wire.CodeUnknownMemberID}}}
		req := wire.NewLeaveGroupRequest()
		req.GroupID = "g"
		want := group.LeavingMember{Member: "m"}
		if v < 3 {
			req.MemberID = "m"
		} else {
			req.Members = []wire.LeaveGroupRequestMemberIdentity{{MemberID: "m", GroupInstanceID: new("i"), Reason: since(v, 5, new("bye"))}}
			want.Instance, want.Reason = new("i"), since(v, 5, "bye")
		}
		resp := ask[*wire.LeaveGroupResponse](b, v, req)
		same(t, v, "leave", b.groups.got, []any{group.Leave{Group: "g", Members: []group.LeavingMember{want}}})
		if v < 3 {
			same(t, v, "answer", []any{resp.ErrorCode, len(resp.Members)}, []any{wire.CodeUnknownMemberID, 0})
		} else {
			same(t, v, "answer", []any{resp.ErrorCode, resp.Members},
				[]any{wire.CodeNone, []wire.LeaveGroupResponseMemberResponse{{MemberID: "m", ErrorCode: wire.CodeUnknownMemberID}}})
		}
		b.groups.reply = group.LeaveReply{Code: wire.CodeNotCoordinator}
		same(t, v, "refused", ask[*wire.LeaveGroupResponse](b, v, req).ErrorCode, wire.CodeNotCoordinator)
	})
}

func TestJavaAddress(t *testing.T) {
	f := func(host, want string) {
		t.Helper()
		if got := javaAddress(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	f("10.0.0.1", "/10.0.0.1")
	f("::ffff:10.0.0.1", "/10.0.0.1")
	f("::1", "/0:0:0:0:0:0:0:1")
	f("2001:db8::a0:1", "/2001:db8:0:0:0:0:a0:1")
	f("fe80::1%eth0", "/fe80:0:0:0:0:0:0:1%eth0")
	f("pipe", "/pipe")
}
