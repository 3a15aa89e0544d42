package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// JoinGroup v0-9: a rebalance timeout of its own from v1 (KIP-62), ids handed
// out before joining from v4 (KIP-394), static members from v5 (KIP-345), the
// protocol type in the answer from v7 (KIP-559), a reason from v8 (KIP-800), a
// leader that need not assign from v9 (KIP-814). The answer may take as long as
// a rebalance.

const (
	memberIDRequired = 4 // first version that comes back with the id it is given
	protocolNullable = 7 // first version in which no protocol is null, not ""
	skipAssignment   = 9 // first version whose leader may skip its assignor
)

func (b *Broker) joinGroup(c *context, req *wire.JoinGroupRequest) {
	v := c.version()
	if b.staticRefused(req.GroupInstanceID) {
		c.Reply(joinResponse(v, group.JoinReply{Code: wire.CodeUnsupportedVersion, Generation: -1}))
		return
	}
	if v == 0 {
		req.RebalanceTimeoutMs = req.SessionTimeoutMs
	}
	join := group.Join{
		Group: req.GroupID, Member: req.MemberID, Instance: req.GroupInstanceID,
		RequireMemberID: v >= memberIDRequired && req.GroupInstanceID == nil,
		SkipAssignment:  v >= skipAssignment,
		ClientID:        c.clientID(), ClientHost: javaAddress(c.Peer().Host),
		Rebalance: millis(req.RebalanceTimeoutMs), Session: millis(req.SessionTimeoutMs),
		ProtocolType: req.ProtocolType, Protocols: make([]group.Protocol, len(req.Protocols)),
		Reason: orEmpty(req.Reason),
	}
	for i, p := range req.Protocols {
		join.Protocols[i] = group.Protocol{Name: p.Name, Metadata: p.Metadata}
	}
	b.Groups.Join(join, func(r group.JoinReply) { c.Reply(joinResponse(v, r)) })
}

func joinResponse(version int16, r group.JoinReply) *wire.JoinGroupResponse {
	resp := wire.NewJoinGroupResponse()
	resp.ErrorCode, resp.GenerationID = r.Code, r.Generation
	resp.ProtocolType, resp.ProtocolName = r.ProtocolType, r.ProtocolName
	switch {
	case version < protocolNullable:
		resp.ProtocolName = new(orEmpty(r.ProtocolName))
	case orEmpty(r.ProtocolName) == "":
		resp.ProtocolName = nil
	}
	resp.Leader, resp.MemberID = r.Leader, r.Member
	resp.SkipAssignment = r.SkipAssignment && version >= skipAssignment
	resp.Members = make([]wire.JoinGroupResponseMember, len(r.Members))
	for i, m := range r.Members {
		resp.Members[i] = wire.JoinGroupResponseMember{MemberID: m.Member, GroupInstanceID: m.Instance, Metadata: m.Metadata}
	}
	return resp
}
