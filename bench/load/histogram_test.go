package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsJoin(t *testing.T) {
	f := func(v uint64) {
		t.Helper()
		i := bucket(v)
		if i < 0 || i >= buckets {
			t.Fatalf("bucket(%d) = %d, there are %d", v, i, buckets)
		}
		if up := upper(i); up < v || float64(up-v) > float64(v)/(1<<subBits) {
			t.Errorf("upper(bucket(%d)) = %d", v, up)
		}
		if i > 0 && upper(i-1) >= v {
			t.Errorf("%d lies in bucket %d, but the one before reaches to %d", v, i, upper(i-1))
		}
	}
	for shift := range 63 {
		for _, d := range []uint64{0, 1, 2} {
			f(1<<shift - 1 + d)
		}
	}
	f(math.MaxInt64)
}

func TestQuantiles(t *testing.T) {
	var h, low, high Histogram
	for i := range 1000 {
		d := time.Duration(i+1) * time.Millisecond
		h.Record(d)
		if i%2 == 0 {
			low.Record(d)
		} else {
			high.Record(d)
		}
	}
	low.Merge(&high)
	f := func(q float64, want time.Duration) {
		t.Helper()
		for name, h := range map[string]*Histogram{"one": &h, "merged": &low} {
			if got := h.Quantile(q); got < want || float64(got-want) > 0.01*float64(want) {
				t.Errorf("%s: Quantile(%g) = %v, want %v", name, q, got, want)
			}
		}
	}
	f(0, time.Millisecond)
	f(0.5, 500*time.Millisecond)
	f(0.99, 990*time.Millisecond)
	f(0.999, 999*time.Millisecond)
	f(1, time.Second)
	if h.Count() != 1000 || h.Max() != time.Second || h.Mean() != 500500*time.Microsecond {
		t.Errorf("count %d, max %v, mean %v", h.Count(), h.Max(), h.Mean())
	}
}

func TestQuantileAgainstSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(math.Exp(rng.NormFloat64()*3 + 13))
		h.Record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := h.Quantile(q); got < want || float64(got-want) > 0.01*float64(want)+1 {
			t.Errorf("Quantile(%g) = %v, want %v", q, got, want)
		}
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Errorf("p50 %v, mean %v, max %v of nothing", h.Quantile(0.5), h.Mean(), h.Max())
	}
	if h.Record(-time.Second); h.Quantile(1) != 0 || h.Count() != 1 {
		t.Errorf("a negative duration counts as %v, %d times", h.Quantile(1), h.Count())
	}
}
