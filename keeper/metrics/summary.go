package metrics

import (
	"math"
	"slices"
	"sync/atomic"
)

// Counter counts upwards.
type Counter struct{ n atomic.Int64 }

// Add counts n more, which is not negative.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Value is the count since the start or the last reset.
func (c *Counter) Value() int64 { return c.n.Load() }

// sampled is how many values a Summary keeps for its quantiles; all that came
// have the same chance to be among them.
const sampled = 1024

// Summary tells how values spread.
type Summary struct {
	count, sum, min, max atomic.Int64
	detailed             bool
	samples              [sampled]atomic.Int64
}

func newSummary(detailed bool) *Summary {
	s := &Summary{detailed: detailed}
	s.reset()
	return s
}

func (s *Summary) reset() {
	s.count.Store(0)
	s.sum.Store(0)
	s.min.Store(math.MaxInt64)
	s.max.Store(math.MinInt64)
}

// Observe takes a value in.
func (s *Summary) Observe(v int64) {
	s.sum.Add(v)
	n := s.count.Add(1)
	for have := s.min.Load(); v < have && !s.min.CompareAndSwap(have, v); have = s.min.Load() {
	}
	for have := s.max.Load(); v > have && !s.max.CompareAndSwap(have, v); have = s.max.Load() {
	}
	at := uint64(n - 1)
	if n > sampled {
		at = scatter(uint64(n)) % uint64(n)
	}
	if at < sampled {
		s.samples[at].Store(v)
	}
}

// scatter makes numbers that look random of numbers that do not (splitmix64).
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Average is the mean to four places, 0 of nothing.
func (s *Summary) Average() float64 {
	n := s.count.Load()
	if n == 0 {
		return 0
	}
	return math.Round(float64(s.sum.Load())/float64(n)*1e4) / 1e4
}

// Least is the smallest value, 0 of nothing.
func (s *Summary) Least() int64 { return orZero(s.min.Load(), math.MaxInt64) }

// Most is the largest value, 0 of nothing.
func (s *Summary) Most() int64 { return orZero(s.max.Load(), math.MinInt64) }

func orZero(v, none int64) int64 {
	if v == none {
		return 0
	}
	return v
}

// quantiles estimates them, NaN of nothing.
func (s *Summary) quantiles(of ...float64) []float64 {
	n := min(int(s.count.Load()), sampled)
	values := make([]int64, n)
	for i := range values {
		values[i] = s.samples[i].Load()
	}
	slices.Sort(values)
	out := make([]float64, len(of))
	for i, q := range of {
		out[i] = quantile(values, q)
	}
	return out
}

// quantile is one of sorted values, between two of them where it falls there.
func quantile(values []int64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	at := q*float64(len(values)+1) - 1
	below := int(math.Floor(at))
	switch {
	case below < 0:
		return float64(values[0])
	case below >= len(values)-1:
		return float64(values[len(values)-1])
	}
	low, high := float64(values[below]), float64(values[below+1])
	return low + (at-float64(below))*(high-low)
}
