package keeper_test

import (
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
	"testing"

	gozk "github.com/go-zookeeper/zk"

	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/secure"
	"github.com/gregor-mq/gregor/test/certs"
)

// sealed gives a member certificates of an authority.
func sealed(t *testing.T, cfg *keeper.Config, ca *certs.Pair, dial, unified bool, hosts ...string) {
	t.Helper()
	dir := t.TempDir()
	own := ca.Issue(pkix.Name{CommonName: fmt.Sprint("member ", cfg.Member)}, hosts...)
	cfg.Security.SecureMembers, cfg.Security.UnifiedMembers = dial, unified
	cfg.Security.Members = secure.Options{
		KeyStore:   secure.Store{Location: own.KeyStore(filepath.Join(dir, "key.jks")), Password: certs.Password},
		TrustStore: secure.Store{Location: ca.TrustStore(filepath.Join(dir, "trust.jks")), Password: certs.Password},
		ClientHost: true,
	}
}

// agree creates a node at the first of some members and reads it at the last.
func (m *members) agree(path string, on ...int) {
	m.t.Helper()
	if _, err := m.dial(on[0]).Create(path, nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		m.t.Fatal(err)
	}
	c := m.dial(on[len(on)-1])
	if _, err := c.Sync(path); err != nil {
		m.t.Fatal(err)
	}
	if ok, _, err := c.Exists(path); !ok || err != nil {
		m.t.Fatalf("%v, %v", ok, err)
	}
}

func TestMembersSpeakTLS(t *testing.T) {
	m := newMembers(t, 3)
	ca := certs.NewCA(t, "ca")
	for i := range 3 {
		sealed(t, &m.cfgs[i], ca, true, false, "127.0.0.1")
		m.start(i)
	}
	m.agree("/a", 0, 1, 2)
}

// TestMembersTurnToTLS: first all accept both, then they dial by TLS one after
// another, as portUnification is meant for.
func TestMembersTurnToTLS(t *testing.T) {
	m := newMembers(t, 3)
	ca := certs.NewCA(t, "ca")
	for i := range 3 {
		sealed(t, &m.cfgs[i], ca, i == 0, true, "127.0.0.1")
		m.start(i)
	}
	m.agree("/a", 0, 1, 2)
	m.stop(1)
	m.cfgs[1].Security.SecureMembers = true
	m.start(1)
	m.agree("/b", 1, 2, 0)
}

// TestStrangersAreNoMembers: two of three agree, the third has no certificate,
// one of another authority, or one of another host.
func TestStrangersAreNoMembers(t *testing.T) {
	for name, third := range map[string]func(*keeper.Config, *certs.Pair){
		"plain":             func(*keeper.Config, *certs.Pair) {},
		"another authority": func(c *keeper.Config, _ *certs.Pair) { sealed(t, c, certs.NewCA(t, "other"), true, false, "127.0.0.1") },
		"another host":      func(c *keeper.Config, ca *certs.Pair) { sealed(t, c, ca, true, false, "10.0.0.1") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMembers(t, 3)
			ca := certs.NewCA(t, "ca")
			sealed(t, &m.cfgs[0], ca, true, false, "127.0.0.1")
			sealed(t, &m.cfgs[1], ca, true, false, "127.0.0.1")
			third(&m.cfgs[2], ca)
			m.start(2)
			m.start(0)
			m.start(1)
			m.agree("/a", 0, 1)
			if got := m.modeOf(2); got != "" {
				t.Errorf("the stranger is a %s", got)
			}
		})
	}
}
