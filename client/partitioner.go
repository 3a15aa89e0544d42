package client

import (
	"encoding/binary"

	"github.com/gregor-mq/gregor/internal/env"
)

// Strategy says which partition a record goes to. The values are KeyHash,
// RoundRobin, Sticky, Manual and what PartitionBy returns.
type Strategy struct {
	// picker makes what picks for one topic.
	picker func(draws) picker
}

// stickyBytes is how much Sticky sends to a partition at a time: the batch.size of
// Kafka's producer, for which KIP-794 chose this way.
const stickyBytes = 16 << 10

// draws is what Sticky needs.
type draws struct {
	// bytes is how much goes to one partition before it is another's turn.
	bytes int
	rand  env.Rand
}

// picker picks for one topic. It is used by one goroutine at a time.
type picker interface {
	// pick returns an index below n, of partitions in the order of their numbers;
	// led reports which have a leader now. size is how much the record takes.
	pick(r *Record, n int, led func(i int) bool, size int) int
}

// KeyHash sends records with the same key to the same partition, the one that
// Java's producer sends them to (murmur2), as long as the number of partitions
// stays. Records without a key go as with Sticky.
func KeyHash() Strategy {
	return Strategy{func(d draws) picker { return &keyHash{sticky{draws: d}} }}
}

// RoundRobin sends each record to the next partition, whatever its key. It leaves
// out partitions without a leader while others have one.
func RoundRobin() Strategy { return Strategy{func(draws) picker { return &roundRobin{} }} }

// Sticky sends records to one partition until 16 KiB, or BatchBytes if that is less,
// have gone there, then to another drawn at random, whatever their keys: batches
// get full, and partitions equal shares. It leaves out partitions without a leader while others
// have one.
func Sticky() Strategy {
	return Strategy{func(d draws) picker { return &sticky{draws: d} }}
}

// Manual sends each record to its Record.Partition.
func Manual() Strategy { return Strategy{func(draws) picker { return manual{} }} }

// PartitionBy asks a function made for each topic. It returns one of the partitions
// 0 to partitions−1; a record for which it returns another number fails with
// ErrNoPartition. With LayerFour the number is a place among the partitions that
// the broker leads. It is called for one record at a time, in no order with other
// topics' functions, and must not call the producer.
func PartitionBy(topic func(name string) func(r *Record, partitions int) int) Strategy {
	if topic == nil {
		return Strategy{}
	}
	return Strategy{func(draws) picker { return &custom{topic: topic} }}
}

type keyHash struct{ sticky }

func (k *keyHash) pick(r *Record, n int, led func(int) bool, size int) int {
	if r.Key == nil {
		return k.sticky.pick(r, n, led, size)
	}
	return int(murmur2(r.Key)&0x7fffffff) % n
}

type roundRobin struct{ next int }

func (p *roundRobin) pick(_ *Record, n int, led func(int) bool, _ int) int {
	for range n {
		i := p.next % n
		p.next = i + 1
		if led(i) {
			return i
		}
	}
	i := p.next % n
	p.next = i + 1
	return i
}

// sticky draws its first partition like all others: left is 0 then.
type sticky struct {
	draws
	at, left int
}

func (p *sticky) pick(_ *Record, n int, led func(int) bool, size int) int {
	if p.left <= 0 || p.at >= n || !led(p.at) {
		p.at, p.left = p.draw(n, led), p.bytes
	}
	p.left -= size
	return p.at
}

// draw returns a partition other than the last one, with a leader if any has one.
func (p *sticky) draw(n int, led func(int) bool) int {
	first := int(p.rand.Uint64() % uint64(n))
	best := first
	for k := range n {
		i := (first + k) % n
		switch {
		case !led(i):
		case i != p.at || n == 1:
			return i
		default:
			best = i
		}
	}
	return best
}

type manual struct{}

func (manual) pick(r *Record, _ int, _ func(int) bool, _ int) int { return int(r.Partition) }

type custom struct {
	topic func(name string) func(r *Record, partitions int) int
	ask   func(r *Record, partitions int) int
}

func (c *custom) pick(r *Record, n int, _ func(int) bool, _ int) int {
	if c.ask == nil {
		if c.ask = c.topic(r.Topic); c.ask == nil {
			return -1
		}
	}
	return c.ask(r, n)
}

// murmur2 is the hash that Java's producer takes of keys: 32 bits of Austin
// Appleby's MurmurHash2 with Kafka's seed.
func murmur2(key []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := seed ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * m
		k = (k ^ k>>r) * m
		h = h*m ^ k
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(key[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
