package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fault is one way to harm a cluster.
type fault struct {
	name   string
	strike func(c *cluster, rng *rand.Rand) blow
	hits   target
}

// target is what a fault hits.
type target int

const (
	oneBroker target = iota
	allBrokers
	theKeeper
)

// blow is a fault at work.
type blow struct {
	says string        // what it does
	hold time.Duration // how long it lasts
	mend func()        // undoes it; processes may still be starting
}

// faults are all there are.
var faults = []fault{
	{"kill", killBroker, oneBroker},
	{"stop", stopBroker, oneBroker},
	{"partition", partition, oneBroker},
	{"full disk", fullDisk, oneBroker},
	{"read-only disk", readOnlyDisk, oneBroker},
	{"kill the keeper", killKeeper, theKeeper},
	{"kill all", killAll, allBrokers},
}

// attend returns the faults that strike while this one is at work: none, or
// some on brokers and keeper that are unharmed so far.
func (f fault) attend(rng *rand.Rand) []fault {
	var out []fault
	hit := map[target]int{f.hits: 1}
	for range brokerCount {
		next := faults[rng.IntN(len(faults))]
		room := 1
		switch next.hits {
		case oneBroker:
			room = brokerCount * (1 - hit[allBrokers])
		case allBrokers:
			room = 1 - hit[oneBroker]
		case theKeeper:
		}
		if rng.IntN(3) > 0 || hit[next.hits] >= room {
			continue
		}
		hit[next.hits]++
		out = append(out, next)
	}
	return out
}

// victim chooses a broker: any one, the controller, or one that leads
// something, which is most interesting. While other faults are at work it
// chooses among those that they left alone.
func (c *cluster) victim(rng *rand.Rand) (m *machine, says string) {
	c.t.Helper()
	defer func() { c.struck = append(c.struck, m) }()
	at, role := rng.IntN(brokerCount), rng.IntN(3)
	if len(c.struck) > 0 {
		for slices.Contains(c.struck, c.brokers[at]) {
			at = (at + 1) % brokerCount
		}
		return c.brokers[at], c.brokers[at].name
	}
	resp := c.anyMetadata()
	switch {
	case role == 0 && resp.ControllerID >= 0:
		at = int(resp.ControllerID)
	case role == 1:
		at = leaderOf(resp, rng)
	}
	says = c.brokers[at].name
	if int(resp.ControllerID) == at {
		says += ", the controller"
	}
	return c.brokers[at], says
}

func (c *cluster) anyMetadata() *kmsg.MetadataResponse {
	c.t.Helper()
	for _, resp := range c.metadata(c.t.Context()) {
		if resp != nil {
			return resp
		}
	}
	c.t.Fatal("no broker answers between two faults")
	return nil
}

// leaderOf returns the leader of the first partition of the load that has one.
func leaderOf(resp *kmsg.MetadataResponse, rng *rand.Rand) int {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if strings.HasPrefix(*t.Topic, "load-") && p.Leader >= 0 {
				return int(p.Leader)
			}
		}
	}
	return rng.IntN(brokerCount)
}

// killBroker is kill -9; the broker is back before its session ends, or after.
func killBroker(c *cluster, rng *rand.Rand) blow {
	m, who := c.victim(rng)
	hold := pick(rng, 0, between(rng, 0, session), between(rng, session, 3*session))
	m.kill()
	return blow{fmt.Sprintf("kill -9 of %s, started again after %v", who, hold), hold, m.launch}
}

// killAll is kill -9 of all brokers: within a moment, or so slowly that the
// last one is alone in sync and the only one that may lead when they come back,
// in another order.
func killAll(c *cluster, rng *rand.Rand) blow {
	pace := func() time.Duration {
		return pick(rng, 0, between(rng, 0, session/8), between(rng, session, 2*session))
	}
	down, hold, up := pace(), pick(rng, 0, between(rng, 0, 2*session)), pace()
	order, back := rng.Perm(brokerCount), rng.Perm(brokerCount)
	for _, at := range order {
		c.brokers[at].kill()
		linger(c.t.Context(), down)
	}
	return blow{fmt.Sprintf("kill -9 of brokers %v, one every %v; from %v later on started again, %v, one every %v", order, down, hold, back, up), hold, func() {
		for _, at := range back {
			c.brokers[at].launch()
			linger(c.t.Context(), up)
		}
	}}
}

// stopBroker is SIGSTOP past the session timeout: the broker goes on where it
// was, in a world that has declared it dead.
func stopBroker(c *cluster, rng *rand.Rand) blow {
	m, who := c.victim(rng)
	hold := between(rng, session+session/4, 3*session)
	m.signal(syscall.SIGSTOP)
	return blow{fmt.Sprintf("SIGSTOP of %s for %v", who, hold), hold, func() { m.signal(syscall.SIGCONT) }}
}

// partition cuts a broker off: from its peers, from ZooKeeper, or from
// everybody, in both directions or in one.
func partition(c *cluster, rng *rand.Rand) blow {
	m, who := c.victim(rng)
	var peers []host
	for _, b := range c.brokers {
		if b != m {
			peers = append(peers, b.host)
		}
	}
	var from []host
	var whom string
	switch rng.IntN(4) {
	case 0:
		from, whom = peers, "its peers"
	case 1:
		from, whom = peers[:1], peers[0].name
	case 2:
		from, whom = []host{c.keeper.host}, "ZooKeeper"
	case 3:
		from, whom = append(peers, c.keeper.host, clients), "everybody"
	}
	says := "both ways"
	out, in := true, true
	switch rng.IntN(4) {
	case 0:
		in, says = false, "so that nothing gets out"
	case 1:
		out, says = false, "so that nothing gets in"
	}
	each := func(f func(from, to host) error) {
		for _, h := range from {
			if out {
				must(c.t, f(m.host, h))
			}
			if in {
				must(c.t, f(h, m.host))
			}
		}
	}
	hold := pick(rng, between(rng, session/4, session), between(rng, session, 4*session))
	each(host.cut)
	return blow{fmt.Sprintf("network partition of %s from %s, %s, for %v", who, whom, says, hold), hold, func() { each(host.join) }}
}

// fullDisk takes all room on one of a broker's disks.
func fullDisk(c *cluster, rng *rand.Rand) blow {
	m, who := c.victim(rng)
	d, hold, how := pick(rng, m.disks...), between(rng, session/2, 2*session), howToEnd(rng)
	must(c.t, d.fill())
	return blow{fmt.Sprintf("disk %s of %s is full for %v, then %v", d.dir, who, hold, how), hold, func() {
		must(c.t, d.empty())
		m.end(how)
		m.launch()
	}}
}

// readOnlyDisk makes one of a broker's disks read-only. What the system had not
// written to it yet is lost if that is all that happens to a cluster in which
// everybody is in sync. Else this may be the only copy of something: a broker
// that cannot tell what it has lost may lead again, in Apache Kafka too.
func readOnlyDisk(c *cluster, rng *rand.Rand) blow {
	m, who := c.victim(rng)
	d, hold, how := pick(rng, m.disks...), between(rng, session/2, 2*session), howToEnd(rng)
	says := "is read-only"
	if c.loneFault && whole(c.anyMetadata()) == nil {
		must(c.t, d.breakDown())
		says += ", its cache lost,"
	} else {
		m.signal(syscall.SIGSTOP)
		must(c.t, errors.Join(d.sync(), d.breakDown()))
		m.signal(syscall.SIGCONT)
	}
	return blow{fmt.Sprintf("disk %s of %s %s for %v, then %v", d.dir, who, says, hold, how), hold, func() {
		m.end(how)
		must(c.t, d.repair())
		m.launch()
	}}
}

// howToEnd is how a broker ends before its disk is there again: as with Apache
// Kafka, a log directory that failed comes back with its broker's next life.
func howToEnd(rng *rand.Rand) syscall.Signal { return pick(rng, syscall.SIGKILL, syscall.SIGTERM) }

// end ends the process, if a failed disk has not ended it.
func (m *machine) end(how syscall.Signal) {
	m.t.Helper()
	m.sane()
	if m.process().Ended() {
		m.t.Logf("%s has ended with its disk", m.name)
		return
	}
	_ = m.process().Signal(how) // unless it ends right now
	if _, err := m.process().Wait(m.t.Context(), patience); err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
	m.sane()
}

// killKeeper is kill -9 of the keeper, for less than a session or for longer.
func killKeeper(c *cluster, rng *rand.Rand) blow {
	hold := pick(rng, 0, between(rng, 0, session), between(rng, session, 3*session))
	c.keeper.kill()
	return blow{fmt.Sprintf("kill -9 of the keeper, started again after %v", hold), hold, c.keeper.launch}
}
