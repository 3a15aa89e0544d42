//go:build interop

package oracle

import (
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// plainProducer asks for a producer id without a transactional one, whose
// default is the empty string.
func plainProducer() *wire.InitProducerIDRequest {
	req := wire.NewInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMs = nil, 60_000
	return req
}

// newProducer takes a producer id.
func (s *side) newProducer() int64 {
	r := s.quiet(plainProducer(), 4).(*wire.InitProducerIDResponse)
	if r.ErrorCode != wire.CodeNone {
		s.must(r.ErrorCode)
	}
	return r.ProducerID
}

// idempotent walks through the rules of sequences.
func idempotent(s *side) {
	topic := s.topic("a", 2)
	id := s.newProducer()
	send := func(id int64, epoch int16, seq int32, pairs ...string) {
		b := batch(record.Spec{HasProducer: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq}, pairs...)
		s.call(produce(-1, topic, 0, b), 9)
	}
	describe := func() {
		s.call(&wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopicRequest{{Name: topic, PartitionIndexes: []int32{0, 1}}}}, 0)
	}
	describe()
	send(id, 0, 0, "a", "1", "b", "2")
	send(id, 0, 0, "a", "1", "b", "2") // again
	send(id, 0, 2, "c", "3")
	send(id, 0, 4, "gap", "5")
	send(id, 0, 1, "overlap", "5")
	send(id, 0, 3, "d", "4")
	for seq := int32(4); seq < 9; seq++ {
		send(id, 0, seq, "e", "5")
	}
	send(id, 0, 0, "a", "1", "b", "2") // no longer remembered
	send(id, 0, 5, "e", "5")
	describe()
	send(id, 1, 1, "new epoch from 1", "")
	send(id, 1, 0, "new epoch", "")
	send(id, 0, 9, "old epoch", "")
	describe()
	stranger := s.newProducer()
	send(stranger, 0, 7, "unknown from 7", "")
	send(stranger, 0, 8, "and on", "")
	send(stranger, 3, 0, "epoch skips", "")
	wrap := s.newProducer()
	send(wrap, 0, 1<<31-2, "a", "1", "b", "2")
	send(wrap, 0, 0, "wrapped", "")
	send(wrap, 0, 1<<31-2, "a", "1", "b", "2")
	describe()
	bad := batch(record.Spec{HasProducer: true, ProducerID: id, ProducerEpoch: 1, BaseSequence: 1}, "k", "v")
	s.call(produce(-1, topic, 0, withCRC(poke(bad, atSequence, be32(-1)...))), 9)
	s.call(produce(-1, topic, 0, withCRC(poke(bad, atSequence-2, 0xff, 0xff))), 9)
	s.call(produce(-1, topic, 0, withCRC(poke(bad, atProducer, be64(-2)...))), 9)
	s.stored(topic, 0)
}

func producerScripts() []script {
	out := each("init", wire.KeyInitProducerID, func(s *side, v int16) {
		req := plainProducer()
		s.call(req, v)
		s.call(req, v)
		req.TransactionTimeoutMs = 0
		s.call(req, v)
		empty := ""
		req.TransactionalID = &empty
		s.call(req, v)
		if v >= 3 {
			req.TransactionalID = nil
			req.ProducerID, req.ProducerEpoch = 5, 1
			s.call(req, v)
			req.ProducerID, req.ProducerEpoch = 5, -1
			s.call(req, v)
		}
	})
	return append(out, script{name: "describe", run: func(s *side) {
		topic := s.topic("a", 1)
		ask := func(topic string, ps ...int32) {
			s.call(&wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopicRequest{{Name: topic, PartitionIndexes: ps}}}, 0)
		}
		ask(topic, 0)
		ask(topic, 0, 1, -1)
		ask(topic, []int32{}...)
		ask(s.name("missing"), 0)
		ask("bad name", 0)
		ask("__consumer_offsets", 0)
		s.call(&wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopicRequest{}}, 0)
	}})
}
