package sim

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/test/virtual"
)

var seeds = virtual.NewSeeds("test/sim", "1..3")

// TestSim runs seeds, each in a process of its own.
func TestSim(t *testing.T) { seeds.Run(t) }

// TestSeed is one seed, in this process.
func TestSeed(t *testing.T) {
	seeds.One(t, func(seed uint64, tr *virtual.Trace) (string, error) {
		w := newWorld(seed, tr)
		w.run()
		return fmt.Sprintf("%d events, %d records acknowledged", w.sched.Fired(), w.acked.Load()), w.result()
	})
}
