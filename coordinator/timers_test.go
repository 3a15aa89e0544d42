package coordinator

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTimersAgainstAMap compares the heap with the obvious way.
func TestTimersAgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	heap, plain := newTimers(), map[timerKey]time.Time{}
	now := time.UnixMilli(0)
	for range 20_000 {
		if r.IntN(3) > 0 {
			key := timerKey{timerTick, int32(r.IntN(3)), fmt.Sprint(r.IntN(30))}
			at := now.Add(time.Duration(r.IntN(50)) * time.Millisecond)
			heap.set(key, at)
			plain[key] = at
			continue
		}
		now = now.Add(time.Duration(r.IntN(10)) * time.Millisecond)
		last := time.Time{}
		for {
			key, ok := heap.pop(now)
			if !ok {
				break
			}
			at, ok := plain[key]
			if !ok || at.After(now) || at.Before(last) {
				t.Fatalf("popped %v due at %v, now %v, after %v", key, at, now, last)
			}
			last = at
			delete(plain, key)
		}
		for key, at := range plain {
			if !at.After(now) {
				t.Fatalf("%v was due at %v, now %v", key, at, now)
			}
		}
		if at, ok := heap.next(); ok != (len(plain) > 0) || ok && !at.After(now) {
			t.Fatalf("next is %v, %v with %d timers", at, ok, len(plain))
		}
		if len(heap.heap) != len(plain) {
			t.Fatalf("%d timers in the heap, %d set", len(heap.heap), len(plain))
		}
	}
}
