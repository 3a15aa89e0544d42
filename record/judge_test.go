package record

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// franz-go's own batch and record are the second judge, both ways.
func TestAgainstKmsg(t *testing.T) {
	msgs := sample(50, 40)
	b := build(t, Spec{BaseOffset: 9, HasProducer: true, ProducerID: 3, ProducerEpoch: 2, BaseSequence: 70, Transactional: true}, msgs)
	b.SetLeaderEpoch(6)
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if k.FirstOffset != 9 || k.PartitionLeaderEpoch != 6 || uint32(k.CRC) != b.CRC() || k.Attributes != b.Attributes() || k.LastOffsetDelta != 49 ||
		k.FirstTimestamp != b.BaseTimestamp() || k.MaxTimestamp != b.MaxTimestamp() || k.ProducerID != 3 || k.ProducerEpoch != 2 ||
		k.FirstSequence != 70 || k.NumRecords != 50 {
		t.Errorf("%+v", k)
	}
	var got []msg
	var encoded []byte
	for raw := k.Records; len(raw) > 0; {
		n, i := binary.Varint(raw)
		var r kmsg.Record
		if err := r.ReadFrom(raw[:i+int(n)]); err != nil {
			t.Fatal(err)
		}
		raw = raw[i+int(n):]
		m := msg{Offset: 9 + int64(r.OffsetDelta), Timestamp: k.FirstTimestamp + r.TimestampDelta64, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, Header{Key: []byte(h.Key), Value: h.Value})
		}
		got = append(got, m)
		encoded = r.AppendTo(encoded)
	}
	same(t, got, at(9, msgs))

	// Its records in our batch, and its batch read by us.
	own := frameRecords(t, Zstd, 50, encoded)
	if _, err := own.ValidateRecords(openRules()); err != nil {
		t.Error(err)
	}
	again := Batch(k.AppendTo(nil))
	if err := again.Verify(); err != nil {
		t.Fatal(err)
	}
	same(t, collect(t, again.Records()), at(9, msgs))
}
