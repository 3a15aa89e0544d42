//go:build interop

package peer

import "github.com/gregor-mq/gregor/test/port"

// Port returns a free TCP port on loopback.
func Port(s Scope) int {
	s.Helper()
	p, err := port.Free()
	if err != nil {
		s.Fatalf("%v", err)
	}
	return p
}

// loopback is the address of a port of this machine.
func loopback(p int) string { return port.Loopback(p) }
