package api

import (
	stdcontext "context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// shortLog takes every batch and holds nothing to load.
type shortLog struct {
	mu struct {
		sync.Mutex
		end int64
	}
}

func (l *shortLog) Append(_, _ int32, _ []byte, done func(base int64, code wire.Code)) {
	l.mu.Lock()
	base := l.mu.end
	l.mu.end++
	l.mu.Unlock()
	done(base, wire.CodeNone)
}

func (l *shortLog) Read(int32, int64, []byte) ([]byte, error) { return nil, nil }

// settled waits for the answer of a call that the coordinator's loops give.
func settled[R wire.Body](b *bench, version int16, req wire.Body) R {
	b.t.Helper()
	call := b.send(version, req)
	synctest.Wait()
	return decoded[R](b.t, version, call)
}

// TestGroupStory takes a member through its life in the form of old, middle and
// new clients, over the real coordinator.
func TestGroupStory(t *testing.T) {
	f := func(name string, join, sync, beat, commit, fetch, leave int16) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				cfg := coordinator.DefaultConfig()
				cfg.Partitions, cfg.Group.InitialDelay = 1, 0
				c := coordinator.New(cfg, &shortLog{}, env.Real().Clock, env.Real().Rand, slog.New(slog.DiscardHandler))
				b.broker.Groups = c
				g := run.NewGroup(stdcontext.Background())
				g.Go("coordinator", c.Run)
				defer func() {
					g.Stop()
					if err := g.Wait(); err != nil {
						t.Error(err)
					}
				}()
				c.OnLeader(0, 1)
				synctest.Wait()
				memberLife(b, join, sync, beat, commit, fetch, leave)
			})
		})
	}
	f("0.9", 0, 0, 0, 1, 1, 0)
	f("2.0", 3, 2, 2, 5, 5, 2)
	f("3.9", 9, 5, 4, 9, 9, 5)
}

// partitionsOfT are those that commitRequest stores, and one without an offset.
var partitionsOfT = []group.TopicPartitions{{Topic: "t", Partitions: []int32{0, 1, 2}}}

func memberLife(b *bench, join, sync, beat, commit, fetch, leave int16) {
	t := b.t.(*testing.T)
	j := wire.NewJoinGroupRequest()
	j.GroupID, j.ProtocolType, j.SessionTimeoutMs = "g", "consumer", 10_000
	j.RebalanceTimeoutMs = -1
	if join >= 1 {
		j.RebalanceTimeoutMs = 60_000
	}
	j.Protocols = []wire.JoinGroupRequestProtocol{{Name: "range"}}
	joined := settled[*wire.JoinGroupResponse](b, join, j)
	if join >= 4 {
		same(t, join, "first join", joined.ErrorCode, wire.CodeMemberIDRequired)
		j.MemberID = joined.MemberID
		joined = settled[*wire.JoinGroupResponse](b, join, j)
	}
	member := joined.MemberID
	same(t, join, "joined", []any{joined.ErrorCode, joined.GenerationID, joined.Leader, len(joined.Members), orEmpty(joined.ProtocolName)},
		[]any{wire.CodeNone, int32(1), member, 1, "range"})

	s := wire.NewSyncGroupRequest()
	s.GroupID, s.MemberID, s.GenerationID = "g", member, 1
	s.ProtocolType, s.ProtocolName = new("consumer"), new("range")
	s.Assignments = []wire.SyncGroupRequestAssignment{{MemberID: member, Assignment: []byte("all")}}
	synced := settled[*wire.SyncGroupResponse](b, sync, s)
	same(t, sync, "synced", []any{synced.ErrorCode, string(synced.Assignment)}, []any{wire.CodeNone, "all"})

	h := wire.NewHeartbeatRequest()
	h.GroupID, h.MemberID, h.GenerationID = "g", member, 1
	same(t, beat, "heartbeat", settled[*wire.HeartbeatResponse](b, beat, h).ErrorCode, wire.CodeNone)

	o := commitRequest(commit)
	o.MemberID, o.GenerationIDOrMemberEpoch = member, 1
	same(t, commit, "commit", commitCodes(settled[*wire.OffsetCommitResponse](b, commit, o)), []wire.Code{3, 0, 3, 0})
	offsets := fetched(fetch, settled[*wire.OffsetFetchResponse](b, fetch, fetchRequest(fetch, partitionsOfT)))[0].Topics[0].Partitions
	same(t, fetch, "offsets", []int64{offsets[0].Offset, offsets[1].Offset, offsets[2].Offset}, []int64{10, 11, -1})

	d := wire.NewDescribeGroupsRequest()
	d.Groups = []string{"g", "h"}
	groups := settled[*wire.DescribeGroupsResponse](b, 5, d).Groups
	same(t, 5, "described", []string{groups[0].GroupState, groups[0].Members[0].ClientHost, groups[0].Members[0].ClientID, groups[1].GroupState},
		[]string{"Stable", "/10.1.2.3", "client", "Dead"})
	del := wire.NewDeleteGroupsRequest()
	del.GroupsNames = []string{"g", "h", "g"}
	same(t, 2, "delete while used", settled[*wire.DeleteGroupsResponse](b, 2, del).Results, []wire.DeleteGroupsResponseDeletableGroupResult{
		{GroupID: "g", ErrorCode: wire.CodeNonEmptyGroup}, {GroupID: "h", ErrorCode: wire.CodeGroupIDNotFound}})

	l := wire.NewLeaveGroupRequest()
	l.GroupID = "g"
	if leave < 3 {
		l.MemberID = member
	} else {
		l.Members = []wire.LeaveGroupRequestMemberIdentity{{MemberID: member}}
	}
	same(t, leave, "left", settled[*wire.LeaveGroupResponse](b, leave, l).ErrorCode, wire.CodeNone)
	listed := settled[*wire.ListGroupsResponse](b, 5, wire.NewListGroupsRequest()).Groups
	same(t, 5, "listed", listed, []wire.ListGroupsResponseListedGroup{{GroupID: "g", ProtocolType: "consumer", GroupState: "Empty", GroupType: "classic"}})
	del.GroupsNames = []string{"g"}
	same(t, 2, "deleted", settled[*wire.DeleteGroupsResponse](b, 2, del).Results, []wire.DeleteGroupsResponseDeletableGroupResult{{GroupID: "g"}})
	same(t, 5, "listed", len(settled[*wire.ListGroupsResponse](b, 5, wire.NewListGroupsRequest()).Groups), 0)
}
