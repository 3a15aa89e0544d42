package record

import (
	"fmt"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, c := range codecs {
		for _, n := range []int{1, 7, 2000} {
			t.Run(fmt.Sprintf("%s/%d", c, n), func(t *testing.T) {
				msgs := sample(n, 300)
				b := build(t, Spec{BaseOffset: 1000, Codec: c}, msgs)
				if err := b.Verify(); err != nil {
					t.Fatal(err)
				}
				same(t, collect(t, b.Records()), at(1000, msgs))
				b.SetBaseOffset(0)
				sum, err := b.ValidateRecords(openRules())
				if err != nil {
					t.Fatal(err)
				}
				if !sum.Sequential || sum.Count != int32(n) || sum.MaxTimestamp != b.MaxTimestamp() {
					t.Errorf("%+v for max timestamp %d", sum, b.MaxTimestamp())
				}
				if got := msgs[sum.MaxTimestampDelta].Timestamp; got != sum.MaxTimestamp {
					t.Errorf("record %d has timestamp %d, not %d", sum.MaxTimestampDelta, got, sum.MaxTimestamp)
				}
			})
		}
	}
}
