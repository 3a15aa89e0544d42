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
	roundsFlag = flag.Int("rounds", 0, "how many rounds; 0 is the short tier, one of each fault")
	faultFlag  = flag.String("fault", "", "the only fault to strike, by name")
	keepFlag   = flag.String("keep", filepath.Join(os.TempDir(), "gregor-chaos"), "where a failed run leaves the output of all processes and the copies of the partitions")
)

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
			again := fmt.Sprintf("go test -v ./test/chaos -seed %d", seed)
			if *faultFlag != "" {
				again += fmt.Sprintf(" -fault '%s'", *faultFlag)
			}
			t.Logf("again: %s -first %d -rounds %d; that round alone: %s -first %d -rounds 1", again, *firstFlag, round-*firstFlag+1, again, round)
		}
	})
	for _, m := range c.machines() {
		m.launch()
	}
	for _, m := range c.machines() {
		m.ready()
	}
	l := begin(t, c.addresses(), rng)
	defer l.stop()
	rounds := *roundsFlag
	if rounds == 0 {
		rounds = len(faults)
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
// seed.
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
	deal := (round - 1) / len(faults)
	order := rand.New(rand.NewPCG(seed, 1<<32+uint64(deal))).Perm(len(faults))
	return faults[order[(round-1)%len(faults)]]
}

// round lets the clients work, strikes, mends and verifies.
func (c *cluster) round(l *load, number int, f fault, rng *rand.Rand) {
	c.t.Helper()
	began := time.Now()
	l.awaitAcks(c.t, 1+rng.Int64N(200))
	before := l.acked()
	// From the second deal on more may happen meanwhile.
	var more []fault
	if number > len(faults) {
		more = f.attend(rng)
	}
	c.struck, c.loneFault = nil, len(more) == 0
	blows := []blow{c.strike(number, f, rng)}
	for _, next := range more {
		linger(c.t.Context(), between(rng, 0, session))
		blows = append(blows, c.strike(number, next, rng))
	}
	if number > len(faults) && rng.IntN(2) == 0 {
		l.trim(c.t, rng)
	}
	for _, b := range blows {
		linger(c.t.Context(), b.hold)
	}
	during := l.acked() - before
	for _, at := range rng.Perm(len(blows)) {
		blows[at].mend()
	}
	for _, m := range c.machines() {
		m.ready()
	}
	mended := time.Now()
	l.awaitAcks(c.t, 50)
	back := time.Since(mended)
	// On a machine that is too busy for this load only a pause lets all
	// followers catch up; and then they must, though nothing new comes.
	l.pause(c.t)
	c.settled()
	settled := time.Since(mended)
	c.verify(c.t, l)
	l.resume()
	c.t.Logf("round %d: %d acknowledged meanwhile, 50 more within %v after the mending, settled within %v; %v, %v in all", number, during,
		back.Round(time.Millisecond), settled.Round(time.Millisecond), l, time.Since(began).Round(time.Millisecond))
}

// strike lets a fault happen, and says so.
func (c *cluster) strike(number int, f fault, rng *rand.Rand) blow {
	c.t.Helper()
	b := f.strike(c, rng)
	c.t.Logf("round %d: %s", number, b.says)
	return b
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
