package env

import "net"

// Host returns an address without its port, for logs and limits per host.
func Host(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
