package fetch

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/record"
)

// Zstandard is no codec for virtual time: its decoders own channels and are closed
// by the garbage collector.
func TestZstd(t *testing.T) {
	var bl record.Builder
	bl.Reset(record.Spec{BaseOffset: 5, Codec: record.Zstd})
	for i := range 3 {
		bl.Append(1, nil, fmt.Append(nil, 5+i))
	}
	data, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	f := &Fetcher{decompress: kgo.DefaultDecompressor()}
	r := request{p: &part{TopicPartition: assign.TopicPartition{Topic: "t"}}, offset: 6}
	p := kmsg.NewFetchResponseTopicPartition()
	p.RecordBatches = data
	if !f.take(t.Context(), r, &p) || len(r.p.records) != 2 || r.p.ask != 8 {
		t.Fatalf("%d records, then %d", len(r.p.records), r.p.ask)
	}
	for i, r := range r.p.records {
		if r.Offset != int64(6+i) || string(r.Value) != fmt.Sprint(6+i) {
			t.Errorf("record %d is %+v", i, r)
		}
	}
}
