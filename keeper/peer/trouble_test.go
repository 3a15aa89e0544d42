package peer

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/fault"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// beat is how often members of an ensemble under test send something.
const beat = 500 * time.Millisecond

// ensemble is three members on machines of their own.
type ensemble struct {
	t     *testing.T
	net   *fault.Network
	hosts map[uint64]*fault.Host
	nodes map[uint64]*node
	ends  chan struct{}
}

func onEnsemble(t *testing.T, story func(e *ensemble)) {
	synctest.Test(t, func(t *testing.T) {
		base := env.Real()
		base.Net = memnet.NewDelayed(base.Clock, func(_, _ net.Addr) time.Duration { return time.Millisecond })
		base.FS = memfs.New(0, time.Now)
		e := &ensemble{t: t, net: fault.NewNetwork(), hosts: map[uint64]*fault.Host{}, nodes: map[uint64]*node{}, ends: make(chan struct{})}
		for n := range uint64(3) {
			e.hosts[n+1] = e.net.Host(fmt.Sprint(n+1), base, fault.Options{})
			e.boot(n+1, 10)
		}
		for n := range e.nodes {
			e.nodes[n].o.await(e.others(n, "up")...)
		}
		story(e)
		close(e.ends)
	})
}

// others is a word for each of the other members.
func (e *ensemble) others(n uint64, word string) (out []string) {
	for m := range e.hosts {
		if m != n {
			out = append(out, fmt.Sprintf("%s %d", word, m))
		}
	}
	return out
}

// boot starts a member, which beats.
func (e *ensemble) boot(n, boot uint64) {
	o := person(n, boot)
	node := begin(e.t, e.hosts[n].Boot(), Config{IdleTimeout: 5 * time.Second}, o)
	e.nodes[n] = node
	addresses := map[uint64]string{}
	for m := range uint64(3) {
		if m+1 != n {
			addresses[m+1] = address(m + 1)
		}
	}
	node.SetMembers(addresses)
	go func() {
		for {
			select {
			case <-time.After(beat):
			case <-e.ends:
				return
			}
			for m := range addresses {
				node.Send(m, 'b', nil)
			}
		}
	}()
}

// within waits for lines of a member and fails when that took too long.
func (e *ensemble) within(d time.Duration, n uint64, begins ...string) []string {
	e.t.Helper()
	began := time.Now()
	lines := e.nodes[n].o.await(begins...)
	if took := time.Since(began); took > d {
		e.t.Errorf("member %d saw %q after %v, want %v", n, begins, took, d)
	}
	return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "from") })
}

// forget drops what all have seen.
func (e *ensemble) forget() {
	synctest.Wait()
	for _, n := range e.nodes {
		n.o.seen()
	}
}

// TestKillAndBoot: a killed process is missed at once, and the next one found
// within a pause.
func TestKillAndBoot(t *testing.T) {
	onEnsemble(t, func(e *ensemble) {
		for boot := range uint64(5) {
			time.Sleep(10 * time.Second)
			e.forget()
			e.hosts[2].Kill()
			for _, n := range []uint64{1, 3} {
				got := e.within(5*time.Millisecond, n, "lost 2", "down 2")
				slices.Sort(got)
				want(t, got, "down 2: gone", fmt.Sprintf("lost 2 boot %d: gone", boot+10))
			}
			time.Sleep(time.Minute)
			e.boot(2, boot+11)
			e.within(30*time.Millisecond, 2, "up 1", "up 3")
			for _, n := range []uint64{1, 3} {
				want(t, e.within(30*time.Millisecond, n, "up 2"), fmt.Sprintf("up 2 boot %d I am 2", boot+11))
			}
		}
	})
}

// TestCutOff: a member that cannot be reached is missed after IdleTimeout, by
// those it cannot reach alone, and found again soon after the network is whole.
func TestCutOff(t *testing.T) {
	for _, ways := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		onEnsemble(t, func(e *ensemble) {
			time.Sleep(10 * time.Second)
			e.forget()
			if ways[0] {
				e.net.Cut("1", "2")
			}
			if ways[1] {
				e.net.Cut("2", "1")
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			for n, sees := range map[uint64]bool{1: ways[1], 2: ways[0]} {
				if !sees {
					continue
				}
				got := e.within(0, n, fmt.Sprintf("lost %d", 3-n), fmt.Sprintf("down %d", 3-n))
				for _, l := range got {
					if !strings.Contains(l, "silent") && !strings.Contains(l, "gone") {
						t.Errorf("member %d saw %q", n, l)
					}
				}
			}
			if got := e.within(time.Second, 3, "from 1", "from 2"); len(got) > 0 {
				t.Errorf("member 3 saw %q", got)
			}
			e.forget()
			e.net.MendAll()
			time.Sleep(5 * time.Second) // HelloTimeout and maxPause, and the way
			e.forget()
			e.within(2*beat, 1, "from 2")
			e.within(2*beat, 2, "from 1")
		})
	}
}

// TestPause: a process that stands still is missed, and found again.
func TestPause(t *testing.T) {
	onEnsemble(t, func(e *ensemble) {
		time.Sleep(10 * time.Second)
		e.forget()
		e.hosts[2].Pause()
		got := e.within(6*time.Second, 1, "lost 2", "down 2")
		slices.Sort(got)
		want(t, got, "down 2: the other end is silent", "lost 2 boot 10: the other end is silent")
		time.Sleep(time.Minute)
		e.hosts[2].Resume()
		time.Sleep(5 * time.Second)
		e.forget()
		e.within(2*beat, 1, "from 2")
		e.within(2*beat, 2, "from 1")
	})
}
