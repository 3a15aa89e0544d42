//go:build interop

package oracle

import (
	"strings"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func fetchScripts() []script {
	out := each("read", wire.KeyFetch, func(s *side, v int16) {
		for _, c := range codecs {
			topic := s.topic(c.String(), 1)
			s.put(topic, 0, batch(record.Spec{Codec: c}, "a", "1", "", "2", "c", strings.Repeat("x", 200)))
			s.put(topic, 0, batch(record.Spec{Codec: c}, "d", "4", "e", "5"))
			for _, offset := range []int64{0, 1, 3, 4, 5} {
				s.call(s.fetch(v, topic, 0, offset), v)
			}
		}
	})
	out = append(out, each("refused", wire.KeyFetch, fetchRefused)...)
	out = append(out, each("sizes", wire.KeyFetch, fetchSizes)...)
	out = append(out, each("waits", wire.KeyFetch, func(s *side, v int16) {
		topic := s.topic("a", 1)
		req := s.fetch(v, topic, 0, 0)
		req.MaxWaitMs = 100
		s.call(req, v)
		req.MaxWaitMs = 10_000
		p := s.begin(req, v)
		s.put(topic, 0, batch(record.Spec{}, "k", "v"))
		s.finish(p)
		req.Topics[0].Partitions[0].FetchOffset = 1
		req.MinBytes = 150
		p = s.begin(req, v)
		s.put(topic, 0, batch(record.Spec{}, "one is", "too little"))
		s.waiting(p)
		s.put(topic, 0, batch(record.Spec{}, "two are", "enough for it"))
		s.finish(p)
	})...)
	out = append(out, between("sessions", 7, 17, sessions)...)
	out = append(out, between("session-errors", 7, 17, func(s *side, v int16) {
		topic := s.topic("a", 1)
		req := s.fetch(v, topic, 0, 0)
		req.SessionID, req.SessionEpoch = 12345, 1
		s.call(req, v)
		req.SessionID, req.SessionEpoch = 0, 5
		s.call(req, v)
		req.SessionID, req.SessionEpoch = 12345, 0
		s.call(req, v)
		req.SessionID, req.SessionEpoch = 12345, -1
		s.call(req, v)
	})...)
	out = append(out, between("epochs", 9, 17, func(s *side, v int16) {
		topic := s.topic("a", 1)
		s.put(topic, 0, batch(record.Spec{}, "k", "v"))
		for _, epoch := range []int32{0, 1, 7} {
			req := s.fetch(v, topic, 0, 0)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			s.call(req, v)
		}
		if v >= 12 {
			for _, epoch := range []int32{0, 3} {
				req := s.fetch(v, topic, 0, 1)
				req.Topics[0].Partitions[0].LastFetchedEpoch = epoch
				s.call(req, v)
			}
		}
	})...)
	return append(out, between("down-conversion-off", 0, 5, func(s *side, v int16) {
		topic := s.topic("a", 1, "message.downconversion.enable", "false")
		s.put(topic, 0, batch(record.Spec{}, "k", "v"))
		s.call(s.fetch(v, topic, 0, 0), v)
	})...)
}

func fetchRefused(s *side, v int16) {
	topic := s.topic("a", 1)
	s.put(topic, 0, batch(record.Spec{}, "k", "v"))
	s.call(s.fetch(v, topic, 0, 2), v)
	s.call(s.fetch(v, topic, 0, -1), v)
	s.call(s.fetch(v, topic, 0, 1<<40), v)
	s.call(s.fetch(v, topic, 1, 0), v)
	s.call(s.fetch(v, topic, -1, 0), v)
	req := s.fetch(v, topic, 0, 0)
	if v >= 13 {
		req.Topics[0].TopicID = wire.UUID{9, 9}
		s.call(req, v)
		req.Topics[0].TopicID = wire.UUID{}
		s.call(req, v)
	} else {
		req.Topics[0].Topic = s.name("missing")
		s.call(req, v)
		req.Topics[0].Topic = "bad name"
		s.call(req, v)
		req.Topics[0].Topic = ""
		s.call(req, v)
	}
	req = s.fetch(v, topic, 0, 0)
	if v < 15 {
		req.ReplicaID = 5
	} else {
		req.ReplicaState.ReplicaID = 5
	}
	s.call(req, v)
	none := s.fetch(v, topic, 0, 0)
	none.Topics = []wire.FetchRequestTopic{}
	s.call(none, v)
	twice := s.fetch(v, topic, 0, 0)
	twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, twice.Topics[0].Partitions[0])
	s.call(twice, v)
	s.deleteRecords(topic, 0, 1)
	s.call(s.fetch(v, topic, 0, 0), v)
	if v >= 4 {
		req = s.fetch(v, topic, 0, 1)
		req.IsolationLevel = 1
		s.call(req, v)
		req.IsolationLevel = 7
		s.call(req, v)
	}
	if v >= 11 {
		req = s.fetch(v, topic, 0, 1)
		req.RackID = "r1"
		s.call(req, v)
	}
}

func (s *side) deleteRecords(topic string, partition int32, to int64) {
	s.quiet(&wire.DeleteRecordsRequest{TimeoutMs: 5000, Topics: []wire.DeleteRecordsRequestTopic{{Name: topic,
		Partitions: []wire.DeleteRecordsRequestPartition{{PartitionIndex: partition, Offset: to}}}}}, 2)
}

// fetchSizes asks for less than there is.
func fetchSizes(s *side, v int16) {
	topic := s.topic("a", 3)
	for p := range int32(3) {
		for range 3 {
			s.put(topic, p, batch(record.Spec{}, "k", strings.Repeat("v", 100)))
		}
	}
	for _, size := range []int32{0, 1, 100, 171, 172, 200, 400, 1 << 20} {
		req := s.fetch(v, topic, 0, 0)
		req.Topics[0].Partitions[0].PartitionMaxBytes = size
		s.call(req, v)
	}
	if v < 3 {
		return
	}
	for _, size := range []int32{0, 1, 172, 600, 900, 1 << 20} {
		req := s.fetch(v, topic, 0, 0)
		p := req.Topics[0].Partitions[0]
		for i := range int32(2) {
			p.Partition = i + 1
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
		}
		req.MaxBytes = size
		s.call(req, v)
	}
}

// sessions walks through the life of an incremental fetch session (KIP-227).
func sessions(s *side, v int16) {
	topic := s.topic("a", 3)
	s.put(topic, 0, batch(record.Spec{}, "k", "v"))
	p := func(partition int32, offset int64) wire.FetchRequestPartition {
		return wire.FetchRequestPartition{Partition: partition, CurrentLeaderEpoch: -1, FetchOffset: offset, LastFetchedEpoch: -1,
			LogStartOffset: -1, PartitionMaxBytes: 1 << 20}
	}
	var session int32
	ask := func(epoch int32, forget []int32, ps ...wire.FetchRequestPartition) {
		req := s.fetch(v, topic, 0, 0)
		req.SessionID, req.SessionEpoch = session, epoch
		req.Topics = []wire.FetchRequestTopic{}
		if len(ps) > 0 {
			req.Topics = append(req.Topics, s.fetchTopic(v, topic, ps...))
		}
		if forget != nil {
			f := wire.FetchRequestForgottenTopic{Partitions: forget, Topic: topic}
			if v >= 13 {
				f.Topic, f.TopicID = "", s.id(topic)
			}
			req.ForgottenTopicsData = append(req.ForgottenTopicsData, f)
		}
		if r, ok := s.call(req, v).(*wire.FetchResponse); ok && r.SessionID != 0 {
			session = r.SessionID
		}
	}
	ask(0, nil, p(0, 0), p(1, 0))
	ask(1, nil)          // the same again: partition 0 still has data
	ask(2, nil, p(0, 1)) // read it
	ask(3, nil)          // nothing new
	s.put(topic, 1, batch(record.Spec{}, "k", "v"))
	ask(4, nil) // only partition 1
	ask(5, nil, p(1, 1), p(2, 0))
	s.put(topic, 2, batch(record.Spec{}, "k", "v"))
	ask(6, []int32{2})
	ask(7, nil, p(9, 0)) // none such
	ask(8, nil)
	ask(20, nil)              // wrong epoch
	ask(8, nil)               // the one it was
	ask(9, nil, p(0, 99))     // out of range
	ask(10, []int32{0, 1, 9}) // leaves nothing that exists
	ask(-1, nil, p(0, 0))     // ends the session
	ask(11, nil)              // which is gone
	session = 0
	ask(-1, nil, p(0, 0)) // sessionless
}
