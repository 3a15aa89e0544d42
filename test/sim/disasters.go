package sim

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/test/virtual"
)

// disaster is something that goes wrong and is mended after a while.
type disaster struct {
	name  string
	begin func()
	end   func()
}

// plan is the disasters of a run. The story's goroutine draws all that is
// random, so that it depends on nothing but the seed.
type plan struct {
	*world
	look     *observer
	deposers int
	ongoing  sync.WaitGroup
	mu       struct {
		sync.Mutex
		busy map[string]bool // who is in one disaster is left alone by others
	}
}

// disasters lets things go wrong, several at a time, and returns when the last
// is over.
func (w *world) disasters(look *observer) {
	p := &plan{world: w, look: look}
	p.mu.busy = map[string]bool{}
	w.sleep(w.rng.Between(500*time.Millisecond, 2*time.Second))
	for range w.setup.disasters {
		p.strike()
		w.sleep(w.rng.Between(200*time.Millisecond, 4*time.Second))
	}
	p.ongoing.Wait()
}

// strike begins one disaster, if its victim is free.
func (p *plan) strike() {
	victim := virtual.Pick(p.rng, p.brokers...)
	if p.rng.Chance(20) {
		victim = p.zookeeper
	}
	if p.rng.Chance(10) && (p.setup.minISR > 1 || victim == p.zookeeper) {
		p.powerCut(victim)
		return
	}
	d := p.draw(victim)
	last := virtual.Pick(p.rng, p.rng.Between(20*time.Millisecond, 500*time.Millisecond), p.rng.Between(500*time.Millisecond, 3*time.Second), p.rng.Between(3*time.Second, 9*time.Second))
	if !p.take(victim.Name()) {
		return
	}
	p.trace.Add("DISASTER: %s for %v", d.name, last)
	p.ongoing.Go(func() {
		defer p.free(victim.Name())
		d.begin()
		p.sleep(last)
		d.end()
		p.trace.Add("MENDED: %s", d.name)
	})
}

func (p *plan) take(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.mu.busy[name]
	p.mu.busy[name] = true
	return !taken
}

func (p *plan) free(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.busy, name)
}

// draw chooses what happens to a victim.
func (p *plan) draw(victim *process) disaster {
	of := func(what string, begin, end func()) disaster {
		return disaster{victim.Name() + " " + what, begin, end}
	}
	switch p.rng.N(10) {
	case 0:
		return of("is killed", victim.kill, victim.boot)
	case 1:
		return of("is stopped", victim.stop, victim.boot)
	case 2:
		return of("stands still", victim.Pause, victim.Resume)
	case 3:
		return p.badDisk(victim)
	case 4:
		d := virtual.Pick(p.rng, time.Second, -time.Second, time.Hour, -time.Hour, 30*24*time.Hour)
		return of(fmt.Sprintf("has its clock moved by %v", d), func() { victim.Jump(d) }, func() {})
	case 5, 6:
		return p.isolation(victim)
	case 7:
		p.deposers++
		return disaster{"the controller is deposed", p.newObserver(fmt.Sprintf("deposer-%d", p.deposers)).depose, func() {}}
	}
	return p.brokenLink(victim)
}

// powerCut takes the power from one machine. What is acknowledged survives it when
// every replica is in sync before, and nothing else goes wrong until they are
// again: a broker that is back before its failure was noticed is still in the
// ISR without its last records, and must not be the only one there.
func (p *plan) powerCut(victim *process) {
	keep := virtual.Pick(p.rng, 0, 50, 90)
	last := p.rng.Between(20*time.Millisecond, 6*time.Second)
	p.ongoing.Wait()
	if victim != p.zookeeper && !p.allInSync() {
		return
	}
	p.trace.Add("DISASTER: %s loses power for %v, %d%% of what was not synced stays", victim.Name(), last, keep)
	victim.powerCut(keep)
	p.sleep(last)
	victim.boot()
	for range 100 {
		p.sleep(200 * time.Millisecond)
		// One that is up was missed, and has left the ISR before.
		if victim.running() != nil && p.allInSync() {
			break
		}
	}
	p.trace.Add("MENDED: %s has power", victim.Name())
}

// allInSync reports whether every partition has all its replicas in sync.
func (p *plan) allInSync() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	found, err := p.look.partitions(ctx)
	if err == nil {
		err = allInSync(found)
	}
	p.trace.Add("all in sync? %v", err)
	return err == nil
}

// others are all hosts that a victim talks to.
func (p *plan) others(victim *process) []string {
	var out []string
	for _, b := range append([]*process{p.zookeeper}, p.brokers...) {
		if b != victim {
			out = append(out, b.Name())
		}
	}
	return append(out, p.clients...)
}

// isolation cuts a victim off from a side of the world.
func (p *plan) isolation(victim *process) disaster {
	from, name := p.others(victim), "all"
	switch p.rng.N(3) {
	case 0:
		from, name = from[:len(from)-len(p.clients)], "its peers"
	case 1:
		from, name = from[:1], from[0]
	}
	into, outof := true, true
	if p.rng.Chance(30) {
		into = p.rng.Chance(50)
		outof = !into
	}
	each := func(f func(from, to string)) func() {
		return func() {
			for _, other := range from {
				if into {
					f(other, victim.Name())
				}
				if outof {
					f(victim.Name(), other)
				}
			}
		}
	}
	return disaster{fmt.Sprintf("%s is cut off from %s (in %v, out %v)", victim.Name(), name, into, outof), each(p.links.Cut), each(p.links.Mend)}
}

// brokenLink cuts one link.
func (p *plan) brokenLink(victim *process) disaster {
	all := p.others(victim)
	other := all[p.rng.N(len(all))]
	return disaster{
		fmt.Sprintf("%s and %s do not hear each other", victim.Name(), other),
		func() { p.links.Cut(victim.Name(), other); p.links.Cut(other, victim.Name()) },
		func() { p.links.Mend(victim.Name(), other); p.links.Mend(other, victim.Name()) },
	}
}

// badDisk makes writes fail, in one directory or all. Afterwards the process is
// started anew: a directory that failed stays offline.
func (p *plan) badDisk(victim *process) disaster {
	under := virtual.Pick(p.rng, "/", logDirs[0])
	if victim == p.zookeeper {
		under = "/"
	}
	why := virtual.Pick(p.rng, syscall.EIO, syscall.ENOSPC, syscall.EROFS)
	return disaster{
		fmt.Sprintf("%s gets %q when it writes below %s", victim.Name(), why.Error(), under),
		func() {
			victim.disk.SetInjector(func(op memfs.Op, name string) error {
				if op == memfs.OpRead || op == memfs.OpList || op == memfs.OpOpen || !strings.HasPrefix(name, under) {
					return nil
				}
				return why
			})
		},
		func() {
			victim.kill()
			victim.disk.SetInjector(nil)
			victim.boot()
		},
	}
}

// aftermath is how long it takes until what was asked for before has happened,
// or never will: requests wait for ZooKeeper, sessions are renewed.
const aftermath = 10 * time.Second

// heal mends all that may still be broken.
func (w *world) heal() {
	w.links.MendAll()
	w.trace.Add("ALL IS HEALED")
}
