package check

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// Partition names one partition of a topic.
type Partition struct {
	Topic string
	Index int32
}

// String writes topic-index.
func (p Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Index) }

// Value says who wrote a record, and its how-manyth to that partition it is,
// counted from 0.
type Value struct {
	Producer int
	Seq      int64
}

// String writes producer/seq.
func (v Value) String() string { return fmt.Sprintf("%d/%d", v.Producer, v.Seq) }

// Encode writes the value with filler bytes behind it and a checksum over all,
// so that bytes from elsewhere are noticed.
func (v Value) Encode(p Partition, filler int) []byte {
	b := fmt.Appendf(nil, "%d/%d/%s/", v.Producer, v.Seq, p)
	for i := range filler {
		b = append(b, 'a'+byte((int64(i)+v.Seq)%26))
	}
	return fmt.Appendf(b, "/%08x", crc32.ChecksumIEEE(b))
}

// DecodeValue reads what Encode wrote, for that partition.
func DecodeValue(p Partition, b []byte) (Value, error) {
	var v Value
	const tail = 9 // of the checksum with its slash
	if len(b) < tail {
		return v, fmt.Errorf("value %q is no value of this workload", b)
	}
	body := b[:len(b)-tail]
	if want := fmt.Appendf(nil, "/%08x", crc32.ChecksumIEEE(body)); !bytes.Equal(want, b[len(body):]) {
		return v, fmt.Errorf("value %.60q has a wrong checksum", b)
	}
	parts := bytes.SplitN(body, []byte("/"), 4)
	if len(parts) != 4 || string(parts[2]) != p.String() {
		return v, fmt.Errorf("value %.60q does not belong to %s", b, p)
	}
	_, err := fmt.Sscanf(string(body), "%d/%d/", &v.Producer, &v.Seq)
	return v, err
}
