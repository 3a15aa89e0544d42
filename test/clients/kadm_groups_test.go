package clients

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAdminGroups(t *testing.T) {
	t.Parallel()
	ctx, adm := within(t), admin(t)
	topic, live, empty := topic(t, 2), name(t), name(t)
	fill(t, topic, 2, 10)
	m := join(t, topic, live, kgo.ClientID("cid"), kgo.Balancers(kgo.RangeBalancer()))
	settled(t, live, 2, m)
	commit := func(group string, to int64) error {
		os := kadm.Offsets{}
		os.AddOffset(topic, 0, to, -1)
		os.AddOffset(topic, 1, to, -1)
		return adm.CommitAllOffsets(ctx, group, os)
	}
	equal(t, "commit to a group without members", commit(empty, 3), nil)
	code(t, "commit by a stranger", commit(live, 3), kerr.UnknownMemberID)

	states := func(filter ...string) string {
		t.Helper()
		gs, err := adm.ListGroups(ctx, filter...)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s %s %s", gs[live].State, gs[live].ProtocolType, gs[empty].State)
	}
	equal(t, "all groups", states(), "Stable consumer Empty")
	equal(t, "stable ones", states("Stable"), "Stable consumer ")
	equal(t, "empty ones", states("Empty"), "  Empty")

	ds, err := adm.DescribeGroups(ctx, live, empty, live+"-none")
	if err != nil {
		t.Fatal(err)
	}
	d := ds[live]
	equal(t, "state", fmt.Sprint(d.State, " ", d.Protocol, " ", d.Coordinator.NodeID), "Stable range 0")
	equal(t, "client", d.Members[0].ClientID, "cid")
	joined, ok := d.Members[0].Join.AsConsumer()
	equal(t, "subscription", fmt.Sprint(ok, joined.Topics), fmt.Sprint(true, []string{topic}))
	equal(t, "assignment", describedShares(t, d, topic)[d.Members[0].MemberID], "[0 1]")
	equal(t, "a group of offsets only", ds[empty].State, "Empty")
	equal(t, "a group that is none", ds[live+"-none"].State, "Dead")

	for _, r := range adm.FindGroupCoordinators(ctx, live, empty) {
		equal(t, "coordinator", fmt.Sprint(r.NodeID, r.Err), "0 <nil>")
	}

	many := adm.FetchManyOffsets(ctx, live, empty)
	if err := many.Error(); err != nil {
		t.Fatal(err)
	}
	equal(t, "offsets of the empty one", committed(many[empty].Fetched), "0=3 1=3")
	equal(t, "offsets of the live one", committed(many[live].Fetched), "")

	left, err := adm.DeleteOffsets(ctx, empty, kadm.TopicsSet{topic: {1: {}}})
	if err == nil {
		err = left.Error()
	}
	equal(t, "offsets deleted", err, nil)
	os, err := adm.FetchOffsets(ctx, empty)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "offsets that are left", committed(os), "0=3")
	refused, err := adm.DeleteOffsets(ctx, live, kadm.TopicsSet{topic: {1: {}}})
	if err != nil {
		t.Fatal(err)
	}
	code(t, "offsets of a subscribed topic", refused[topic][1], kerr.GroupSubscribedToTopic)

	deleted, err := adm.DeleteGroups(ctx, live, empty, live+"-none")
	if err != nil {
		t.Fatal(err)
	}
	code(t, "delete a live group", deleted[live].Err, kerr.NonEmptyGroup)
	equal(t, "delete an empty group", deleted[empty].Err, nil)
	code(t, "delete a group that is none", deleted[live+"-none"].Err, kerr.GroupIDNotFound)
	equal(t, "groups after the deletion", states(), "Stable consumer ")
}
