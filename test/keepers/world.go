package keepers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/fault"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/test/virtual"
)

// world is an ensemble with its clients and all that they stand on.
type world struct {
	seed    uint64
	rng     *virtual.Random // of the story
	trace   *virtual.Trace
	sched   *virtual.Scheduler
	clock   env.Clock // sched, or the real one
	wire    *memnet.Net
	links   *fault.Network
	hosts   int
	setup   setup
	members []*member
	clients []*client
	watcher *watcher
	history *history
	done    chan struct{} // closed when clients are to come to an end
	loads   sync.WaitGroup
	mu      struct {
		sync.Mutex
		problems []error
		slow     map[string]time.Duration // by IP address: what its packets take in addition
		troubles []trouble
	}
}

// setup is what a seed makes of the ensemble and its load.
type setup struct {
	voters, observers int
	clients, faults   int
	snapCount         int
	ops               int // a client's pace: about that many batches a second
}

// trouble is a time in which something went wrong.
type trouble struct{ from, to time.Time }

// tick is the members' tickTime; a lease is as long.
const tick = 500 * time.Millisecond

// lease is for how long a member serves that does not hear its leader.
const lease = tick

func newWorld(seed uint64, tr *virtual.Trace) *world {
	w := &world{
		seed: seed, rng: virtual.NewRandom(seed, "story"), trace: tr, sched: virtual.NewScheduler(), links: fault.NewNetwork(),
		history: &history{}, done: make(chan struct{}),
	}
	w.clock = w.sched
	w.mu.slow = map[string]time.Duration{}
	w.wire = memnet.NewDelayed(w.sched, w.delay())
	w.setup = setup{
		voters: virtual.Pick(w.rng, 3, 3, 3, 5), clients: 3 + w.rng.N(4), faults: 4 + w.rng.N(8),
		snapCount: virtual.Pick(w.rng, 10, 50, 200, 1000), ops: virtual.Pick(w.rng, 3, 10, 30),
	}
	if w.rng.Chance(25) {
		w.setup.observers = 1
	}
	return w
}

// delay returns how long packets take. Each direction of each connection has
// randomness of its own.
func (w *world) delay() memnet.Delay {
	type way struct{ from, to string }
	var mu sync.Mutex
	paces := map[way]*virtual.Random{}
	return func(from, to net.Addr) time.Duration {
		mu.Lock()
		at := way{from.String(), to.String()}
		if paces[at] == nil {
			paces[at] = virtual.NewRandom(w.seed, at.from+" "+at.to)
		}
		pace := paces[at]
		mu.Unlock()
		more := w.slowness(from) + w.slowness(to)
		switch n := pace.N(1000); {
		case n < 5:
			return more + pace.Between(time.Millisecond, 50*time.Millisecond)
		case n < 50:
			return more + pace.Between(500*time.Microsecond, 5*time.Millisecond)
		}
		return more + pace.Between(50*time.Microsecond, 500*time.Microsecond)
	}
}

func (w *world) slowness(a net.Addr) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.slow[env.Host(a)]
}

func (w *world) setSlow(ip string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.slow[ip] = d
}

// problem notes what must not be.
func (w *world) problem(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	w.trace.Add("PROBLEM: %v", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.problems = append(w.mu.problems, err)
}

// maxShown bounds how many problems are shown: the first ones matter.
const maxShown = 10

// result joins the problems.
func (w *world) result() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.mu.problems[:min(len(w.mu.problems), maxShown)]...)
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
	_ = env.Sleep(context.Background(), w.clock, d) // nothing ends this context
}

// over reports whether clients are to come to an end.
func (w *world) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
