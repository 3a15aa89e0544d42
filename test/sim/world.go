package sim

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/fault"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/test/virtual"
)

// world is a cluster with all that it stands on.
type world struct {
	seed  uint64
	rng   *virtual.Random // of the story
	trace *virtual.Trace
	sched *virtual.Scheduler
	wire  *memnet.Net
	links *fault.Network
	hosts int

	zookeeper *process
	brokers   []*process
	clients   []string // their hosts
	setup     setup
	history   *check.History
	topics    *check.Topics
	offsets   *check.Offsets
	ghosts    *ghosts
	acked     atomic.Int64
	problems  struct {
		sync.Mutex
		all []error
	}
}

// problem notes what must not be.
func (w *world) problem(err error) {
	w.trace.Add("PROBLEM: %v", err)
	w.problems.Lock()
	defer w.problems.Unlock()
	w.problems.all = append(w.problems.all, err)
}

func newWorld(seed uint64, tr *virtual.Trace) *world {
	w := &world{seed: seed, rng: virtual.NewRandom(seed, "story"), trace: tr, sched: virtual.NewScheduler(), links: fault.NewNetwork(), history: check.NewHistory(), topics: check.NewTopics(), offsets: check.NewOffsets(), ghosts: newGhosts()}
	w.wire = memnet.NewDelayed(w.sched, w.delay())
	return w
}

// delay returns how long packets take. Each direction of each connection has
// randomness of its own: what goes on elsewhere at the same instant, in whatever
// order, does not change it.
func (w *world) delay() memnet.Delay {
	type way struct{ from, to string }
	var mu sync.Mutex
	paces := map[way]*virtual.Random{}
	return func(from, to net.Addr) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		at := way{from.String(), to.String()}
		if paces[at] == nil {
			paces[at] = virtual.NewRandom(w.seed, at.from+" "+at.to)
		}
		switch n := paces[at].N(1000); {
		case n < 5:
			return paces[at].Between(time.Millisecond, 50*time.Millisecond)
		case n < 50:
			return paces[at].Between(500*time.Microsecond, 5*time.Millisecond)
		}
		return paces[at].Between(50*time.Microsecond, 500*time.Microsecond)
	}
}

// machine is a computer: a host with its disk.
type machine struct {
	*fault.Host
	w    *world
	addr string // its IP address
	disk *memfs.FS
}

// newMachine adds a computer to the world.
func (w *world) newMachine(name string) *machine {
	w.hosts++
	m := &machine{w: w, addr: fmt.Sprintf("10.0.0.%d", w.hosts), disk: memfs.New(0, w.sched.Now)}
	base := env.Env{Clock: w.sched, Net: w.trace.Net(w.wire, name), FS: m.disk, Rand: virtual.NewRandom(w.seed, name)}
	m.Host = w.links.Host(name, base, fault.Options{DiskRuns: true})
	return m
}

// sleep lets virtual time pass.
func (w *world) sleep(d time.Duration) {
	_ = env.Sleep(context.Background(), w.sched, d) // nothing ends this context
}
