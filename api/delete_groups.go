package api

import (
	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/wire"
)

// DeleteGroups v0-2 (KIP-229). A group named twice is answered once.

func (b *Broker) deleteGroups(c *context, req *wire.DeleteGroupsRequest) {
	b.Groups.Delete(req.GroupsNames, func(deleted []coordinator.Deleted) {
		resp := wire.NewDeleteGroupsResponse()
		for _, d := range deleted {
			resp.Results = append(resp.Results, wire.DeleteGroupsResponseDeletableGroupResult{GroupID: d.Group, ErrorCode: d.Code})
		}
		c.Reply(resp)
	})
}
