package epoch

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func cacheOf(pairs ...int64) *Cache {
	c := new(Cache)
	for i := 0; i < len(pairs); i += 2 {
		c.Assign(int32(pairs[i]), pairs[i+1])
	}
	return c
}

func (c *Cache) text() string {
	es, _ := c.Entries()
	var out strings.Builder
	for _, e := range es {
		out.WriteString(fmt.Sprintf("%d@%d ", e.Epoch, e.Start))
	}
	return out.String()
}

func TestAssign(t *testing.T) {
	f := func(want string, pairs ...int64) {
		t.Helper()
		if got := cacheOf(pairs...).text(); got != want {
			t.Errorf("%v: got %s, want %s", pairs, got, want)
		}
	}
	f("")
	f("1@0 2@10 5@20 ", 1, 0, 2, 10, 5, 20)
	f("1@0 2@10 ", 1, 0, 2, 10, 2, 30) // later records of the same epoch
	f("1@0 2@5 ", 1, 0, 2, 10, 2, 5)   // the same epoch began earlier
	f("1@0 3@10 ", 1, 0, 2, 10, 3, 10) // an epoch without records gives way
	f("1@0 3@7 ", 1, 0, 2, 10, 3, 7)
	f("1@20 ", 2, 10, 1, 20) // an older epoch says the newer was wrong
	f("1@5 ", 1, 5, -1, 9, 3, -1)
}

func TestEndOffset(t *testing.T) {
	c := cacheOf(2, 10, 4, 20, 7, 30)
	f := func(ask, epoch int32, end int64) {
		t.Helper()
		if e, o := c.EndOffset(ask, 99); e != epoch || o != end {
			t.Errorf("epoch %d: got (%d, %d), want (%d, %d)", ask, e, o, epoch, end)
		}
	}
	f(7, 7, 99)
	f(8, None, Undefined)
	f(-1, None, Undefined)
	f(4, 4, 30)
	f(6, 4, 30)
	f(3, 2, 20)
	f(2, 2, 20)
	f(1, 1, 10)
	f(-2, -2, 10) // as Kafka: older than all
	if e, o := new(Cache).EndOffset(0, 5); e != None || o != Undefined {
		t.Errorf("empty cache: (%d, %d)", e, o)
	}
}

func TestFor(t *testing.T) {
	c := cacheOf(2, 10, 4, 20)
	for offset, want := range map[int64]int32{0: None, 9: None, 10: 2, 19: 2, 20: 4, 1000: 4} {
		if got := c.For(offset); got != want {
			t.Errorf("offset %d: epoch %d, want %d", offset, got, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	f := func(want string, change func(*Cache)) {
		t.Helper()
		c := cacheOf(2, 10, 4, 20, 7, 30)
		before := c.Version()
		change(c)
		if got := c.text(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if changed := want != "2@10 4@20 7@30 "; changed != (c.Version() != before) {
			t.Errorf("%s: version moved from %d to %d", want, before, c.Version())
		}
	}
	f("2@10 4@20 7@30 ", func(c *Cache) { c.TruncateEnd(31) })
	f("2@10 4@20 ", func(c *Cache) { c.TruncateEnd(30) })
	f("2@10 ", func(c *Cache) { c.TruncateEnd(11) })
	f("", func(c *Cache) { c.TruncateEnd(0) })
	f("2@10 4@20 7@30 ", func(c *Cache) { c.TruncateEnd(-1) })
	f("2@10 4@20 7@30 ", func(c *Cache) { c.TruncateStart(10) })
	f("2@15 4@20 7@30 ", func(c *Cache) { c.TruncateStart(15) })
	f("4@20 7@30 ", func(c *Cache) { c.TruncateStart(20) })
	f("7@99 ", func(c *Cache) { c.TruncateStart(99) })
	f("2@10 4@20 7@30 ", func(c *Cache) { c.TruncateStart(3) })
	f("", func(c *Cache) { c.Clear() })
}

// TestAlwaysAscending: whatever is done, epochs and offsets rise.
func TestAlwaysAscending(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	c := new(Cache)
	for i := range 5000 {
		switch rnd.IntN(6) {
		case 0:
			c.TruncateEnd(rnd.Int64N(100))
		case 1:
			c.TruncateStart(rnd.Int64N(100))
		default:
			c.Assign(rnd.Int32N(30), rnd.Int64N(100))
		}
		es, _ := c.Entries()
		for j := 1; j < len(es); j++ {
			if es[j].Epoch <= es[j-1].Epoch || es[j].Start <= es[j-1].Start {
				t.Fatalf("step %d: %v", i, es)
			}
		}
	}
}
