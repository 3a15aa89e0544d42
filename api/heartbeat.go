package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// Heartbeat v0-4: static members from v3 (KIP-345).

func (b *Broker) heartbeat(c *context, req *wire.HeartbeatRequest) {
	resp := wire.NewHeartbeatResponse()
	if b.staticRefused(req.GroupInstanceID) {
		resp.ErrorCode = wire.CodeUnsupportedVersion
		c.Reply(resp)
		return
	}
	beat := group.Heartbeat{Group: req.GroupID, Member: req.MemberID, Instance: req.GroupInstanceID, Generation: req.GenerationID}
	b.Groups.Heartbeat(beat, func(r group.CodeReply) {
		resp.ErrorCode = r.Code
		c.Reply(resp)
	})
}
