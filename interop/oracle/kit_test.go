//go:build interop

package oracle

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// epoch is the time of the first record of every batch, in ms.
const epoch int64 = 1_700_000_000_000

// batch builds a v2 batch of key and value pairs, one second apart. An empty
// key is none.
func batch(spec record.Spec, pairs ...string) record.Batch { return batchAt(epoch, spec, pairs...) }

func batchAt(at int64, spec record.Spec, pairs ...string) record.Batch {
	var bl record.Builder
	bl.Reset(spec)
	for i := 0; i < len(pairs); i += 2 {
		var key []byte
		if pairs[i] != "" {
			key = []byte(pairs[i])
		}
		bl.Append(at+int64(i)*500, key, []byte(pairs[i+1]))
	}
	b, err := bl.Build()
	if err != nil {
		panic(broken{err})
	}
	return b
}

// oldSet builds a message set of magic 0 or 1.
func oldSet(magic int8, c record.Codec, pairs ...string) []byte {
	out, err := record.Downconvert(nil, batch(record.Spec{Codec: c}, pairs...), magic, 0, 0)
	if err != nil {
		panic(broken{err})
	}
	return out
}

// fitting builds records in the format that clients of that version of Produce
// send.
func fitting(version int16, c record.Codec, pairs ...string) []byte {
	switch {
	case version < 2:
		return oldSet(0, c, pairs...)
	case version < 3:
		return oldSet(1, c, pairs...)
	}
	return batch(record.Spec{Codec: c}, pairs...)
}

// withCRC sets the checksum of a batch that was tampered with.
func withCRC(b record.Batch) []byte {
	b.SetCRC()
	return b
}

// poke changes bytes of a copy of a batch.
func poke(b []byte, at int, with ...byte) record.Batch {
	c := append([]byte(nil), b...)
	copy(c[at:], with)
	return c
}

func be32(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func be64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func produce(acks int16, topic string, partition int32, records []byte) *wire.ProduceRequest {
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = acks, 10_000
	req.TopicData = []wire.ProduceRequestTopicData{{Name: topic, PartitionData: []wire.ProduceRequestPartitionData{
		{Index: partition, Records: wire.Records{Bytes: records}}}}}
	return req
}

// put appends records without a word.
func (s *side) put(topic string, partition int32, records []byte) {
	r := s.quiet(produce(1, topic, partition, records), 9).(*wire.ProduceResponse)
	if c := r.Responses[0].PartitionResponses[0].ErrorCode; c != wire.CodeNone {
		s.must(fmt.Errorf("put into %s: %w", topic, c))
	}
}

// fetch asks for one partition; by id or name as the version wants it.
func (s *side) fetch(version int16, topic string, partition int32, offset int64) *wire.FetchRequest {
	req := wire.NewFetchRequest()
	req.MaxWaitMs, req.MinBytes, req.MaxBytes = 0, 1, 50<<20
	p := wire.FetchRequestPartition{Partition: partition, CurrentLeaderEpoch: -1, FetchOffset: offset, LastFetchedEpoch: -1,
		LogStartOffset: -1, PartitionMaxBytes: 1 << 20}
	req.Topics = []wire.FetchRequestTopic{s.fetchTopic(version, topic, p)}
	return req
}

func (s *side) fetchTopic(version int16, topic string, ps ...wire.FetchRequestPartition) wire.FetchRequestTopic {
	if version >= 13 {
		return wire.FetchRequestTopic{TopicID: s.id(topic), Partitions: ps}
	}
	return wire.FetchRequestTopic{Topic: topic, Partitions: ps}
}

// stored fetches all of a partition, which shows what a produce left there.
func (s *side) stored(topic string, partition int32) { s.call(s.fetch(11, topic, partition, 0), 11) }

// pending is a request whose answer is awaited later, on its own connection.
type pending struct {
	conn    *peer.Conn
	key     wire.Key
	version int16
	label   string
}

// begin sends a request over a connection of its own.
func (s *side) begin(req wire.Body, version int16) *pending {
	c, err := peer.Dial(s.broker.Addr)
	s.must(err)
	s.extra = append(s.extra, c)
	p := &pending{c, req.Key(), version, fmt.Sprintf("%v v%d later %s", req.Key(), version, s.brief(req))}
	frame, err := c.Frame(req, version)
	s.must(err)
	s.must(c.Send(frame))
	return p
}

// finish waits for the answer and writes it down.
func (s *side) finish(p *pending) wire.Body {
	mine := s.conn
	s.conn = p.conn
	resp, outcome := s.receive(p.key, p.version)
	s.conn = mine
	if resp != nil {
		outcome = s.flatten(resp)
	}
	s.note(p.label, outcome...)
	return resp
}

// waiting notes whether the answer is still out.
func (s *side) waiting(p *pending) {
	_, err := p.conn.Receive(300 * time.Millisecond)
	if err == nil {
		s.note(p.label, "answered too early")
	}
}
