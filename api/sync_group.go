package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// SyncGroup v0-5: static members from v3 (KIP-345); from v5 protocol type and
// name are to be given (KIP-559), or the answer is INCONSISTENT_GROUP_PROTOCOL.

// protocolGiven is the first version that must say which protocol it assigns.
const protocolGiven = 5

func (b *Broker) syncGroup(c *context, req *wire.SyncGroupRequest) {
	switch {
	case b.staticRefused(req.GroupInstanceID):
		c.Reply(syncResponse(group.SyncReply{Code: wire.CodeUnsupportedVersion}))
		return
	case c.version() >= protocolGiven && (req.ProtocolType == nil || req.ProtocolName == nil):
		c.Reply(syncResponse(group.SyncReply{Code: wire.CodeInconsistentGroupProtocol}))
		return
	}
	sync := group.Sync{
		Group: req.GroupID, Member: req.MemberID, Instance: req.GroupInstanceID, Generation: req.GenerationID,
		ProtocolType: req.ProtocolType, ProtocolName: req.ProtocolName,
		Assignments: make([]group.Assignment, len(req.Assignments)),
	}
	for i, a := range req.Assignments {
		sync.Assignments[i] = group.Assignment{Member: a.MemberID, Data: a.Assignment}
	}
	b.Groups.Sync(sync, func(r group.SyncReply) { c.Reply(syncResponse(r)) })
}

func syncResponse(r group.SyncReply) *wire.SyncGroupResponse {
	resp := wire.NewSyncGroupResponse()
	resp.ErrorCode, resp.ProtocolType, resp.ProtocolName = r.Code, r.ProtocolType, r.ProtocolName
	resp.Assignment = r.Assignment
	return resp
}
