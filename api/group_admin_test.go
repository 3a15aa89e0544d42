package api

import (
	"math"
	"testing"

	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

func TestDescribeGroups(t *testing.T) {
	every(t, wire.KeyDescribeGroups, func(v int16) {
		b := newBench(t)
		b.groups.reply = []group.DescribeReply{
			{Group: "g", State: "Stable", ProtocolType: "consumer", Protocol: "range", Members: []group.DescribedMember{
				{Member: "m", Instance: new("i"), ClientID: "c", ClientHost: "/10.0.0.1", Metadata: []byte("a"), Assignment: []byte("b")}}},
			{Group: "h", Code: wire.CodeNotCoordinator},
		}
		req := wire.NewDescribeGroupsRequest()
		req.Groups, req.IncludeAuthorizedOperations = []string{"g", "h"}, v >= 3
		resp := ask[*wire.DescribeGroupsResponse](b, v, req)
		same(t, v, "asked", b.groups.got, []any{[]string{"g", "h"}})
		operations := int32(math.MinInt32)
		if v >= 3 {
			operations = 1<<3 | 1<<6 | 1<<8 // read, delete, describe
		}
		same(t, v, "groups", resp.Groups, []wire.DescribeGroupsResponseDescribedGroup{
			{GroupID: "g", GroupState: "Stable", ProtocolType: "consumer", ProtocolData: "range", AuthorizedOperations: operations,
				Members: []wire.DescribeGroupsResponseDescribedGroupMember{{
					MemberID: "m", GroupInstanceID: since(v, 4, new("i")), ClientID: "c", ClientHost: "/10.0.0.1",
					MemberMetadata: []byte("a"), MemberAssignment: []byte("b")}}},
			{GroupID: "h", ErrorCode: wire.CodeNotCoordinator, AuthorizedOperations: math.MinInt32,
				Members: []wire.DescribeGroupsResponseDescribedGroupMember{}},
		})
		req.IncludeAuthorizedOperations = false
		resp = ask[*wire.DescribeGroupsResponse](b, v, req)
		same(t, v, "operations not asked for", resp.Groups[0].AuthorizedOperations, int32(math.MinInt32))
	})
}

func TestListGroups(t *testing.T) {
	every(t, wire.KeyListGroups, func(v int16) {
		b := newBench(t)
		b.groups.reply = group.ListReply{Code: wire.CodeCoordinatorLoadInProgress, Groups: []group.Listed{{Group: "g", ProtocolType: "consumer", State: "Empty", Type: "classic"}}}
		req := wire.NewListGroupsRequest()
		req.StatesFilter, req.TypesFilter = since(v, 4, []string{"empty"}), since(v, 5, []string{"Classic"})
		resp := ask[*wire.ListGroupsResponse](b, v, req)
		asked := b.groups.got[0].([2][]string)
		same(t, v, "filters", []int{len(asked[0]), len(asked[1])}, []int{len(req.StatesFilter), len(req.TypesFilter)})
		same(t, v, "code", resp.ErrorCode, wire.CodeCoordinatorLoadInProgress)
		same(t, v, "groups", resp.Groups, []wire.ListGroupsResponseListedGroup{
			{GroupID: "g", ProtocolType: "consumer", GroupState: since(v, 4, "Empty"), GroupType: since(v, 5, "classic")}})
	})
}

func TestDeleteGroups(t *testing.T) {
	every(t, wire.KeyDeleteGroups, func(v int16) {
		b := newBench(t)
		b.groups.reply = []coordinator.Deleted{{Group: "g"}, {Group: "h", Code: wire.CodeNonEmptyGroup}}
		req := wire.NewDeleteGroupsRequest()
		req.GroupsNames = []string{"g", "h", "g"}
		resp := ask[*wire.DeleteGroupsResponse](b, v, req)
		same(t, v, "asked", b.groups.got, []any{[]string{"g", "h", "g"}})
		same(t, v, "results", resp.Results, []wire.DeleteGroupsResponseDeletableGroupResult{{GroupID: "g"}, {GroupID: "h", ErrorCode: wire.CodeNonEmptyGroup}})
	})
}

// TestDeletedPartitionsAreForgotten: the coordinator hears of them by topic.
func TestDeletedPartitionsAreForgotten(t *testing.T) {
	b := newBench(t)
	b.broker.forget([]metadata.Gone{{Topic: "a"}, {Topic: "a", Partition: 1}, {Topic: "b", Partition: 3}})
	same(t, 0, "gone", b.groups.got, []any{[]group.TopicPartitions{{Topic: "a", Partitions: []int32{0, 1}}, {Topic: "b", Partitions: []int32{3}}}})
}
