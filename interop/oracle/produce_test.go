//go:build interop

package oracle

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

var codecs = []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd}

func produceScripts() []script {
	out := each("stored", wire.KeyProduce, func(s *side, v int16) {
		for _, c := range codecs {
			topic := s.topic(c.String(), 1)
			if c == record.Zstd && v < 3 {
				continue // no such compression in the old formats
			}
			s.call(produce(1, topic, 0, fitting(v, c, "a", "1", "", "2", "c", "")), v)
			s.call(produce(-1, topic, 0, fitting(v, c, "d", strings.Repeat("x", 3000))), v)
			s.unanswered(produce(0, topic, 0, fitting(v, c, "e", "5")), v)
			s.stored(topic, 0)
		}
	})
	out = append(out, each("refused", wire.KeyProduce, func(s *side, v int16) {
		topic := s.topic("a", 20)
		last := int32(20)
		send := func(records []byte) { // each to a partition of its own
			last--
			s.call(produce(1, topic, last, records), v)
			s.stored(topic, last)
		}
		good := fitting(v, record.None, "k", "v")
		for _, acks := range []int16{2, -2, 100} {
			s.call(produce(acks, topic, 0, good), v)
		}
		s.call(produce(1, s.name("missing"), 0, good), v)
		s.call(produce(1, "bad name", 0, good), v)
		s.call(produce(1, topic, 20, good), v)
		s.call(produce(1, topic, -1, good), v)
		// Apache never answers when records are null.
		send([]byte{})
		send(good[:len(good)-1])
		send(good[:10])
		send(slices.Concat(good, good))
		send(slices.Concat(good, good[:20]))
		damaged := slices.Clone(good)
		damaged[len(damaged)-1] ^= 1
		send(damaged)
		send(oldSet(0, record.None, "k", "v"))
		send(oldSet(1, record.None, "k", "v"))
		send(oldSet(1, record.Gzip, "k", "v"))
		send(batch(record.Spec{}, "k", "v"))
		send(poke(good, 16, 3))
		send(poke(good, 16, 0xff))
		empty := wire.NewProduceRequest()
		empty.Acks = 1
		s.call(empty, v)
		s.call(produce(1, "__consumer_offsets", 0, good), v)
	})...)
	out = append(out, each("refused-unheard", wire.KeyProduce, func(s *side, v int16) {
		topic := s.topic("a", 1)
		good := fitting(v, record.None, "k", "v")
		damaged := slices.Clone(good)
		damaged[len(damaged)-1] ^= 1
		s.unanswered(produce(0, topic, 0, good), v)
		s.unanswered(produce(0, topic, 0, damaged), v)
		s.unanswered(produce(0, s.name("missing"), 0, good), v)
		s.unanswered(produce(0, topic, 9, good), v)
	})...)
	out = append(out, each("several", wire.KeyProduce, func(s *side, v int16) {
		a, b := s.topic("a", 3), s.topic("b", 1)
		req := produce(-1, a, 0, fitting(v, record.None, "k", "v"))
		req.TopicData[0].PartitionData = append(req.TopicData[0].PartitionData,
			wire.ProduceRequestPartitionData{Index: 2, Records: wire.Records{Bytes: fitting(v, record.Gzip, "k", "v", "l", "w")}},
			wire.ProduceRequestPartitionData{Index: 7, Records: wire.Records{Bytes: fitting(v, record.None, "k", "v")}})
		req.TopicData = append(req.TopicData, produce(-1, b, 0, fitting(v, record.LZ4, "k", "v")).TopicData...)
		s.call(req, v)
		s.call(req, v)
	})...)
	out = append(out, each("limits", wire.KeyProduce, func(s *side, v int16) { limits(s, v) })...)
	out = append(out, each("times", wire.KeyProduce, func(s *side, v int16) { times(s, v) })...)
	return append(out,
		script{name: "damage", run: damage},
		script{name: "claims", run: claims},
		script{name: "idempotent", run: idempotent},
		script{name: "recompressed", run: func(s *side) {
			for _, to := range append(codecs, -1) {
				name := map[record.Codec]string{record.None: "uncompressed", -1: "producer"}[to]
				if name == "" {
					name = to.String()
				}
				topic := s.topic(name, 1, "compression.type", name)
				for _, from := range codecs {
					s.call(produce(1, topic, 0, batch(record.Spec{Codec: from}, "a", "1", "b", strings.Repeat("y", 500))), 9)
				}
				s.stored(topic, 0)
			}
		}},
		script{name: "old-formats-stored", run: func(s *side) {
			for _, c := range codecs[:4] {
				topic := s.topic(c.String(), 1)
				for _, magic := range []int8{0, 1} {
					s.call(produce(1, topic, 0, oldSet(magic, c, "a", "1", "", "2", "c", strings.Repeat("z", 400))), 2)
					s.call(produce(1, topic, 0, slices.Concat(oldSet(magic, c, "a", "1"), oldSet(magic, c, "b", "2"))), 2)
				}
				s.stored(topic, 0)
			}
		}},
	)
}

// limits sends records that break the rules of their topic.
func limits(s *side, v int16) {
	small := s.topic("small", 1, "max.message.bytes", "200")
	s.call(produce(1, small, 0, fitting(v, record.None, "k", strings.Repeat("x", 300))), v)
	s.call(produce(1, small, 0, fitting(v, record.Gzip, "k", strings.Repeat("x", 3000))), v)
	s.call(produce(1, small, 0, fitting(v, record.None, "k", "v")), v)
	s.stored(small, 0)
	compacted := s.topic("compacted", 1, "cleanup.policy", "compact")
	s.call(produce(1, compacted, 0, fitting(v, record.None, "k", "v", "", "no key", "", "none either")), v)
	s.call(produce(1, compacted, 0, fitting(v, record.Gzip, "", "no key")), v)
	s.call(produce(1, compacted, 0, fitting(v, record.None, "k", "v")), v)
	s.stored(compacted, 0)
	lonely := s.topic("lonely", 1, "min.insync.replicas", "2")
	s.call(produce(-1, lonely, 0, fitting(v, record.None, "k", "v")), v)
	s.call(produce(1, lonely, 0, fitting(v, record.None, "k", "v")), v)
}

// farFuture is later than brokers let a record be; both sides must get the
// same.
var farFuture = time.Now().Add(10 * 24 * time.Hour).UnixMilli()

// times sends records whose times the topic does not allow, and lets the
// broker set them.
func times(s *side, v int16) {
	old := func(records []byte) []byte {
		magic := int8(0)
		switch {
		case v >= 3:
			return records
		case v == 2:
			magic = 1
		}
		out, err := record.Downconvert(nil, records, magic, 0, 0)
		s.must(err)
		return out
	}
	strict := s.topic("strict", 1, "message.timestamp.before.max.ms", "86400000")
	for _, c := range []record.Codec{record.None, record.Gzip} {
		s.call(produce(1, strict, 0, old(batchAt(farFuture, record.Spec{Codec: c}, "k", "v", "l", "w"))), v)
		s.call(produce(1, strict, 0, old(batchAt(epoch, record.Spec{Codec: c}, "k", "v"))), v)
		s.call(produce(1, strict, 0, old(batchAt(record.NoTimestamp, record.Spec{Codec: c}, "k", "v"))), v)
	}
	s.stored(strict, 0)
	broker := s.topic("broker", 1, "message.timestamp.type", "LogAppendTime")
	for _, c := range []record.Codec{record.None, record.LZ4} {
		s.call(produce(1, broker, 0, old(batchAt(farFuture, record.Spec{Codec: c}, "k", "v", "l", "w"))), v)
	}
	s.stored(broker, 0)
}

// Offsets in the header of a v2 batch.
const (
	atLength     = 8
	atEpoch      = 12
	atAttributes = 21
	atLastDelta  = 23
	atMaxTime    = 35
	atProducer   = 43
	atSequence   = 53
	atCount      = 57
	atRecords    = 61
)

// damage sends batches that are whole and have a right checksum, but lie.
func damage(s *side) {
	const probes = 40 // each in a partition of its own, so that one difference does not make others
	topic := s.topic("a", probes)
	good := batch(record.Spec{}, "key", "value", "key2", "value2")
	zip := batch(record.Spec{Codec: record.Gzip}, "key", "value", "key2", strings.Repeat("v", 100))
	partition := int32(0)
	send := func(b record.Batch) {
		s.call(produce(1, topic, partition, b), 9)
		s.call(produce(-1, topic, partition, b), 11)
		s.stored(topic, partition)
		partition++
	}
	send(withCRC(poke(good, 0, be64(5)...)))
	send(withCRC(poke(good, atEpoch, be32(3)...)))
	send(withCRC(poke(good, atLastDelta, be32(5)...)))
	send(withCRC(poke(good, atLastDelta, be32(-1)...)))
	send(withCRC(poke(good, atCount, be32(3)...)))
	send(withCRC(poke(good, atCount, be32(1)...)))
	send(withCRC(poke(good, atCount, be32(0)...)))
	send(withCRC(poke(good, atCount, be32(-1)...)))
	send(withCRC(poke(zip, atCount, be32(3)...)))
	send(withCRC(poke(zip, atLastDelta, be32(3)...)))
	send(withCRC(poke(good, atMaxTime, be64(epoch+99_999)...)))
	send(withCRC(poke(good, atMaxTime, be64(-1)...)))
	send(withCRC(poke(good, atAttributes, 0, 0x20))) // control
	send(withCRC(poke(good, atAttributes, 0, 0x10))) // transactional
	send(withCRC(poke(good, atAttributes, 0, 0x08))) // LogAppendTime
	send(withCRC(poke(good, atAttributes, 0, 0x40))) // delete horizon
	send(withCRC(poke(good, atAttributes, 0x10, 0))) // unused
	for codec := byte(1); codec < 8; codec++ {
		send(withCRC(poke(good, atAttributes, 0, codec)))
	}
	send(withCRC(poke(good, atLength, be32(20)...)))
	send(poke(good, atLength, be32(-5)...))
	send(poke(good, atLength, be32(int32(len(good)))...))
	send(withCRC(poke(good, atRecords, 2)))
	send(withCRC(poke(good, atRecords, 0xff, 0xff, 0xff, 0xff, 0x7f)))
	send(withCRC(poke(good, atRecords+3, 6))) // second offset delta of the first
	garbage := slices.Clone(zip)
	for i := atRecords; i < len(garbage); i++ {
		garbage[i] = byte(i)
	}
	send(withCRC(garbage))
	more := append(slices.Clone(good), 0, 0, 0)
	binary.BigEndian.PutUint32(more[atLength:], uint32(len(more)-12))
	send(withCRC(more))
}

// claims sends records with null and large parts.
func claims(s *side) {
	topic := s.topic("a", 1)
	var bl record.Builder
	send := func() {
		b, err := bl.Build()
		s.must(err)
		s.call(produce(1, topic, 0, b), 11)
	}
	bl.Reset(record.Spec{})
	bl.Append(epoch, nil, nil)
	send()
	bl.Reset(record.Spec{})
	bl.Append(epoch, []byte("k"), nil, record.Header{Key: []byte("h"), Value: []byte("1")}, record.Header{Key: []byte("h"), Value: nil}, record.Header{Key: []byte{}, Value: []byte{}})
	send()
	bl.Reset(record.Spec{})
	bl.Append(epoch+5000, []byte("later"), []byte("x"))
	bl.Append(epoch-5000, []byte("earlier"), []byte("y"))
	send()
	bl.Reset(record.Spec{})
	bl.Append(epoch, nil, slices.Repeat([]byte("z"), 1_048_588-70))
	send()
	bl.Reset(record.Spec{})
	bl.Append(epoch, nil, slices.Repeat([]byte("z"), 1_048_588))
	send()
	s.stored(topic, 0)
}
