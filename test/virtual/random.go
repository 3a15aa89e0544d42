package virtual

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// Random is seeded randomness for many goroutines.
type Random struct {
	mu struct {
		sync.Mutex
		rng *rand.Rand
	}
}

var _ env.Rand = (*Random)(nil)

// NewRandom returns the randomness of one part of the world.
func NewRandom(seed uint64, part string) *Random {
	h := fnv.New64a()
	_, _ = h.Write([]byte(part)) // a hash does not fail
	r := &Random{}
	r.mu.rng = rand.New(rand.NewPCG(seed, h.Sum64()))
	return r
}

// Uint64 implements env.Rand.
func (r *Random) Uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rng.Uint64()
}

// Read implements env.Rand.
func (r *Random) Read(p []byte) {
	for len(p) > 0 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], r.Uint64())
		p = p[copy(p, b[:]):]
	}
}

// N returns a number from 0 to limit-1.
func (r *Random) N(limit int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rng.IntN(limit)
}

// Between returns a duration from low to below high.
func (r *Random) Between(low, high time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return low + time.Duration(r.mu.rng.Int64N(int64(high-low)))
}

// Chance is true in percent of all cases.
func (r *Random) Chance(percent int) bool { return r.N(100) < percent }

// Pick returns one of several.
func Pick[T any](r *Random, of ...T) T { return of[r.N(len(of))] }

// Perm returns the numbers below n in random order.
func (r *Random) Perm(n int) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.rng.Perm(n)
}

// Std returns a generator of its own for one purpose.
func (r *Random) Std() *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }
