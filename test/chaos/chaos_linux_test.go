package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag   = flag.Uint64("seed", 1, "what all choices come from; 0 draws one")
	firstFlag  = flag.Int("first", 1, "the first round")
	roundsFlag = flag.Int("rounds", 0, "how many rounds; 0 is the short tier, one of each of the main faults")
	faultFlag  = flag.String("fault", "", "the only fault to strike, by name")
	keepFlag   = flag.String("keep", filepath.Join(os.TempDir(), "gregor-chaos"), "where a failed run leaves the output of all processes and the copies of the partitions")
)

// shortTier is how many rounds run without flags: each main fault once.
const shortTier = 6

// TestChaos strikes once per round and looks whether every promise was kept.
func TestChaos(t *testing.T) {
	if unable != nil {
		t.Skipf("cannot run here: %v", unable)
	}
	if testing.Short() {
		t.Skip("takes a minute")
	}
	seed, round := *seedFlag, *firstFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	rng := roundRand(seed, 0)
	c := newCluster(t, rng)
	t.Cleanup(func() {
		if t.Failed() {
			c.keep(*keepFlag)
			t.Logf("again: go test ./test/chaos -seed %d -rounds %d; round %d alone: go test ./test/chaos -seed %d -first %d -rounds 1",
				seed, round, round, seed, round)
		}
	})
	c.keeper.start()
	for _, b := range c.brokers {
		b.launch()
	}
	for _, b := range c.brokers {
		b.ready()
	}
	l := begin(t, c.addresses(), rng)
	defer l.stop()
	rounds := *roundsFlag
	if rounds == 0 {
		rounds = shortTier
	}
	for ; round < *firstFlag+rounds; round++ {
		c.round(l, round, chooseFault(t, seed, round), roundRand(seed, round))
		if t.Failed() {
			return
		}
	}
	round--
	l.stop()
	c.stop()
	t.Logf("%v", l)
}

// roundRand is the randomness of one round, 0 for what comes before the first:
// a round can be played alone.
func roundRand(seed uint64, round int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(round)))
}

// chooseFault deals all faults out before one comes again, in an order of the
// seed; the short tier takes the main ones.
func chooseFault(t *testing.T, seed uint64, round int) fault {
	t.Helper()
	if *faultFlag != "" {
		for _, f := range faults {
			if f.name == *faultFlag {
				return f
			}
		}
		t.Fatalf("-fault %q: there is no such fault", *faultFlag)
	}
	of := faults
	if *roundsFlag == 0 {
		of = faults[:shortTier]
	}
	deal := (round - 1) / len(of)
	order := rand.New(rand.NewPCG(seed, 1<<32+uint64(deal))).Perm(len(of))
	return of[order[(round-1)%len(of)]]
}

// round lets the clients work, strikes, mends and verifies.
func (c *cluster) round(l *load, number int, f fault, rng *rand.Rand) {
	c.t.Helper()
	began := time.Now()
	c.settled()
	l.awaitAcks(c.t, 1+rng.Int64N(200))
	before := l.acked()
	b := f.strike(c, rng)
	c.t.Logf("round %d: %s", number, b.says)
	linger(c.t.Context(), b.hold)
	during := l.acked() - before
	b.mend()
	mended := time.Now()
	c.settled()
	settled := time.Now()
	l.awaitAcks(c.t, 50)
	l.pause(c.t)
	c.settled()
	c.verify(c.t, l)
	l.resume()
	c.t.Logf("round %d: %d acknowledged meanwhile, settled %v after the mending; %v, %v in all", number, during,
		settled.Sub(mended).Round(time.Millisecond), l, time.Since(began).Round(time.Millisecond))
}

// keep copies what may explain a failure out of the sandbox.
func (c *cluster) keep(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		c.t.Log(err)
		return
	}
	for _, m := range c.machines() {
		to := filepath.Join(dir, m.name)
		err := os.MkdirAll(to, 0o755)
		for n, life := range m.lives {
			if err == nil {
				err = os.WriteFile(filepath.Join(to, fmt.Sprintf("life-%d.log", n+1)), []byte(life.Output()), 0o600)
			}
		}
		for n, d := range m.disks {
			if err == nil {
				err = os.CopyFS(filepath.Join(to, fmt.Sprintf("disk-%d", n)), os.DirFS(filepath.Join(d.dir, "logs")))
			}
		}
		if err != nil {
			c.t.Log(err)
		}
	}
	c.t.Logf("outputs and logs are in %s", strings.TrimSuffix(dir, "/"))
}
