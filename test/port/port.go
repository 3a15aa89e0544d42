// Package port finds ports for the processes that tests and benchmarks start:
// their configuration names a port before they listen on it.
//
//   - Owns: the list of ports this process has given away.
//   - Goroutines: none.
//   - Disk: nothing.
//   - Locks: one, over that list.
//   - Kafka counterpart: none; its tests bind port 0, as gregor's do within a process.
package port

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the range out of which kernels give ports to
// outgoing connections: there, one that is free now may be any client's in a
// moment.
const lowest, highest = 10000, 32000

// tries is how many ports are looked at before giving up.
const tries = 200

// given are the ports this process has handed out, so that nobody gets one
// again before its owner has come to listen.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// Free returns a TCP port of the loopback address that nobody listens on, and
// that it has not returned before. Another process may still take it.
func Free() (int, error) {
	given.Lock()
	defer given.Unlock()
	for range tries {
		p := lowest + rand.IntN(highest-lowest)
		if given.ports[p] {
			continue
		}
		l, err := net.Listen("tcp", Loopback(p))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("port %d: %w", p, err)
		}
		given.ports[p] = true
		return p, nil
	}
	return 0, fmt.Errorf("no free port from %d to %d in %d tries", lowest, highest-1, tries)
}

// Loopback is the address of a port of this machine.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
