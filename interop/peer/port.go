//go:build interop

package peer

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Port returns a free TCP port on loopback. It is chosen below the range from
// which kernels give ports to outgoing connections, where one that was free a
// moment ago may be taken by any client.
func Port(s Scope) int {
	s.Helper()
	const first, last, tries = 12000, 29999, 100
	for range tries {
		port := first + rand.IntN(last-first)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	s.Fatalf("no free port in %d tries", tries)
	return 0
}

// loopback is the address of a port of this machine.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
