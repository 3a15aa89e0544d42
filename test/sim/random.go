package sim

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// random is seeded randomness for many goroutines.
type random struct {
	mu struct {
		sync.Mutex
		rng *rand.Rand
	}
}

var _ env.Rand = (*random)(nil)

// newRandom returns the randomness of one part of the world.
func newRandom(seed uint64, part string) *random {
	h := fnv.New64a()
	_, _ = h.Write([]byte(part)) // a hash does not fail
	r := &random{}
	r.mu.rng = rand.New(rand.NewPCG(seed, h.Sum64()))
	return r
}

// Uint64 implements env.Rand.
func (r *random) Uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rng.Uint64()
}

// Read implements env.Rand.
func (r *random) Read(p []byte) {
	for len(p) > 0 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], r.Uint64())
		p = p[copy(p, b[:]):]
	}
}

// n returns a number from 0 to limit-1.
func (r *random) n(limit int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rng.IntN(limit)
}

// between returns a duration from low to below high.
func (r *random) between(low, high time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return low + time.Duration(r.mu.rng.Int64N(int64(high-low)))
}

// chance is true in percent of all cases.
func (r *random) chance(percent int) bool { return r.n(100) < percent }

// pick returns one of several.
func pick[T any](r *random, of ...T) T { return of[r.n(len(of))] }

// perm returns the numbers below n in random order.
func (r *random) perm(n int) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rng.Perm(n)
}

// std returns a generator of its own for one purpose.
func (r *random) std() *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }
