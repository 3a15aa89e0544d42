package keepers

import (
	"testing"

	"github.com/gregor-mq/gregor/test/virtual"
)

var seeds = virtual.NewSeeds("test/keepers", "3..6")

// TestKeepers runs seeds, each in a process of its own.
func TestKeepers(t *testing.T) { seeds.Run(t) }

// TestSeed is one seed, in this process.
func TestSeed(t *testing.T) {
	seeds.One(t, func(seed uint64, tr *virtual.Trace) (string, error) {
		w := newWorld(seed, tr)
		w.run()
		return w.summary(), w.result()
	})
}
