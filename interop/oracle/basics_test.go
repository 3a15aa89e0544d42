//go:build interop

package oracle

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func versionScripts() []script {
	out := each("versions", wire.KeyApiVersions, func(s *side, v int16) {
		req := wire.NewApiVersionsRequest()
		if v >= 3 {
			req.ClientSoftwareName, req.ClientSoftwareVersion = "oracle", "1.0"
		}
		s.call(req, v)
	})
	out = append(out, between("software", 3, 4, func(s *side, v int16) {
		for _, name := range []string{"", "-a", "a-", "a b", "a.b-c", "ä"} {
			s.callKeeping(&wire.ApiVersionsRequest{ClientSoftwareName: name, ClientSoftwareVersion: "1"}, v, s.onlyMine)
			s.callKeeping(&wire.ApiVersionsRequest{ClientSoftwareName: "a", ClientSoftwareVersion: name}, v, s.onlyMine)
		}
	})...)
	return append(out, script{name: "too-new", run: func(s *side) {
		for _, v := range []int16{5, 99, -1} {
			s.raw(fmt.Sprintf("ApiVersions v%d", v), wire.KeyApiVersions, 0, header(wire.KeyApiVersions, v, 7))
			s.drop()
		}
		s.raw("ApiVersions v5 with a body", wire.KeyApiVersions, 0, append(header(wire.KeyApiVersions, 5, 7), 0, 2, 'a', 2, 'b', 0))
	}}, script{name: "SaslHandshake", run: func(s *side) {
		for v := range int16(2) {
			s.call(&wire.SaslHandshakeRequest{Mechanism: "PLAIN"}, v)
		}
	}})
}

// header is the header of a request with the client id "x".
func header(k wire.Key, version int16, correlation int32) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(k))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	return append(b, 0, 1, 'x')
}

// served are the APIs of a broker that is alone.
var served = []wire.Key{
	wire.KeyProduce, wire.KeyFetch, wire.KeyListOffsets, wire.KeyMetadata, wire.KeyOffsetCommit, wire.KeyOffsetFetch, wire.KeyFindCoordinator,
	wire.KeyJoinGroup, wire.KeyHeartbeat, wire.KeyLeaveGroup, wire.KeySyncGroup, wire.KeyDescribeGroups, wire.KeyListGroups, wire.KeyApiVersions,
	wire.KeyCreateTopics, wire.KeyDeleteTopics, wire.KeyDeleteRecords, wire.KeyInitProducerID, wire.KeyOffsetForLeaderEpoch, wire.KeyDescribeConfigs,
	wire.KeyAlterConfigs, wire.KeyDescribeLogDirs, wire.KeyCreatePartitions, wire.KeyDeleteGroups, wire.KeyIncrementalAlterConfigs,
	wire.KeyOffsetDelete, wire.KeyDescribeCluster, wire.KeyDescribeProducers,
}

func malformedScripts() []script {
	var out []script
	for _, k := range served {
		out = append(out, script{name: k.String(), run: func(s *side) {
			low, high, _ := wire.Versions(k)
			for v := low; v <= high; v++ {
				h := header(k, v, 9)
				if v >= wire.FlexibleFrom(k) {
					h = append(h, 0)
				}
				if minimal, err := wire.Append(nil, wire.NewRequest(k), v); err == nil && len(minimal) > 1 {
					s.raw(fmt.Sprintf("%v v%d without a body", k, v), k, v, h)
					s.drop()
					s.raw(fmt.Sprintf("%v v%d cut by a byte", k, v), k, v, slices.Concat(h, minimal[:len(minimal)-1]))
					s.drop()
				}
				s.raw(fmt.Sprintf("%v v%d of ones", k, v), k, v, slices.Concat(h, slices.Repeat([]byte{0xff}, 40)))
				s.drop()
				if k != wire.KeyProduce { // an array of nothing would be acks=0
					s.raw(fmt.Sprintf("%v v%d with a large claim", k, v), k, v, slices.Concat(h, []byte{0x7f, 0xff, 0xff, 0xf0, 0x7f, 0xff, 0xff}))
					s.drop()
				}
			}
			s.raw(fmt.Sprintf("%v v%d", k, high+1), k, high+1, header(k, high+1, 9))
			s.drop()
			s.raw(fmt.Sprintf("%v v-1", k), k, -1, header(k, -1, 9))
		}})
	}
	return append(out,
		script{name: "unknown-keys", run: func(s *side) {
			for _, k := range []wire.Key{-1, 52, 55, 59, 62, 64, 70, 71, 74, 75, 76, 80, 88, 200, 32767} {
				s.raw(fmt.Sprintf("key %d", k), k, 0, append(header(k, 0, 3), 0, 0, 0, 0))
				s.drop()
			}
		}},
		script{name: "frames", run: func(s *side) {
			s.rawBytes("size 0", []byte{0, 0, 0, 0})
			s.drop()
			s.rawBytes("size -1", []byte{0xff, 0xff, 0xff, 0xff})
			s.drop()
			s.rawBytes("size 100 MiB + 1", []byte{6, 0x40, 0, 1})
			s.drop()
			s.raw("a part of a header", wire.KeyApiVersions, 0, []byte{0, 18, 0, 0, 0})
			s.drop()
			s.raw("client id longer than the frame", wire.KeyApiVersions, 0, []byte{0, 18, 0, 0, 0, 0, 0, 1, 0, 50, 'x'})
			s.drop()
			s.raw("no client id", wire.KeyApiVersions, 0, []byte{0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff})
			s.drop()
			s.raw("client id of length -2", wire.KeyApiVersions, 0, []byte{0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xfe})
			s.drop()
			s.rawBytes("HTTP", []byte("GET / HTTP/1.1\r\n\r\n"))
		}},
		script{name: "trailing-bytes", run: func(s *side) {
			for _, k := range []wire.Key{wire.KeyListGroups, wire.KeyFindCoordinator, wire.KeyHeartbeat} {
				for _, v := range []int16{0, 4} {
					body, err := wire.Append(nil, wire.NewRequest(k), v)
					s.must(err)
					h := header(k, v, 9)
					if v >= wire.FlexibleFrom(k) {
						h = append(h, 0)
					}
					frame := slices.Concat(h, body, []byte{0, 0, 0})
					s.must(s.dial().Send(frame))
					reply, err := s.conn.Receive(patience)
					if err != nil {
						s.note(fmt.Sprintf("%v v%d with bytes behind it", k, v), s.failed(err)...)
						continue
					}
					s.note(fmt.Sprintf("%v v%d with bytes behind it", k, v), fmt.Sprint("answered, ", len(reply) > 4))
				}
			}
		}},
		script{name: "tags", run: func(s *side) {
			// Unknown tagged fields are for somebody newer.
			h := append(header(wire.KeyApiVersions, 3, 5), 1, 100, 3, 'a', 'b', 'c')
			s.raw("a tag in the header", wire.KeyApiVersions, 3, append(h, 2, 'a', 2, 'b', 0))
			h = append(header(wire.KeyApiVersions, 3, 5), 0)
			s.raw("a tag in the body", wire.KeyApiVersions, 3, append(h, 2, 'a', 2, 'b', 1, 100, 2, 'x', 'y'))
			s.drop()
			s.raw("a tag longer than the frame", wire.KeyApiVersions, 3, append(slices.Clip(h), 2, 'a', 2, 'b', 1, 100, 50, 'x', 'y'))
		}},
	)
}

func metadataScripts() []script {
	return append(each("topics", wire.KeyMetadata, func(s *side, v int16) {
		topic := s.topic("a", 3)
		other := s.topic("b", 1)
		ask := func(names ...string) {
			req := wire.NewMetadataRequest()
			req.Topics = []wire.MetadataRequestTopic{}
			for _, n := range names {
				req.Topics = append(req.Topics, wire.MetadataRequestTopic{Name: &n})
			}
			if v >= 4 {
				req.AllowAutoTopicCreation = false
			}
			s.callKeeping(req, v, s.onlyMine)
		}
		ask()
		ask(topic)
		ask(topic, other, topic)
		if v >= 4 {
			ask(s.name("missing"), topic)
		}
		ask("bad name", "..", "", "x\x00")
		ask("__consumer_offsets")
		if v >= 1 {
			req := wire.NewMetadataRequest()
			req.Topics = nil
			s.callKeeping(req, v, s.onlyMine)
		}
		if v >= 8 {
			req := wire.NewMetadataRequest()
			req.Topics = []wire.MetadataRequestTopic{{Name: &topic}}
			req.IncludeTopicAuthorizedOperations = true
			req.IncludeClusterAuthorizedOperations = v <= 10
			s.call(req, v)
		}
	}), append(each("auto-create", wire.KeyMetadata, func(s *side, v int16) {
		name := s.name("appears")
		req := wire.NewMetadataRequest()
		req.Topics = []wire.MetadataRequestTopic{{Name: &name}}
		s.call(req, v)
		s.leaders(name, 1)
		s.call(req, v)
		s.call(describeTopicConfigs(name), 1)
	}), between("ids", 10, 12, func(s *side, v int16) {
		topic := s.topic("a", 1)
		req := wire.NewMetadataRequest()
		req.Topics = []wire.MetadataRequestTopic{{TopicID: s.id(topic)}}
		s.call(req, v)
		req.Topics = []wire.MetadataRequestTopic{{TopicID: wire.UUID{1, 2, 3}}}
		s.call(req, v)
		req.Topics = []wire.MetadataRequestTopic{{TopicID: wire.UUID{1, 2, 3}, Name: &topic}}
		s.call(req, v)
		req.Topics = []wire.MetadataRequestTopic{{}}
		s.call(req, v)
	})...)...)
}

// onlyMine cuts off what belongs to other cases, which comes and goes.
func (s *side) onlyMine(m wire.Body) {
	others := func(name string) bool {
		return strings.Contains(name, ".") && !strings.HasPrefix(name, s.prefix+".")
	}
	switch r := m.(type) {
	case *wire.ApiVersionsResponse: // one case compares the whole list
		r.ApiKeys = slices.DeleteFunc(r.ApiKeys, func(a wire.ApiVersionsResponseApiVersion) bool { return !slices.Contains(served, wire.Key(a.ApiKey)) })
	case *wire.MetadataResponse:
		r.Topics = slices.DeleteFunc(r.Topics, func(t wire.MetadataResponseTopic) bool { return t.Name != nil && others(*t.Name) })
	case *wire.ElectLeadersResponse:
		r.ReplicaElectionResults = slices.DeleteFunc(r.ReplicaElectionResults, func(t wire.ElectLeadersResponseReplicaElectionResult) bool { return others(t.Topic) })
	case *wire.ControlledShutdownResponse:
		r.RemainingPartitions = slices.DeleteFunc(r.RemainingPartitions, func(p wire.ControlledShutdownResponseRemainingPartition) bool { return others(p.TopicName) })
	case *wire.ListGroupsResponse:
		r.Groups = slices.DeleteFunc(r.Groups, func(g wire.ListGroupsResponseListedGroup) bool { return others(g.GroupID) })
	case *wire.DescribeLogDirsResponse:
		for i := range r.Results {
			dir := &r.Results[i]
			dir.Topics = slices.DeleteFunc(dir.Topics, func(t wire.DescribeLogDirsResponseTopic) bool {
				return others(t.Name) || t.Name == "__consumer_offsets" // which grows
			})
		}
	}
}

func clusterScripts() []script {
	out := each("describe", wire.KeyDescribeCluster, func(s *side, v int16) {
		s.call(wire.NewDescribeClusterRequest(), v)
		req := wire.NewDescribeClusterRequest()
		req.IncludeClusterAuthorizedOperations = true
		s.call(req, v)
		if v >= 1 {
			for _, e := range []int8{2, 0, 9} {
				req := wire.NewDescribeClusterRequest()
				req.EndpointType = e
				s.call(req, v)
			}
		}
	})
	out = append(out, each("log-dirs", wire.KeyDescribeLogDirs, func(s *side, v int16) {
		topic := s.topic("a", 2)
		s.put(topic, 1, batch(record.Spec{}, "k", "v"))
		ask := func(topics ...wire.DescribeLogDirsRequestDescribableLogDirTopic) {
			s.call(&wire.DescribeLogDirsRequest{Topics: topics}, v)
		}
		ask(wire.DescribeLogDirsRequestDescribableLogDirTopic{Topic: topic, Partitions: []int32{0, 1, 2}})
		ask(wire.DescribeLogDirsRequestDescribableLogDirTopic{Topic: topic, Partitions: []int32{}})
		ask(wire.DescribeLogDirsRequestDescribableLogDirTopic{Topic: s.name("missing"), Partitions: []int32{0}})
		s.call(&wire.DescribeLogDirsRequest{Topics: []wire.DescribeLogDirsRequestDescribableLogDirTopic{}}, v)
		s.callKeeping(&wire.DescribeLogDirsRequest{}, v, s.onlyMine)
	})...)
	return append(out, script{name: "new-groups", run: func(s *side) {
		s.call(&wire.ConsumerGroupHeartbeatRequest{GroupID: "g", MemberEpoch: 0, RebalanceTimeoutMs: 1000}, 0)
		s.call(&wire.ConsumerGroupDescribeRequest{GroupIDs: []string{"g"}}, 0)
	}})
}
