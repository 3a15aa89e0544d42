package api

import (
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/wire"
)

// DescribeGroups v0-5: what the caller may do with a group from v3 (KIP-430),
// static members from v4 (KIP-345). A group that does not exist is Dead, not an
// error.

func (b *Broker) describeGroups(c *context, req *wire.DescribeGroupsRequest) {
	b.Groups.Describe(req.Groups, func(replies []group.DescribeReply) {
		resp := wire.NewDescribeGroupsResponse()
		for _, r := range replies {
			out := describedGroup(r)
			if req.IncludeAuthorizedOperations && r.Code == wire.CodeNone {
				out.AuthorizedOperations = groupOperations
			}
			resp.Groups = append(resp.Groups, out)
		}
		c.Reply(resp)
	})
}

func describedGroup(r group.DescribeReply) wire.DescribeGroupsResponseDescribedGroup {
	out := wire.NewDescribeGroupsResponseDescribedGroup()
	out.ErrorCode, out.GroupID, out.GroupState = r.Code, r.Group, r.State
	out.ProtocolType, out.ProtocolData = r.ProtocolType, r.Protocol
	out.Members = make([]wire.DescribeGroupsResponseDescribedGroupMember, len(r.Members))
	for i, m := range r.Members {
		out.Members[i] = wire.DescribeGroupsResponseDescribedGroupMember{
			MemberID: m.Member, GroupInstanceID: m.Instance, ClientID: m.ClientID, ClientHost: m.ClientHost,
			MemberMetadata: m.Metadata, MemberAssignment: m.Assignment}
	}
	return out
}
