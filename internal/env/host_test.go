package env_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

func TestHostHasNoPort(t *testing.T) {
	for addr, want := range map[string]string{"10.0.0.1:9092": "10.0.0.1", "[fe80::1%eth0]:9092": "fe80::1%eth0"} {
		if got := env.Host(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("host of %s is %q, want %q", addr, got, want)
		}
	}
	if got := env.Host(&net.UnixAddr{Name: "/run/x", Net: "unix"}); got != "/run/x" {
		t.Errorf("host of a socket file is %q", got)
	}
}
