package run

import (
	"sync"
	"sync/atomic"
)

// Each calls f(0) to f(n-1), at most limit at a time, and returns when all are
// done. f must end by itself.
func Each(n, limit int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, limit) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
