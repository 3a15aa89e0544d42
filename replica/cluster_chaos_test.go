package replica

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// TestNothingAcknowledgedIsLost runs brokers, appends and faults by a seed, heals
// all, and then wants every replica to hold the same bytes, and each record that
// was acknowledged once and where it was promised.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 20
	}
	total := 0
	for seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				protocol := "3.9"
				if seed%5 == 4 {
					protocol = "2.6" // truncation by OffsetForLeaderEpoch, no topic ids
				}
				c := newCluster(t, seed, 2+int(seed%2), 2, protocol)
				defer c.end()
				c.chaos(40)
				c.heal()
				total += c.check()
			})
		})
	}
	if total == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d records acknowledged", total)
}

// chaos does some random things, one after the other.
func (c *cluster) chaos(steps int) {
	for range steps {
		for range c.upTo(6) {
			c.send(c.upTo(len(c.parts)))
		}
		b := c.brokers[c.upTo(len(c.brokers))]
		switch c.upTo(13) {
		case 0:
			c.down(b, true)
		case 1:
			c.down(b, false)
		case 2, 3, 4:
			if c.isDown(b) {
				c.up(b)
			}
		case 5:
			c.move(c.upTo(len(c.parts)))
		case 6:
			c.spoil(c.cut, b.id, c.brokers[c.upTo(len(c.brokers))].id)
		case 7:
			c.spoil(c.cut, b.id, brain0)
		case 9, 10:
			c.spoil(c.slow, b.id, c.brokers[c.upTo(len(c.brokers))].id)
		case 8:
			c.mend()
		case 11, 12:
			c.shift(b, int32(c.upTo(len(c.parts))), logDirs[c.upTo(len(logDirs))])
		}
		time.Sleep(time.Duration(c.upTo(400)) * time.Millisecond)
	}
}

func (c *cluster) isDown(b *member) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return b.life == 0
}

// shift moves a replica of a broker to a log directory.
func (c *cluster) shift(b *member, partition int32, dir string) {
	if c.isDown(b) {
		return
	}
	for _, err := range b.m.AlterDirs([]DirChange{{"t", partition, dir}}) {
		// A broker that just started may not have been told of the partition yet.
		if code := codeOf(err); code != wire.CodeNone && code != wire.CodeUnknownTopicOrPartition && code != wire.CodeReplicaNotAvailable {
			c.t.Errorf("broker %d moves t-%d to %s: %v", b.id, partition, dir, err)
		}
	}
}

func (c *cluster) spoil(links map[[2]int32]bool, from, to int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	links[[2]int32{from, to}] = true
}

func (c *cluster) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.cut)
	clear(c.slow)
}

// heal brings everybody back and waits until all replicas are in sync.
func (c *cluster) heal() {
	c.mend()
	for _, b := range c.brokers {
		if c.isDown(b) {
			c.up(b)
		}
	}
	for range 600 {
		time.Sleep(100 * time.Millisecond)
		if c.level() == "" {
			return
		}
	}
	c.t.Fatalf("a minute later: %s", c.level())
}

// level says what keeps the replicas from being in sync, "" when they are.
func (c *cluster) level() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.parts {
		if len(p.isr) < len(c.brokers) || p.leader < 0 {
			return fmt.Sprintf("t-%d: leader %d, in sync %v", i, p.leader, p.isr)
		}
		end := int64(-1)
		for _, b := range c.brokers {
			q := b.m.lookup("t", int32(i))
			if q == nil {
				return fmt.Sprintf("broker %d has no t-%d", b.id, i)
			}
			l := q.log()
			if end < 0 {
				end = l.EndOffset()
			}
			if l.EndOffset() != end || l.HighWatermark() != end {
				return fmt.Sprintf("t-%d, led by %d in epoch %d, on broker %d: end %d, watermark %d, want %d", i, p.leader, p.epoch, b.id,
					l.EndOffset(), l.HighWatermark(), end)
			}
		}
	}
	return ""
}

// check compares the replicas, and what they hold with what was promised.
func (c *cluster) check() (acked int) {
	for i := range c.parts {
		var first []byte
		for _, b := range c.brokers {
			raw := contents(c.t, b.m.lookup("t", int32(i)))
			if first == nil {
				first = raw
			}
			if !bytes.Equal(raw, first) {
				c.t.Errorf("t-%d: broker %d has other bytes than broker 0", i, b.id)
			}
		}
		found, seen := map[int64]string{}, map[string]bool{}
		for b, err := range record.All(first) {
			if err != nil {
				c.t.Fatal(err)
			}
			for r, err := range b.Records() {
				if err != nil {
					c.t.Fatal(err)
				}
				v := string(r.Value)
				if seen[v] {
					c.t.Errorf("t-%d: %.8s is there twice", i, v)
				}
				found[r.Offset], seen[v] = v, true
			}
		}
		c.mu.Lock()
		for offset, v := range c.acked[i] {
			acked++
			if found[offset] != v {
				c.t.Errorf("t-%d: %.8s was acknowledged at %d, where %.8s is", i, v, offset, found[offset])
			}
		}
		c.mu.Unlock()
	}
	return acked
}

// contents are the batches of a log.
func contents(t testing.TB, p *Partition) []byte {
	t.Helper()
	l := p.log()
	out := []byte{}
	for at := l.StartOffset(); at < l.EndOffset(); {
		span, err := l.Read(at, l.EndOffset(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := span.AppendTo(nil)
		at = l.SpanEnd(span)
		span.Release()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw...)
	}
	return slices.Clip(out)
}
