package record

import (
	"fmt"
	"testing"
)

func benchBatch(b *testing.B, c Codec, total, size int) Batch {
	msgs := sample(total/size, size)
	for i := range msgs {
		msgs[i].Key, msgs[i].Headers = nil, nil
		if msgs[i].Value = msgs[0].Value; i%3 == 1 {
			msgs[i].Value = msgs[5].Value
		}
	}
	return build(b, Spec{Codec: c}, msgs)
}

func BenchmarkVerify(b *testing.B) {
	batch := benchBatch(b, None, 100<<10, 1<<10)
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		if err := batch.Verify(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidateRecords(b *testing.B) {
	for _, c := range codecs {
		for _, size := range []int{100, 1 << 10} {
			b.Run(fmt.Sprintf("%s/%d", c, size), func(b *testing.B) {
				batch := benchBatch(b, c, 100<<10, size)
				rules := openRules()
				b.SetBytes(100 << 10)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := batch.ValidateRecords(rules); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			batch := benchBatch(b, c, 100<<10, 100)
			b.SetBytes(100 << 10)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for r, err := range batch.Records() {
					if err != nil {
						b.Fatal(err)
					}
					n += len(r.Value)
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			batch := benchBatch(b, None, 100<<10, 100)
			var bl Builder
			b.SetBytes(100 << 10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Recompress(&bl, batch, Target{Codec: c}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
