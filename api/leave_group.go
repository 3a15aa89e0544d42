package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// LeaveGroup v0-5: several members at once, also by instance id, from v3
// (KIP-345), each with a reason from v5 (KIP-800). Before that there is one
// member, and its result is the whole answer.

// leavesTogether is the first version with several members.
const leavesTogether = 3

func (b *Broker) leaveGroup(c *context, req *wire.LeaveGroupRequest) {
	v := c.version()
	leave := group.Leave{Group: req.GroupID}
	if v < leavesTogether {
		leave.Members = []group.LeavingMember{{Member: req.MemberID}}
	}
	for _, m := range req.Members {
		leave.Members = append(leave.Members, group.LeavingMember{
			Member: m.MemberID, Instance: m.GroupInstanceID, Reason: orEmpty(m.Reason)})
	}
	b.Groups.Leave(leave, func(r group.LeaveReply) { c.Reply(leaveResponse(v, r)) })
}

func leaveResponse(version int16, r group.LeaveReply) *wire.LeaveGroupResponse {
	resp := wire.NewLeaveGroupResponse()
	resp.ErrorCode = r.Code
	for _, m := range r.Members {
		if version < leavesTogether {
			if resp.ErrorCode == wire.CodeNone {
				resp.ErrorCode = m.Code
			}
			continue
		}
		resp.Members = append(resp.Members, wire.LeaveGroupResponseMemberResponse{
			MemberID: m.Member, GroupInstanceID: m.Instance, ErrorCode: m.Code})
	}
	return resp
}
