package fault

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/env"
)

// Outside is the name of whoever is no host of the network: clients.
const Outside = ""

// Network is the hosts of one cluster and the links between them.
type Network struct {
	// troubles counts cuts and pauses: with none nobody takes the lock.
	troubles atomic.Int32
	mu       struct {
		sync.Mutex
		owners map[string]string // host by address: listeners and dialled ends
		cuts   map[link]bool
		// changed is closed, and replaced, when a cut, a pause or an owner
		// changes.
		changed chan struct{}
	}
}

// link is one direction between two hosts.
type link struct{ from, to string }

// NewNetwork returns a network without hosts, all links whole.
func NewNetwork() *Network {
	n := &Network{}
	n.mu.owners, n.mu.cuts, n.mu.changed = map[string]string{}, map[link]bool{}, make(chan struct{})
	return n
}

// Host adds a machine. base is what its lives stand on; the name is what Cut
// knows it by.
func (n *Network) Host(name string, base env.Env, opt Options) *Host {
	h := &Host{net: n, name: name, base: base, opt: opt, epoch: base.Clock.Now()}
	h.newBoot()
	return h
}

// Know says who is at an address that no host listens on.
func (n *Network) Know(address, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.owners[address] = name
	n.changeLocked()
}

// Cut holds back what one host sends to another, from now on, what is on its way
// included; Outside stands for all clients. Connections do not break by it.
func (n *Network) Cut(from, to string) { n.set(link{from, to}, true) }

// Mend ends a Cut: what was held back arrives.
func (n *Network) Mend(from, to string) { n.set(link{from, to}, false) }

func (n *Network) set(l link, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.cuts[l] == cut {
		return
	}
	if cut {
		n.mu.cuts[l] = true
		n.troubles.Add(1)
	} else {
		delete(n.mu.cuts, l)
		n.troubles.Add(-1)
	}
	n.changeLocked()
}

// MendAll ends all cuts.
func (n *Network) MendAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles.Add(-int32(len(n.mu.cuts)))
	clear(n.mu.cuts)
	n.changeLocked()
}

// changeLocked wakes who waits for a change.
func (n *Network) changeLocked() {
	close(n.mu.changed)
	n.mu.changed = make(chan struct{})
}

// forget drops an address, if it still is that host's.
func (n *Network) forget(address net.Addr, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.owners[address.String()] == name {
		delete(n.mu.owners, address.String())
	}
}

// owner returns the host at an address.
func (n *Network) owner(address string) (name string, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, known = n.mu.owners[address]
	return name, known
}

// obstacle returns nil when bytes pass over all the links at a host that is
// running, or else what is closed when that may have changed.
func (n *Network) obstacle(h *Host, links ...link) (changed <-chan struct{}, paused bool) {
	if n.troubles.Load() == 0 {
		return nil, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range links {
		if n.mu.cuts[l] {
			return n.mu.changed, h.paused
		}
	}
	if h.paused {
		return n.mu.changed, true
	}
	return nil, false
}
