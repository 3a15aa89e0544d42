//go:build interop

package oracle

import (
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

type protocol = wire.JoinGroupRequestProtocol

func join(group, member string, protocols ...protocol) *wire.JoinGroupRequest {
	req := wire.NewJoinGroupRequest()
	req.GroupID, req.MemberID = group, member
	req.SessionTimeoutMs, req.RebalanceTimeoutMs = 20_000, 20_000
	req.ProtocolType = "consumer"
	if protocols == nil {
		protocols = []protocol{{Name: "range", Metadata: []byte("meta")}}
	}
	req.Protocols = protocols
	return req
}

// member joins a group as far as the version asks for, and returns the answer.
func (s *side) member(v int16, req *wire.JoinGroupRequest) *wire.JoinGroupResponse {
	r, ok := s.call(req, v).(*wire.JoinGroupResponse)
	if !ok {
		s.must(errString("no answer to a join"))
	}
	if r.ErrorCode == wire.CodeMemberIDRequired {
		req.MemberID = r.MemberID
		if r, ok = s.call(req, v).(*wire.JoinGroupResponse); !ok {
			s.must(errString("no answer to a join"))
		}
	}
	return r
}

func sync(v int16, group, member string, generation int32, assignments ...wire.SyncGroupRequestAssignment) *wire.SyncGroupRequest {
	req := wire.NewSyncGroupRequest()
	req.GroupID, req.MemberID, req.GenerationID = group, member, generation
	req.Assignments = assignments
	if v >= 5 {
		req.ProtocolType, req.ProtocolName = new("consumer"), new("range")
	}
	return req
}

func heartbeat(group, member string, generation int32) *wire.HeartbeatRequest {
	return &wire.HeartbeatRequest{GroupID: group, MemberID: member, GenerationID: generation}
}

func leave(v int16, group string, members ...string) *wire.LeaveGroupRequest {
	req := wire.NewLeaveGroupRequest()
	req.GroupID = group
	if v < 3 {
		req.MemberID = members[0]
		return req
	}
	for _, m := range members {
		req.Members = append(req.Members, wire.LeaveGroupRequestMemberIdentity{MemberID: m})
	}
	return req
}

func (s *side) describeGroup(group string) {
	s.call(&wire.DescribeGroupsRequest{Groups: []string{group}}, 5)
}

func groupScripts() []script {
	out := each("coordinator", wire.KeyFindCoordinator, func(s *side, v int16) {
		find := func(kind int8, keys ...string) {
			req := wire.NewFindCoordinatorRequest()
			if v >= 1 {
				req.KeyType = kind
			}
			if v >= 4 {
				req.CoordinatorKeys = keys
			} else {
				req.CoordinatorKey = keys[0]
			}
			s.call(req, v)
		}
		find(0, "g")
		find(0, "")
		find(0, "g", "h", "g")
		if v >= 1 {
			find(2, "a:b:0")
			find(3, "g")
			find(-1, "g")
		}
		if v >= 4 {
			find(0)
		}
	})
	out = append(out, each("life", wire.KeyJoinGroup, life)...)
	out = append(out, each("join-refused", wire.KeyJoinGroup, joinRefused)...)
	out = append(out, between("two", 2, 9, twoMembers)...)
	out = append(out, between("static", 5, 9, staticMembers)...)
	out = append(out, each("sync-refused", wire.KeySyncGroup, func(s *side, v int16) {
		g := s.name("g")
		m := s.member(5, join(g, ""))
		s.call(sync(v, g, m.MemberID, m.GenerationID+1), v)
		s.call(sync(v, g, "nobody", m.GenerationID), v)
		s.call(sync(v, s.name("other"), m.MemberID, m.GenerationID), v)
		s.call(sync(v, "", m.MemberID, m.GenerationID), v)
		if v >= 5 {
			req := sync(v, g, m.MemberID, m.GenerationID)
			req.ProtocolName = new("sticky")
			s.call(req, v)
			req = sync(v, g, m.MemberID, m.GenerationID)
			req.ProtocolType = new("connect")
			s.call(req, v)
			req.ProtocolType, req.ProtocolName = nil, nil
			s.call(req, v)
		}
		s.call(sync(v, g, m.MemberID, m.GenerationID, wire.SyncGroupRequestAssignment{MemberID: "nobody", Assignment: []byte("x")}), v)
		s.call(sync(v, g, m.MemberID, m.GenerationID), v)
		s.describeGroup(g)
	})...)
	out = append(out, each("heartbeat", wire.KeyHeartbeat, func(s *side, v int16) {
		g := s.name("g")
		s.call(heartbeat(g, "nobody", 1), v)
		s.call(heartbeat("", "nobody", 1), v)
		m := s.member(5, join(g, ""))
		s.call(heartbeat(g, m.MemberID, m.GenerationID), v)
		s.quiet(sync(3, g, m.MemberID, m.GenerationID), 3)
		s.call(heartbeat(g, m.MemberID, m.GenerationID), v)
		s.call(heartbeat(g, m.MemberID, m.GenerationID+1), v)
		s.call(heartbeat(g, m.MemberID, -1), v)
		s.call(heartbeat(g, "nobody", m.GenerationID), v)
		s.call(heartbeat(g, "", -1), v)
		if v >= 3 {
			req := heartbeat(g, m.MemberID, m.GenerationID)
			req.GroupInstanceID = new("unknown-instance")
			s.call(req, v)
		}
	})...)
	out = append(out, each("leave", wire.KeyLeaveGroup, func(s *side, v int16) {
		g := s.name("g")
		s.call(leave(v, g, "nobody"), v)
		s.call(leave(v, "", "nobody"), v)
		m := s.member(5, join(g, ""))
		s.quiet(sync(3, g, m.MemberID, m.GenerationID), 3)
		s.call(leave(v, g, "nobody"), v)
		if v >= 3 {
			s.call(leave(v, g), v)
			s.call(leave(v, g, "nobody", m.MemberID), v)
		} else {
			s.call(leave(v, g, m.MemberID), v)
		}
		s.describeGroup(g)
		s.call(leave(v, g, m.MemberID), v)
		s.call(heartbeat(g, m.MemberID, m.GenerationID), 2)
	})...)
	out = append(out, each("describe", wire.KeyDescribeGroups, func(s *side, v int16) {
		g := s.name("g")
		m := s.member(5, join(g, "", protocol{Name: "range", Metadata: []byte("a")}, protocol{Name: "sticky", Metadata: []byte("b")}))
		ask := func(groups ...string) { s.call(&wire.DescribeGroupsRequest{Groups: groups}, v) }
		ask(g)
		s.quiet(sync(3, g, m.MemberID, m.GenerationID, wire.SyncGroupRequestAssignment{MemberID: m.MemberID, Assignment: []byte("mine")}), 3)
		ask(g)
		ask(g, s.name("missing"), g, "")
		ask([]string{}...)
		if v >= 3 {
			s.call(&wire.DescribeGroupsRequest{Groups: []string{g}, IncludeAuthorizedOperations: true}, v)
		}
		s.quiet(leave(1, g, m.MemberID), 1)
		ask(g)
	})...)
	return append(out, each("list", wire.KeyListGroups, listGroups)...)
}

// life is a member that comes, works and goes.
func life(s *side, v int16) {
	g := s.name("g")
	at := func(k wire.Key) int16 {
		_, high, _ := wire.Versions(k)
		return min(v, high)
	}
	m := s.member(v, join(g, "", protocol{Name: "range", Metadata: []byte("r")}, protocol{Name: "sticky", Metadata: []byte{}}))
	sv := at(wire.KeySyncGroup)
	s.call(sync(sv, g, m.MemberID, m.GenerationID, wire.SyncGroupRequestAssignment{MemberID: m.MemberID, Assignment: []byte("all")}), sv)
	s.call(sync(sv, g, m.MemberID, m.GenerationID), sv)
	s.call(heartbeat(g, m.MemberID, m.GenerationID), at(wire.KeyHeartbeat))
	s.describeGroup(g)
	// The leader joins again, with the same and with other metadata.
	again := s.member(v, join(g, m.MemberID, protocol{Name: "range", Metadata: []byte("r")}, protocol{Name: "sticky", Metadata: []byte{}}))
	s.call(heartbeat(g, m.MemberID, m.GenerationID), at(wire.KeyHeartbeat))
	s.call(sync(sv, g, m.MemberID, again.GenerationID), sv)
	s.member(v, join(g, m.MemberID, protocol{Name: "sticky", Metadata: []byte("s")}))
	s.describeGroup(g)
	lv := at(wire.KeyLeaveGroup)
	s.call(leave(lv, g, m.MemberID), lv)
	s.describeGroup(g)
	s.call(join(g, m.MemberID), v)
	m = s.member(v, join(g, "")) // a later generation
	s.call(leave(lv, g, m.MemberID), lv)
}

func joinRefused(s *side, v int16) {
	g := s.name("g")
	s.call(join("", ""), v)
	s.call(join(g, "nobody"), v)
	for _, ms := range []int32{0, 5999, 1_800_001, -1} {
		req := join(g, "")
		req.SessionTimeoutMs = ms
		s.call(req, v)
	}
	req := join(g, "")
	req.ProtocolType = ""
	s.call(req, v)
	s.call(join(g, "", []protocol{}...), v)
	empty := join(g, "")
	empty.Protocols = []protocol{}
	s.call(empty, v)
	m := s.member(v, join(g, ""))
	req = join(g, "")
	req.ProtocolType = "connect"
	s.call(req, v)
	s.call(join(g, "", protocol{Name: "other", Metadata: []byte{}}), v)
	s.call(join(g, m.MemberID, protocol{Name: "other", Metadata: []byte{}}), v)
	req = join(g, "")
	if v >= 5 {
		for i, id := range []string{"", "bad id", ".", strings.Repeat("i", 250)} {
			req.GroupID, req.GroupInstanceID = s.name("named-"+string(rune('a'+i))), &id
			s.call(req, v)
		}
	}
	s.describeGroup(g)
}

// twoMembers is a rebalance because another one comes, and one because it goes.
func twoMembers(s *side, v int16) {
	g := s.name("g")
	a := s.member(v, join(g, ""))
	s.call(sync(0, g, a.MemberID, a.GenerationID, wire.SyncGroupRequestAssignment{MemberID: a.MemberID, Assignment: []byte("all")}), 0)
	second := join(g, "")
	if v >= 4 {
		r := s.call(second, v).(*wire.JoinGroupResponse)
		second.MemberID = r.MemberID
		s.call(heartbeat(g, a.MemberID, a.GenerationID), 3)
		s.describeGroup(g)
	}
	p := s.begin(second, v)
	s.eventually(func() error {
		if c := s.quiet(heartbeat(g, a.MemberID, a.GenerationID), 3).(*wire.HeartbeatResponse).ErrorCode; c != wire.CodeRebalanceInProgress {
			return c
		}
		return nil
	})
	s.call(heartbeat(g, a.MemberID, a.GenerationID), 3)
	s.call(sync(0, g, a.MemberID, a.GenerationID), 0)
	if v >= 4 {
		s.describeGroup(g)
	}
	a2 := s.member(v, join(g, a.MemberID))
	b := s.finish(p).(*wire.JoinGroupResponse)
	bs := s.begin(sync(0, g, b.MemberID, b.GenerationID), 0)
	s.waiting(bs)
	s.call(sync(0, g, a2.MemberID, a2.GenerationID, wire.SyncGroupRequestAssignment{MemberID: a2.MemberID, Assignment: []byte("for a")},
		wire.SyncGroupRequestAssignment{MemberID: b.MemberID, Assignment: []byte("for b")}), 0)
	s.finish(bs)
	s.describeGroup(g)
	// A follower that joins with what it had is answered at once.
	s.call(join(g, b.MemberID), v)
	s.call(leave(0, g, a2.MemberID), 0)
	s.call(heartbeat(g, b.MemberID, b.GenerationID), 3)
	last := s.member(v, join(g, b.MemberID))
	s.call(sync(0, g, b.MemberID, last.GenerationID), 0)
	s.call(leave(0, g, b.MemberID), 0)
}

// staticMembers have names of their own (KIP-345).
func staticMembers(s *side, v int16) {
	g := s.name("g")
	named := func(id, member string) *wire.JoinGroupRequest {
		req := join(g, member)
		req.GroupInstanceID = &id
		return req
	}
	a := s.member(v, named("one", ""))
	s.call(sync(0, g, a.MemberID, a.GenerationID, wire.SyncGroupRequestAssignment{MemberID: a.MemberID, Assignment: []byte("all")}), 0)
	s.describeGroup(g)
	b := s.member(v, named("one", "")) // restarted: the old member is fenced
	hb := heartbeat(g, a.MemberID, a.GenerationID)
	hb.GroupInstanceID = new("one")
	s.call(hb, 3)
	s.call(heartbeat(g, a.MemberID, a.GenerationID), 3)
	hb.MemberID = b.MemberID
	s.call(hb, 3)
	s.call(sync(0, g, b.MemberID, b.GenerationID), 0)
	s.describeGroup(g)
	s.call(named("one", a.MemberID), v)
	s.call(named("two", b.MemberID), v)
	s.call(&wire.LeaveGroupRequest{GroupID: g, Members: []wire.LeaveGroupRequestMemberIdentity{
		{MemberID: a.MemberID, GroupInstanceID: new("one")}, {GroupInstanceID: new("three")}}}, 4)
	s.call(&wire.LeaveGroupRequest{GroupID: g, Members: []wire.LeaveGroupRequestMemberIdentity{{GroupInstanceID: new("one")}}}, 4)
	s.describeGroup(g)
}

func listGroups(s *side, v int16) {
	g, e := s.name("stable"), s.name("empty")
	m := s.member(5, join(g, ""))
	s.quiet(sync(3, g, m.MemberID, m.GenerationID), 3)
	x := s.member(5, join(e, ""))
	s.quiet(leave(1, e, x.MemberID), 1)
	ask := func(states, types []string) {
		req := wire.NewListGroupsRequest()
		req.StatesFilter, req.TypesFilter = states, types
		s.callKeeping(req, v, s.onlyMine)
	}
	ask(nil, nil)
	if v >= 4 {
		for _, st := range [][]string{{"Stable"}, {"stable"}, {"Empty", "Stable"}, {"Dead"}, {"NoSuchState"}, {""}} {
			ask(st, nil)
		}
	}
	if v >= 5 {
		for _, ty := range [][]string{{"classic"}, {"Classic"}, {"consumer"}, {"share"}, {"NoSuchType"}} {
			ask(nil, ty)
		}
		ask([]string{"Stable"}, []string{"classic"})
	}
}
