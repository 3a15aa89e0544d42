//go:build interop

package oracle

import (
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

func commit(v int16, group, member string, generation int32, topic string, partition int32, offset int64, metadata *string) *wire.OffsetCommitRequest {
	req := wire.NewOffsetCommitRequest()
	req.GroupID = group
	if v >= 1 {
		req.MemberID, req.GenerationIDOrMemberEpoch = member, generation
	}
	p := wire.OffsetCommitRequestPartition{PartitionIndex: partition, CommittedOffset: offset, CommittedLeaderEpoch: -1, CommitTimestamp: -1, CommittedMetadata: metadata}
	req.Topics = []wire.OffsetCommitRequestTopic{{Name: topic, Partitions: []wire.OffsetCommitRequestPartition{p}}}
	return req
}

// committed asks for offsets of topics and partitions; nil topics is all.
func committed(v int16, group string, topic string, partitions ...int32) *wire.OffsetFetchRequest {
	req := wire.NewOffsetFetchRequest()
	if v >= 8 {
		g := wire.OffsetFetchRequestGroup{GroupID: group, MemberEpoch: -1}
		if topic != "" {
			g.Topics = []wire.OffsetFetchRequestTopics{{Name: topic, PartitionIndexes: partitions}}
		}
		req.Groups = []wire.OffsetFetchRequestGroup{g}
		return req
	}
	req.GroupID = group
	req.Topics = nil
	if topic != "" {
		req.Topics = []wire.OffsetFetchRequestTopic{{Name: topic, PartitionIndexes: partitions}}
	}
	return req
}

func commitScripts() []script {
	out := each("simple", wire.KeyOffsetCommit, func(s *side, v int16) {
		g, topic := s.name("g"), s.topic("a", 2)
		fetchVersion := int16(7)
		if v == 0 {
			fetchVersion = 0 // both of them mean ZooKeeper
		}
		show := func() { s.call(committed(fetchVersion, g, topic, 0, 1, 5), fetchVersion) }
		show()
		s.call(commit(v, g, "", -1, topic, 0, 42, new("note")), v)
		show()
		s.call(commit(v, g, "", -1, topic, 0, 43, nil), v)
		s.call(commit(v, g, "", -1, topic, 1, 0, new("")), v)
		show()
		s.call(commit(v, g, "", -1, topic, 1, -1, nil), v)
		s.call(commit(v, g, "", -1, topic, 0, 44, new(strings.Repeat("m", 101))), v)
		s.call(commit(v, g, "", -1, topic, 9, 1, nil), v)
		s.call(commit(v, g, "", -1, topic, -1, 1, nil), v)
		s.call(commit(v, g, "", -1, s.name("missing"), 0, 1, nil), v)
		s.call(commit(v, g, "", -1, "bad name", 0, 1, nil), v)
		s.call(commit(v, "", "", -1, topic, 0, 7, nil), v)
		if v >= 1 {
			s.call(commit(v, s.name("h"), "nobody", 1, topic, 0, 1, nil), v)
			s.call(commit(v, s.name("h"), "", 3, topic, 0, 1, nil), v)
			s.call(commit(v, s.name("h"), "nobody", -1, topic, 0, 1, nil), v)
		}
		none := commit(v, g, "", -1, topic, 0, 1, nil)
		none.Topics = []wire.OffsetCommitRequestTopic{}
		s.call(none, v)
		if v >= 6 {
			req := commit(v, g, "", -1, topic, 0, 50, nil)
			req.Topics[0].Partitions[0].CommittedLeaderEpoch = 3
			s.call(req, v)
		}
		if v >= 2 && v <= 4 {
			req := commit(v, g, "", -1, topic, 0, 51, nil)
			req.RetentionTimeMs = 1000
			s.call(req, v)
		}
		show()
	})
	out = append(out, between("member", 1, 9, func(s *side, v int16) {
		g, topic := s.name("g"), s.topic("a", 1)
		m := s.member(5, join(g, ""))
		s.call(commit(v, g, m.MemberID, m.GenerationID, topic, 0, 1, nil), v)
		s.quiet(sync(3, g, m.MemberID, m.GenerationID), 3)
		s.call(commit(v, g, m.MemberID, m.GenerationID, topic, 0, 2, nil), v)
		s.call(commit(v, g, m.MemberID, m.GenerationID+1, topic, 0, 3, nil), v)
		s.call(commit(v, g, m.MemberID, -1, topic, 0, 3, nil), v)
		s.call(commit(v, g, "nobody", m.GenerationID, topic, 0, 4, nil), v)
		s.call(commit(v, g, "", -1, topic, 0, 5, nil), v)
		if v >= 7 {
			req := commit(v, g, m.MemberID, m.GenerationID, topic, 0, 6, nil)
			req.GroupInstanceID = new("instance")
			s.call(req, v)
		}
		s.call(committed(7, g, topic, 0), 7)
		s.quiet(leave(1, g, m.MemberID), 1)
		s.call(commit(v, g, m.MemberID, m.GenerationID, topic, 0, 8, nil), v)
		s.call(commit(v, g, "", -1, topic, 0, 9, nil), v)
		s.call(committed(7, g, topic, 0), 7)
	})...)
	out = append(out, each("fetch", wire.KeyOffsetFetch, offsetFetch)...)
	out = append(out, script{name: "delete-offsets", run: offsetDelete})
	return append(out, each("delete-groups", wire.KeyDeleteGroups, func(s *side, v int16) {
		topic := s.topic("a", 1)
		busy, idle, simple := s.name("busy"), s.name("idle"), s.name("simple")
		m := s.member(5, join(busy, ""))
		x := s.member(5, join(idle, ""))
		s.quiet(commit(2, idle, x.MemberID, x.GenerationID, topic, 0, 1, nil), 2)
		s.quiet(leave(1, idle, x.MemberID), 1)
		s.quiet(commit(2, simple, "", -1, topic, 0, 5, nil), 2)
		drop := func(groups ...string) { s.call(&wire.DeleteGroupsRequest{GroupsNames: groups}, v) }
		drop(busy)
		drop(s.name("missing"))
		drop("")
		drop(idle, simple, busy, idle)
		drop(idle)
		drop([]string{}...)
		s.describeGroup(idle)
		s.call(committed(7, simple, topic, 0), 7)
		s.quiet(leave(1, busy, m.MemberID), 1)
		drop(busy)
	})...)
}

func offsetFetch(s *side, v int16) {
	g, topic, other := s.name("g"), s.topic("a", 3), s.topic("b", 1)
	if v == 0 {
		s.quiet(commit(0, g, "", -1, topic, 0, 10, new("z")), 0)
	}
	s.quiet(commit(6, g, "", -1, topic, 1, 11, new("k")), 6)
	epoch := commit(6, g, "", -1, other, 0, 12, nil)
	epoch.Topics[0].Partitions[0].CommittedLeaderEpoch = 4
	s.quiet(epoch, 6)
	s.call(committed(v, g, topic, 0, 1, 2, 7), v)
	s.call(committed(v, g, other, 0), v)
	s.call(committed(v, g, s.name("missing"), 0), v)
	s.call(committed(v, s.name("nobody"), topic, 0), v)
	s.call(committed(v, "", topic, 0), v)
	if v >= 2 {
		s.call(committed(v, g, ""), v)
		s.call(committed(v, s.name("nobody"), ""), v)
	}
	if v >= 7 {
		req := committed(v, g, topic, 1)
		req.RequireStable = true
		s.call(req, v)
	}
	if v >= 8 {
		req := committed(v, g, topic, 1)
		req.Groups = append(req.Groups, committed(v, s.name("nobody"), topic, 0).Groups...)
		req.Groups = append(req.Groups, committed(v, g, "").Groups...)
		s.call(req, v)
		// Apache never answers a request without groups.
	}
	if v >= 9 {
		req := committed(v, g, topic, 1)
		req.Groups[0].MemberID, req.Groups[0].MemberEpoch = new("nobody"), 3
		s.call(req, v)
	}
}

func offsetDelete(s *side) {
	g, topic, other := s.name("g"), s.topic("a", 2), s.topic("b", 1)
	drop := func(group, topic string, partitions ...int32) {
		t := wire.OffsetDeleteRequestTopic{Name: topic}
		for _, p := range partitions {
			t.Partitions = append(t.Partitions, wire.OffsetDeleteRequestPartition{PartitionIndex: p})
		}
		s.call(&wire.OffsetDeleteRequest{GroupID: group, Topics: []wire.OffsetDeleteRequestTopic{t}}, 0)
	}
	drop(g, topic, 0)
	drop("", topic, 0)
	s.quiet(commit(6, g, "", -1, topic, 0, 1, nil), 6)
	s.quiet(commit(6, g, "", -1, topic, 1, 2, nil), 6)
	s.quiet(commit(6, g, "", -1, other, 0, 3, nil), 6)
	drop(g, topic, 0, 0, 9)
	drop(g, s.name("missing"), 0)
	drop(g, "bad name", 0)
	s.call(committed(7, g, ""), 7)
	// A member that subscribes to a topic keeps its offsets.
	sub := &wire.ConsumerProtocolSubscription{Topics: []string{topic}}
	meta, err := wire.AppendVersioned(nil, sub, 0)
	s.must(err)
	m := s.member(5, join(g, "", protocol{Name: "range", Metadata: meta}))
	s.quiet(sync(3, g, m.MemberID, m.GenerationID), 3)
	drop(g, topic, 1)
	drop(g, other, 0)
	s.call(committed(7, g, ""), 7)
	s.quiet(leave(1, g, m.MemberID), 1)
	drop(g, topic, 1)
	drop(g, []string{topic}[0])
	s.call(committed(7, g, ""), 7)
	odd := s.name("odd")
	req := join(odd, "")
	req.ProtocolType = "connect"
	s.member(5, req)
	drop(odd, topic, 0)
}
