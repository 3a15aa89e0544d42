package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// ListGroups v0-5: filtered by state from v4 (KIP-518), by type from v5
// (KIP-848). Each broker lists the groups it coordinates; what is known is
// listed with COORDINATOR_LOAD_IN_PROGRESS while the rest loads.

func (b *Broker) listGroups(c *context, req *wire.ListGroupsRequest) {
	b.Groups.List(req.StatesFilter, req.TypesFilter, func(r group.ListReply) {
		resp := wire.NewListGroupsResponse()
		resp.ErrorCode = r.Code
		resp.Groups = make([]wire.ListGroupsResponseListedGroup, len(r.Groups))
		for i, g := range r.Groups {
			resp.Groups[i] = wire.ListGroupsResponseListedGroup{
				GroupID: g.Group, ProtocolType: g.ProtocolType, GroupState: g.State, GroupType: g.Type}
		}
		c.Reply(resp)
	})
}
