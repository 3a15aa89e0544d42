package client

import (
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

// The values are what Java's Utils.murmur2 gives.
func TestMurmur2(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107, "": 275646681,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

// fixed is randomness that a test foresees.
type fixed struct {
	env.Rand
	next uint64
}

func (f *fixed) Uint64() uint64 { f.next++; return f.next - 1 }

func all(int) bool { return true }

func none(int) bool { return false }

func picks(p picker, n int, led func(int) bool, sizes ...int) []int {
	var out []int
	for _, size := range sizes {
		out = append(out, p.pick(&Record{}, n, led, size))
	}
	return out
}

func same(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestRoundRobin(t *testing.T) {
	p := RoundRobin().picker(draws{})
	same(t, "all lead", picks(p, 3, all, 1, 1, 1, 1), 0, 1, 2, 0)
	same(t, "one does not", picks(p, 3, func(i int) bool { return i != 1 }, 1, 1, 1), 2, 0, 2)
	same(t, "none does", picks(p, 3, none, 1, 1, 1, 1), 0, 1, 2, 0)
	same(t, "more partitions", picks(p, 5, all, 1, 1, 1), 1, 2, 3)
	same(t, "fewer", picks(p, 2, all, 1, 1), 0, 1)
}

func TestSticky(t *testing.T) {
	p := Sticky().picker(draws{100, &fixed{}})
	same(t, "until a batch is full", picks(p, 3, all, 50, 49, 2, 100, 1), 1, 1, 1, 2, 0)
	same(t, "without its leader", picks(p, 3, func(i int) bool { return i == 2 }, 1, 1), 2, 2)
	same(t, "none leads", picks(p, 3, none, 1), 1)
	same(t, "one partition", picks(p, 1, all, 200, 200), 0, 0)
	same(t, "the only leader again", picks(p, 3, func(i int) bool { return i == 0 }, 200, 200), 0, 0)
}

func TestKeyHash(t *testing.T) {
	p := KeyHash().picker(draws{100, &fixed{}})
	key := func(k string, n int) int { return p.pick(&Record{Key: []byte(k)}, n, none, 1) }
	// 275646681 mod 7, and −973932308 without its sign bit.
	same(t, "keys", []int{key("", 7), key("21", 7), key("21", 7)}, 275646681%7, (-973932308&0x7fffffff)%7, (-973932308&0x7fffffff)%7)
	same(t, "no key", picks(p, 3, all, 60, 60, 60), 1, 1, 2)
}

func TestPartitionBy(t *testing.T) {
	asked := ""
	p := PartitionBy(func(topic string) func(*Record, int) int {
		asked += topic
		return func(r *Record, n int) int { return n + int(r.Partition) }
	}).picker(draws{})
	for i := range int32(3) {
		if got := p.pick(&Record{Topic: "t", Partition: i}, 4, none, 1); got != 4+int(i) {
			t.Errorf("picked %d", got)
		}
	}
	if asked != "t" {
		t.Errorf("made for %q", asked)
	}
}

func TestFlushCountsByEra(t *testing.T) {
	f := flushes{left: map[uint64]int{0: 2}}
	over := func(w *flushWait) bool {
		select {
		case <-w.done:
			return true
		default:
			return false
		}
	}
	first := f.startLocked()
	f.left[f.era]++ // a record after the flush
	second := f.startLocked()
	f.doneLocked(0)
	if over(first) || !f.hurryLocked() {
		t.Error("a record is left")
	}
	f.doneLocked(1)
	if over(second) {
		t.Error("an older record is left")
	}
	f.doneLocked(0)
	if !over(first) || !over(second) || f.hurryLocked() {
		t.Error("nothing is left, but somebody waits")
	}
	if w := f.startLocked(); !over(w) {
		t.Error("nothing to wait for")
	}
}
