package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/test/port"
	"github.com/gregor-mq/gregor/zk"
)

// members is an ensemble on loopback.
type members struct {
	t    *testing.T
	cfgs []keeper.Config
	ks   []*keeper.Keeper
}

// freePorts finds ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		p, err := port.Free()
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, p)
	}
	return ports
}

func newMembers(t *testing.T, n int) *members {
	m := &members{t: t, ks: make([]*keeper.Keeper, n)}
	ports := freePorts(t, 2*n)
	var servers []ensemble.Server
	for i := range n {
		servers = append(servers, ensemble.Server{
			Number: uint64(i + 1), Host: "127.0.0.1", QuorumPort: ports[2*i], ElectionPort: ports[2*i+1],
		})
	}
	for i := range n {
		cfg := config(t.TempDir())
		cfg.TickTime = 500 * time.Millisecond
		cfg.Member, cfg.Servers = uint64(i+1), servers
		m.cfgs = append(m.cfgs, cfg)
	}
	t.Cleanup(func() {
		for i := range m.ks {
			m.stop(i)
		}
	})
	return m
}

func (m *members) start(i int) {
	m.t.Helper()
	k, err := keeper.Start(m.t.Context(), m.cfgs[i], env.Real(), quiet)
	if err != nil {
		m.t.Fatal(err)
	}
	m.ks[i] = k
}

func (m *members) stop(i int) {
	if k := m.ks[i]; k != nil {
		m.ks[i] = nil
		if err := k.Stop(context.Background()); err != nil {
			m.t.Errorf("stop %d: %v", i, err)
		}
	}
}

func (m *members) addrs(on ...int) []string {
	var out []string
	for _, i := range on {
		out = append(out, m.ks[i].Addrs()[0].String())
	}
	return out
}

// dial returns a client of some members.
func (m *members) dial(on ...int) *gozk.Conn {
	m.t.Helper()
	c, events, err := gozk.Connect(m.addrs(on...), 10*time.Second, gozk.WithLogger(silent{}))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(c.Close)
	limit := time.After(30 * time.Second)
	for {
		select {
		case ev := <-events:
			if ev.State == gozk.StateHasSession {
				return c
			}
		case <-limit:
			m.t.Fatal("no session")
		}
	}
}

func TestThreeMembersAreOne(t *testing.T) {
	m := newMembers(t, 3)
	for i := range 3 {
		m.start(i)
	}
	open := gozk.WorldACL(gozk.PermAll)
	var cs []*gozk.Conn
	for i := range 3 {
		cs = append(cs, m.dial(i))
	}
	for i, c := range cs {
		for j := range 20 {
			if _, err := c.Create(fmt.Sprintf("/n%d-%d", i, j), []byte("x"), 0, open); err != nil {
				t.Fatalf("create by member %d: %v", i+1, err)
			}
		}
	}
	for i, c := range cs {
		if _, err := c.Sync("/"); err != nil {
			t.Fatal(err)
		}
		names, _, err := c.Children("/")
		if err != nil || len(names) != 61 {
			t.Errorf("member %d shows %d names, %v", i+1, len(names), err)
		}
	}
}

// TestDamageIsRepairedByOthers flips a byte of a member's log, and takes another's
// disk away: both come back with everything, and nothing damaged is served.
func TestDamageIsRepairedByOthers(t *testing.T) {
	m := newMembers(t, 3)
	for i := range 3 {
		m.cfgs[i].SnapCount = 50
		m.start(i)
	}
	c := m.dial(0)
	open := gozk.WorldACL(gozk.PermAll)
	for i := range 120 {
		if _, err := c.Create(fmt.Sprintf("/n%d", i), []byte("x"), 0, open); err != nil {
			t.Fatal(err)
		}
	}
	m.stop(1)
	logs, err := filepath.Glob(filepath.Join(m.cfgs[1].DataDir, "log", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x40
	if err := os.WriteFile(logs[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	m.start(1)
	m.shows(1, 120)
	aside, err := filepath.Glob(filepath.Join(m.cfgs[1].DataDir, "damaged-*", "log", filepath.Base(logs[0])))
	if err != nil || len(aside) != 1 {
		t.Errorf("put aside: %q, %v", aside, err)
	}
	m.stop(2)
	m.cfgs[2].DataDir = t.TempDir()
	m.start(2)
	m.shows(2, 120)
	// Both have votes again: one of three may go.
	m.stop(0)
	if _, err := m.dial(1, 2).Create("/last", nil, 0, open); err != nil {
		t.Fatal(err)
	}
}

// shows waits until a member alone shows so many nodes.
func (m *members) shows(i, n int) {
	m.t.Helper()
	c := m.dial(i)
	if _, err := c.Sync("/"); err != nil {
		m.t.Fatal(err)
	}
	names, _, err := c.Children("/")
	if err != nil || len(names) != n+1 {
		m.t.Fatalf("member %d shows %d nodes, %v", i+1, len(names), err)
	}
}

// TestReconfigure adds a member to two, and takes the first away.
func TestReconfigure(t *testing.T) {
	m := newMembers(t, 3)
	all := m.cfgs[0].Servers
	for i := range 3 {
		m.cfgs[i].ReconfigEnabled = true
		m.cfgs[i].SuperDigest = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
		m.cfgs[i].Servers = all[:2]
	}
	m.cfgs[2].Servers = all
	for i := range 3 {
		all[i].Client = fmt.Sprintf("127.0.0.1:%d", 20000+i)
	}
	m.start(0)
	m.start(1)
	c := m.dial(0)
	if _, err := c.IncrementalReconfig([]string{all[2].String()}, nil, -1); !errors.Is(err, gozk.ErrNoAuth) {
		t.Fatalf("without a right to it: %v", err)
	}
	if _, err := c.IncrementalReconfig([]string{"server.3=nonsense"}, nil, -1); !errors.Is(err, gozk.ErrBadArguments) {
		t.Fatalf("nonsense: %v", err)
	}
	if err := c.AddAuth("digest", []byte("super:secret")); err != nil {
		t.Fatal(err)
	}
	m.start(2)
	m.eventually("reconfig", func() error {
		_, err := c.IncrementalReconfig([]string{all[2].String()}, nil, -1)
		return err
	})
	if _, err := m.dial(2).Create("/by3", nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatal(err)
	}
	c = m.dial(1)
	if err := c.AddAuth("digest", []byte("super:secret")); err != nil {
		t.Fatal(err)
	}
	m.eventually("removal", func() error {
		_, err := c.IncrementalReconfig(nil, []string{"1"}, -1)
		return err
	})
	m.stop(0)
	if _, err := m.dial(1, 2).Create("/by2", nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatal(err)
	}
	text, _, err := m.dial(1).Get("/zookeeper/config")
	if err != nil || strings.Contains(string(text), "server.1=") || !strings.Contains(string(text), all[2].String()) {
		t.Errorf("%s, %v", text, err)
	}
}

// eventually repeats what may not be possible yet.
func (m *members) eventually(what string, f func() error) {
	m.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			m.t.Fatalf("%s: %v", what, err)
		}
	}
}

// TestReadOnlyMode leaves one of three alone.
func TestReadOnlyMode(t *testing.T) {
	m := newMembers(t, 3)
	for i := range 3 {
		m.cfgs[i].ReadOnlyMode = true
		m.start(i)
	}
	if _, err := m.dial(0).Create("/a", []byte("x"), 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatal(err)
	}
	m.shows(2, 1)
	m.stop(0)
	m.stop(1)
	r := m.readOnly(2)
	if got := r.must(&zk.GetDataRequest{Path: "/a"}).(*zk.GetDataResponse); string(got.Data) != "x" {
		t.Errorf("%q", got.Data)
	}
	for _, req := range []zk.Request{create("/b", zk.Persistent), &zk.SyncRequest{Path: "/"}, &zk.SetDataRequest{Path: "/a", Version: -1}, &zk.MultiRequest{}} {
		r.fails(req, zk.ErrNotReadOnly)
	}
	m.start(0)
	r.closed()
	m.shows(2, 1)
}

// readOnly waits until a member gives a session that can only read.
func (m *members) readOnly(i int) *raw {
	var r *raw
	m.eventually("read-only session", func() error {
		nc, err := net.Dial("tcp", m.addrs(i)[0])
		if err != nil {
			return err
		}
		c := &raw{t: m.t, nc: nc}
		c.send(zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 10_000, Password: make([]byte, zk.PasswordSize), ReadOnly: true}))
		b, err := zk.ReadFrame(nc, nil, 1<<20)
		if err == nil {
			err = zk.Unmarshal(b, &c.resp)
		}
		if err == nil && (!c.resp.ReadOnly || c.resp.SessionID == 0) {
			err = fmt.Errorf("%+v", c.resp)
		}
		if err != nil {
			nc.Close()
			return err
		}
		r = c
		return nil
	})
	m.t.Cleanup(func() { r.nc.Close() })
	return r
}
