package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/znode"
)

// registered is what /brokers/ids/N says of a running node.
func (m *machine) registered(n *Node) string {
	m.t.Helper()
	path := znode.BrokerPath(n.Config().ID)
	data, _, err := n.zk.Load().Get(m.t.Context(), path, false)
	if err != nil {
		m.t.Fatal(err)
	}
	b, err := znode.DecodeBroker(path, data)
	if err != nil {
		m.t.Fatal(err)
	}
	out := fmt.Sprintf("v%d", b.Version)
	for _, e := range b.Endpoints {
		out += fmt.Sprintf(" %s=%s://%s:%d", e.Listener, e.Protocol, e.Host, e.Port)
	}
	if b.Rack != nil {
		out += " rack " + *b.Rack
	}
	return out
}

// names resolves every host name to this machine.
type names struct{ env.Net }

func (n names) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return n.Net.Dial(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

func TestRegistration(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		m.env.Net = names{m.net}
		m.write("/proc/sys/kernel/hostname", "box\n")
		f := func(want string, more ...string) {
			t.Helper()
			n := m.start(more...)
			if got := m.registered(n); got != want {
				t.Errorf("registered %q, want %q", got, want)
			}
			m.stop(n)
		}
		f("v5 PLAINTEXT=PLAINTEXT://127.0.0.1:9092")
		f("v5 PLAINTEXT=PLAINTEXT://broker.example:9092 rack r1", "advertised.listeners=PLAINTEXT://broker.example:9092", "broker.rack=r1")
		f("v5 A=PLAINTEXT://box:9092 B=PLAINTEXT://127.0.0.1:9093",
			"listeners=A://:9092,B://127.0.0.1:9093", "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT", "inter.broker.listener.name=B")
		f("v4 PLAINTEXT=PLAINTEXT://127.0.0.1:9092", "inter.broker.protocol.version=2.6")
	})
}

func TestRegistrationVersions(t *testing.T) {
	for text, want := range map[string]int32{"0.9.0": 2, "0.10.0": 4, "2.6": 4, "2.7": 5, "3.9": 5} {
		p, err := config.ParseProtocolVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := registrationVersion(p); got != want {
			t.Errorf("%s registers version %d, want %d", text, got, want)
		}
	}
}

// A port that the system chose is registered as it is, and a broker id that is
// generated stays with the directory.
func TestWhatTheSystemChooses(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start("listeners=PLAINTEXT://127.0.0.1:0", "broker.id=-1")
		id := n.Config().ID
		if want := "v5 PLAINTEXT=PLAINTEXT://" + n.Listeners()[0].Addr.String(); m.registered(n) != want || id <= 1000 {
			t.Errorf("registered %q as %d, want %q", m.registered(n), id, want)
		}
		m.stop(n)
		n = m.start("broker.id=-1")
		if n.Config().ID != id {
			t.Errorf("id %d, was %d", n.Config().ID, id)
		}
		m.stop(n)
	})
}

func TestProfilesAreServed(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start("gregor.debug.pprof.address=127.0.0.1:6060")
		c, err := m.net.Dial(t.Context(), "tcp", "127.0.0.1:6060")
		if err != nil {
			t.Fatal(err)
		}
		// HTTP 1.0: the server ends the connection itself, before we do.
		if _, err := io.WriteString(c, "GET /debug/pprof/goroutine?debug=1 HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(answer), "200 OK") {
			t.Errorf("answer %.60q, %v", answer, err)
		}
		_ = c.Close()
		m.stop(n)
	})
}
