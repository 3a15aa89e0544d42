package keepers

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/test/virtual"
)

// errFull is what a full disk says.
var errFull error = syscall.ENOSPC

// plan is the faults of a run. The story's goroutine draws all that is random, so
// that it depends on nothing but the seed.
type plan struct {
	*world
	ongoing sync.WaitGroup
	mu      struct {
		sync.Mutex
		busy map[*member]bool // who is in one fault is left alone by others
	}
}

// wrong is something that goes wrong and is mended after a while.
type wrong struct {
	name       string
	begin, end func()
}

// faults lets things go wrong, several at a time, and returns when the last is over.
func (w *world) faults() {
	p := &plan{world: w}
	p.mu.busy = map[*member]bool{}
	w.sleep(w.rng.Between(time.Second, 4*time.Second))
	for range w.setup.faults {
		p.strike()
		w.sleep(w.rng.Between(200*time.Millisecond, 4*time.Second))
	}
	p.ongoing.Wait()
}

// victim is some member, the leader rather often.
func (p *plan) victim() *member {
	m := virtual.Pick(p.rng, p.members...)
	if l := p.leader(); l != nil && p.rng.Chance(40) {
		m = l
	}
	return m
}

// strike begins one fault, if its victim is free.
func (p *plan) strike() {
	victim := p.victim()
	last := virtual.Pick(p.rng, p.rng.Between(20*time.Millisecond, 500*time.Millisecond), p.rng.Between(500*time.Millisecond, 3*time.Second), p.rng.Between(3*time.Second, 9*time.Second))
	switch n := p.rng.N(100); {
	case n < 6:
		p.all(last)
		return
	case n < 14:
		p.loss(victim, last)
		return
	}
	d := p.draw(victim)
	if !p.take(victim) {
		return
	}
	p.trace.Add("FAULT: %s for %v", d.name, last)
	began := p.clock.Now().Round(0)
	p.ongoing.Go(func() {
		defer p.free(victim)
		d.begin()
		p.sleep(last)
		d.end()
		p.trace.Add("MENDED: %s", d.name)
		p.troubled(began)
	})
}

// troubled notes a time in which something went wrong.
func (w *world) troubled(from time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.troubles = append(w.mu.troubles, trouble{from, w.clock.Now().Round(0)})
}

func (p *plan) take(m *member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.mu.busy[m]
	p.mu.busy[m] = true
	return !taken
}

func (p *plan) free(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.busy, m)
}

// draw chooses what happens to a victim.
func (p *plan) draw(victim *member) wrong {
	of := func(what string, begin, end func()) wrong { return wrong{victim.Name() + " " + what, begin, end} }
	switch p.rng.N(12) {
	case 0, 1:
		return of("is killed", victim.kill, victim.boot)
	case 2:
		return of("is stopped", victim.stop, victim.boot)
	case 3, 4:
		return of("stands still", victim.Pause, victim.Resume)
	case 5:
		return p.full(victim)
	case 6:
		d := virtual.Pick(p.rng, time.Second, -time.Second, time.Hour, -time.Hour)
		return of(fmt.Sprintf("has its clock moved by %v", d), func() { victim.Jump(d) }, func() {})
	case 7:
		keep := virtual.Pick(p.rng, 0, 50, 90)
		return of(fmt.Sprintf("loses power, %d%% of what was not synced stays", keep), func() { victim.powerCut(keep) }, victim.boot)
	case 8:
		more := p.rng.Between(5*time.Millisecond, 300*time.Millisecond)
		return of(fmt.Sprintf("is %v slower to reach", more), func() { p.setSlow(victim.addr, more) }, func() { p.setSlow(victim.addr, 0) })
	}
	return p.isolation(victim)
}

// all kills all members at once, or takes their power.
func (p *plan) all(last time.Duration) {
	p.ongoing.Wait()
	power := p.rng.Chance(50)
	p.trace.Add("FAULT: all go, for %v, by a power cut: %v", last, power)
	began := p.clock.Now().Round(0)
	for _, m := range p.members {
		if power {
			m.powerCut(virtual.Pick(p.rng, 0, 50, 90))
		} else {
			m.kill()
		}
	}
	p.sleep(last)
	for _, m := range p.members {
		m.boot()
	}
	p.trace.Add("MENDED: all are back")
	p.troubled(began)
}

// loss takes the disk of one member. What is acknowledged survives that when
// nothing else goes wrong until the member is back with all data.
func (p *plan) loss(victim *member, last time.Duration) {
	p.ongoing.Wait()
	if !p.await(p.whole) {
		p.problem("never whole before a disk is lost")
		return
	}
	p.trace.Add("FAULT: %s loses its disk, for %v", victim.Name(), last)
	began := p.clock.Now().Round(0)
	victim.loseDisk()
	p.sleep(last)
	victim.boot()
	if !p.await(func() bool { return p.whole() && victim.isMember() }) {
		p.problem("%s lost its disk and was never taken in again", victim.Name())
	}
	p.trace.Add("MENDED: %s has its data", victim.Name())
	p.troubled(began)
}

// await waits for a condition of the whole ensemble.
func (w *world) await(holds func() bool) bool {
	for range int(patience / (50 * time.Millisecond)) {
		if holds() {
			return true
		}
		w.sleep(50 * time.Millisecond)
	}
	return false
}

// patience is how long an ensemble without faults may take to be whole.
const patience = time.Minute

// others are all hosts that a victim talks to.
func (p *plan) others(victim *member) (peers, clients []string) {
	for _, m := range p.members {
		if m != victim {
			peers = append(peers, m.Name())
		}
	}
	for _, c := range p.clients {
		clients = append(clients, c.Name())
	}
	return peers, append(clients, p.watcher.Name())
}

// isolation cuts a victim off from a side of the world.
func (p *plan) isolation(victim *member) wrong {
	peers, clients := p.others(victim)
	from, name := append(peers, clients...), "all"
	switch p.rng.N(4) {
	case 0, 1:
		from, name = peers, "its peers"
	case 2:
		from, name = peers[:1+p.rng.N(len(peers))], "some peers"
	}
	into, outof := true, true
	if p.rng.Chance(40) {
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
	return wrong{fmt.Sprintf("%s is cut off from %s %s (in %v, out %v)", victim.Name(), name, strings.Join(from, " "), into, outof), each(p.links.Cut), each(p.links.Mend)}
}

// full makes writes fail, of the log or of all. The keeper may end by it, and is
// started anew afterwards.
func (p *plan) full(victim *member) wrong {
	under := virtual.Pick(p.rng, dataDir, dataDir+"/log", dataDir+"/snapshots")
	return wrong{
		fmt.Sprintf("%s has no room below %s", victim.Name(), under),
		func() {
			victim.disk.SetInjector(func(op memfs.Op, name string) error {
				if (op == memfs.OpWrite || op == memfs.OpMkdir) && strings.HasPrefix(name, under) {
					return errFull
				}
				return nil
			})
		},
		func() {
			victim.disk.SetInjector(nil)
			if p.rng.Chance(50) {
				victim.kill()
				victim.boot()
			}
		},
	}
}

// heal mends all that may still be broken.
func (w *world) heal() {
	w.links.MendAll()
	w.trace.Add("ALL IS HEALED")
}
