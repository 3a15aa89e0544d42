package client

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/test/story"
)

var balanceSeed = flag.Uint64("balance.seed", 1, "seed of the load that BenchmarkBalance spreads")

// The load: producers whose shares follow Zipf's law, the k-th sending 1/k as much
// as the first, on brokers that lead equally many partitions of one topic.
const (
	loadProducers  = 100
	loadBrokers    = 5
	loadPartitions = 20
	loadRecords    = 100_000
)

// seeded is a source that gives the same numbers for the same seed.
type seeded struct{ *rand.Rand }

func (s seeded) Read(p []byte) {
	for i := range p {
		p[i] = byte(s.Uint64())
	}
}

// load is what the producers send.
type load struct {
	from    []netip.AddrPort // of each producer
	records [][]int          // sizes, by producer
	keys    [][]uint64
}

func newLoad(seed uint64) load {
	r := rand.New(rand.NewPCG(seed, 0))
	l := load{records: make([][]int, loadProducers), keys: make([][]uint64, loadProducers)}
	var total float64
	var share [loadProducers]float64
	for i := range share {
		share[i] = 1 / float64(i+1)
		total += share[i]
	}
	for i := range share {
		// Hosts of one network, ports as Linux gives them.
		ip := netip.AddrFrom4([4]byte{10, 0, byte(r.UintN(4)), byte(1 + r.UintN(254))})
		l.from = append(l.from, netip.AddrPortFrom(ip, uint16(32768+r.UintN(28232))))
		for range int(share[i] / total * loadRecords) {
			l.records[i] = append(l.records[i], 100+int(r.UintN(1900)))
			l.keys[i] = append(l.keys[i], r.Uint64N(100_000))
		}
	}
	return l
}

// layerFour returns how many bytes each broker gets when producers choose one by
// their addresses.
func (l load) layerFour() (out [loadBrokers]int) {
	for i, sizes := range l.records {
		for _, size := range sizes {
			out[layerFourBroker(l.from[i], loadBrokers)] += size
		}
	}
	return out
}

// zookeeper returns how many bytes each broker gets when producers know who leads
// which partition.
func (l load) zookeeper(s Strategy, seed uint64) (out [loadBrokers]int) {
	r := seeded{rand.New(rand.NewPCG(seed, 1))}
	for i, sizes := range l.records {
		p := s.picker(draws{bytes: stickyBytes, rand: r})
		for k, size := range sizes {
			key := binary.BigEndian.AppendUint64(nil, l.keys[i][k])
			at := p.pick(&Record{Key: key}, loadPartitions, all, size)
			out[at%loadBrokers] += size
		}
	}
	return out
}

// imbalance returns by how much the fullest broker exceeds the mean, and the standard
// deviation over the mean.
func imbalance(bytes [loadBrokers]int) (excess, spread float64) {
	total := 0
	for _, b := range bytes {
		total += b
	}
	mean := float64(total) / loadBrokers
	for _, b := range bytes {
		spread += (float64(b) - mean) * (float64(b) - mean)
	}
	return float64(slices.Max(bytes[:]))/mean - 1, math.Sqrt(spread/loadBrokers) / mean
}

// ways are the ways to spread the load, in the order of the table.
func ways() []struct {
	name   string
	spread func(load, uint64) [loadBrokers]int
} {
	type way = struct {
		name   string
		spread func(load, uint64) [loadBrokers]int
	}
	by := func(s Strategy) func(load, uint64) [loadBrokers]int {
		return func(l load, seed uint64) [loadBrokers]int { return l.zookeeper(s, seed) }
	}
	return []way{
		{"layer 4", func(l load, _ uint64) [loadBrokers]int { return l.layerFour() }},
		{"ZooKeeper, KeyHash", by(KeyHash())},
		{"ZooKeeper, RoundRobin", by(RoundRobin())},
		{"ZooKeeper, Sticky", by(Sticky())},
	}
}

// TestBalance compares how evenly brokers fill, for one seed in bytes and over some
// more; docs/clients.md has the table.
func TestBalance(t *testing.T) {
	const seeds = 20
	var loads []load
	for seed := range uint64(seeds) {
		loads = append(loads, newLoad(seed))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%-22s %9s %9s %9s %9s %9s  %6s  %9s %9s\n", "", "broker 0", "1", "2", "3", "4", "max", "mean max", "worst max")
	worst := map[string]float64{}
	for _, w := range ways() {
		bytes := w.spread(loads[1], 1)
		excess, _ := imbalance(bytes)
		mean, highest := 0.0, 0.0
		for seed, l := range loads {
			e, _ := imbalance(w.spread(l, uint64(seed)))
			mean += e / seeds
			highest = max(highest, e)
		}
		fmt.Fprintf(&out, "%-22s %9d %9d %9d %9d %9d  %+5.1f%%  %+8.1f%% %+8.1f%%\n", w.name, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], 100*excess, 100*mean, 100*highest)
		worst[w.name] = highest
	}
	t.Logf("\n%s", out.String())
	story.Golden(t, "testdata/balance.golden", out.String())
	for name, w := range worst {
		if name != "layer 4" && w > 0.1 {
			t.Errorf("%s: a broker gets %.0f%% more than its share", name, 100*w)
		}
	}
}

// BenchmarkBalance reports the same for the seed given, in bytes per broker.
func BenchmarkBalance(b *testing.B) {
	l := newLoad(*balanceSeed)
	for _, w := range ways() {
		b.Run(strings.ReplaceAll(w.name, ", ", "-"), func(b *testing.B) {
			var bytes [loadBrokers]int
			for b.Loop() {
				bytes = w.spread(l, *balanceSeed)
			}
			for i, n := range bytes {
				b.ReportMetric(float64(n), fmt.Sprintf("bytes-broker%d", i))
			}
			excess, spread := imbalance(bytes)
			b.ReportMetric(100*excess, "%-over-mean")
			b.ReportMetric(100*spread, "%-deviation")
		})
	}
}
