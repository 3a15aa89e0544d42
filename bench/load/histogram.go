package load

import (
	"math/bits"
	"time"
)

// subBits makes 128 buckets of each power of two: a value is known to better
// than 1 %, which is finer than two runs agree.
const subBits = 7

// buckets covers every non-negative int64.
const buckets = (64-subBits)<<subBits + 1<<subBits

// Histogram counts durations in log-linear buckets of nanoseconds. It is not
// safe for concurrent use: each goroutine has its own, merged at the end. The
// zero value is empty and ready.
type Histogram struct {
	counts [buckets]int64
	total  int64
	sum    time.Duration
	max    time.Duration
}

// bucket numbers the bucket of v: values below 2^(subBits+1) have one each.
func bucket(v uint64) int {
	e := max(0, bits.Len64(v)-1-subBits)
	return e<<subBits + int(v>>e)
}

// upper is the largest value that falls into bucket i.
func upper(i int) uint64 {
	e := max(0, i>>subBits-1)
	return uint64(i-e<<subBits+1)<<e - 1
}

// Record counts d once; a negative d counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(0, d)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Count is how many durations were recorded.
func (h *Histogram) Count() int64 { return h.total }

// Max is the longest duration recorded, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the average, exactly; 0 of an empty histogram.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return h.sum / time.Duration(h.total)
}

// Quantile is the smallest duration that at least the share q (0 to 1) of all
// recorded ones does not exceed, at most 1 % too long; 0 of an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(q * float64(h.total))
	if float64(rank) < q*float64(h.total) {
		rank++
	}
	rank = min(max(rank, 1), h.total)
	var seen int64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return 0
}
