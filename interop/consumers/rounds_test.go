//go:build interop

package consumers

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	roundsFlag = flag.Int("rounds", 0, "how many rounds TestRounds plays; 0 is the short tier, one of each act")
	seedFlag   = flag.Uint64("seed", 1, "what TestRounds draws its acts from; 0 draws one")
)

// act is what happens in a round; play does it, and tells in words to whom.
type act struct {
	name string
	// orderly says that members only join and leave as they should.
	orderly bool
	play    func(*troupe, *rand.Rand) (what string)
}

var acts = []act{
	{"join or leave", true, (*troupe).joinOrLeave},
	{"leave or join", true, (*troupe).leaveOrJoin},
	{"kill a member", false, (*troupe).killMember},
	{"pause a member", false, (*troupe).pauseMember},
	{"kill a broker", false, (*troupe).killBroker},
	{"pause a broker", false, (*troupe).pauseBroker},
}

// TestRounds plays with one group: the consumer of 0.8.2.2, the console consumer of
// that release, and two of gregor's, one of which keeps names of 0.7 too. In every
// round records flow, one thing happens, and then each partition has the owner that
// it should have and every record was read. In rounds that are orderly no record is
// read twice, but by the old consumer (see repeated).
func TestRounds(t *testing.T) {
	seed, rounds := *seedFlag, *roundsFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	if rounds == 0 {
		rounds = len(acts)
	}
	t.Logf("seed %d", seed)
	p := newTroupe(t, time.Duration(rounds+2)*2*within)
	for _, name := range slices.Sorted(maps.Keys(casts)) {
		p.join(name)
	}
	p.settled()
	for round := 1; round <= rounds; round++ {
		p.round(round, chooseAct(seed, round), rand.New(rand.NewPCG(seed, uint64(round))))
		if t.Failed() {
			t.Fatalf("again: go test -v -tags interop ./interop/consumers -run TestRounds -seed %d -rounds %d", seed, round)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.running)) {
		p.leave(name)
	}
	t.Logf("%d rounds of seed %d: %d records, %d deliveries, %d records of orderly rounds repeated by an old consumer, %d owner nodes made",
		rounds, seed, len(p.sent.round), p.deliveries, p.oldRepeats, p.history.turns())
}

// chooseAct deals all acts out before one comes again, in an order of the seed.
func chooseAct(seed uint64, round int) act {
	deal := (round - 1) / len(acts)
	order := rand.New(rand.NewPCG(seed, 1<<32+uint64(deal))).Perm(len(acts))
	return acts[order[(round-1)%len(acts)]]
}

// round plays one act while records flow.
func (p *troupe) round(number int, a act, rng *rand.Rand) {
	p.t.Helper()
	began := time.Now()
	stop := p.flow(number)
	what := a.play(p, rng)
	p.settled()
	stop()
	p.delivered()
	if a.orderly {
		p.onceIn(number)
	}
	p.t.Logf("round %d: %s (%s): %v", number, a.name, what, time.Since(began).Round(100*time.Millisecond))
}

// some returns one of those who are on stage.
func (p *troupe) some(rng *rand.Rand) string {
	names := slices.Sorted(maps.Keys(p.running))
	return names[rng.IntN(len(names))]
}

// away returns those who are not.
func (p *troupe) away() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(casts)), func(name string) bool { return p.running[name] != nil })
}

func (p *troupe) joinOrLeave(rng *rand.Rand) string {
	away := p.away()
	if len(away) == 0 {
		return p.leaveOrJoin(rng)
	}
	name := away[rng.IntN(len(away))]
	p.join(name)
	return name + " joins"
}

func (p *troupe) leaveOrJoin(rng *rand.Rand) string {
	if len(p.running) < 2 {
		return p.joinOrLeave(rng)
	}
	name := p.some(rng)
	p.leave(name)
	return name + " leaves"
}

// killMember kills one; the last of all has somebody to follow it.
func (p *troupe) killMember(rng *rand.Rand) string {
	name := p.some(rng)
	what := name
	if len(p.running) == 1 {
		what += ", " + p.joinOrLeave(rng)
	}
	p.running[name].p.Kill(p.t)
	p.end(name)
	return what
}

// pauseMember stops one until its session is over and others have its partitions,
// if there are others.
func (p *troupe) pauseMember(rng *rand.Rand) string {
	name := p.some(rng)
	a := p.running[name]
	a.p.Pause(p.t)
	p.registered(name, false)
	if len(p.running) > 1 {
		delete(p.running, name)
		p.settled()
		p.running[name] = a
	}
	a.p.Resume(p.t)
	p.registered(name, true)
	return name
}

func (p *troupe) killBroker(rng *rand.Rand) string {
	id := rng.IntN(len(p.cluster.Brokers))
	b := p.cluster.Brokers[id]
	b.Kill(p.t)
	p.broker(id, false)
	p.settled()
	b.Start(p.t)
	p.broker(id, true)
	p.inSync()
	return fmt.Sprint(id)
}

func (p *troupe) pauseBroker(rng *rand.Rand) string {
	id := rng.IntN(len(p.cluster.Brokers))
	b := p.cluster.Brokers[id]
	b.Pause(p.t)
	p.broker(id, false)
	p.settled()
	b.Resume(p.t)
	p.broker(id, true)
	p.inSync()
	return fmt.Sprint(id)
}

// settled waits until everybody on stage has its range of the partitions.
func (p *troupe) settled() {
	p.t.Helper()
	names := slices.Sorted(maps.Keys(p.running))
	var want []string
	for i, name := range names {
		n := partitions / len(names)
		if i < partitions%len(names) {
			n++
		}
		want = append(want, slices.Repeat([]string{name}, n)...)
	}
	p.dealt(strings.Join(want, " "))
}
