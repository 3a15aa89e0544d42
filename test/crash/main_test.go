package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "the only seed to run; 0 runs the built-in ones")
	roundsFlag = flag.Int("rounds", 0, "how often a broker is ended; 0 takes $ROUNDS, or the short tier")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(gregor.Main(m))
}

// patience bounds every wait; what takes longer hangs.
const patience = 20 * time.Second

// rounds returns how often to end a broker, given the length of the short tier.
func rounds(t *testing.T, short int) int {
	t.Helper()
	if *roundsFlag > 0 {
		return *roundsFlag
	}
	if text := os.Getenv("ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("ROUNDS=%s: %v", text, err)
		}
		return n
	}
	return short
}

// eachSeed runs a story once per seed, by default those given.
func eachSeed(t *testing.T, builtIn []uint64, story func(t *testing.T, seed uint64, rng *rand.Rand)) {
	if *seedFlag != 0 {
		builtIn = []uint64{*seedFlag}
	}
	for _, seed := range builtIn {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("again: go test ./test/crash -run '%s' -seed %d", t.Name(), seed)
				}
			})
			story(t, seed, rand.New(rand.NewPCG(seed, 0x67726567)))
		})
	}
}

// pause lets the workload run for a random time: the moment of a disaster is
// what the seed chooses.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }
