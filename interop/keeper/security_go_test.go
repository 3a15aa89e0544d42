//go:build interop

package keeper

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"github.com/gregor-mq/gregor/interop/peer"
)

// limit bounds every wait for a server.
const limit = 60 * time.Second

type silence struct{}

func (silence) Printf(string, ...any) {}

// goClient connects go-zookeeper, by TLS when config is given.
func goClient(t *testing.T, addr string, config *tls.Config) *gozk.Conn {
	t.Helper()
	dial := func(network, address string, d time.Duration) (net.Conn, error) {
		if config == nil {
			return net.DialTimeout(network, address, d)
		}
		return tls.DialWithDialer(&net.Dialer{Timeout: d}, network, address, config)
	}
	c, events, err := gozk.Connect([]string{addr}, 20*time.Second, gozk.WithLogger(silence{}), gozk.WithDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	end := time.After(limit)
	for {
		select {
		case e := <-events:
			if e.State == gozk.StateHasSession {
				return c
			}
		case <-end:
			t.Fatal("no session")
		}
	}
}

// TestSecurityOfGo is go-zookeeper, against either program: TLS on both ports,
// with and without a certificate, digest and addresses.
func TestSecurityOfGo(t *testing.T) {
	p := newPeople(t)
	s := p.start(t, peer.TargetIsApache(), nil)
	mine := p.ca.Issue(pkix.Name{CommonName: "gopher"}).TLS()
	proven := &tls.Config{RootCAs: p.ca.Pool(), Certificates: []tls.Certificate{mine}}
	for i, addr := range []string{s.Addr, s.secure} {
		path := []string{"/go-one-port", "/go-secure"}[i]
		c := goClient(t, addr, proven)
		if _, err := c.Create(path, nil, 0, gozk.AuthACL(gozk.PermAll)); err != nil {
			t.Fatal(err)
		}
		acl, _, err := c.GetACL(path)
		if err != nil || len(acl) != 1 || acl[0].Scheme != "x509" || acl[0].ID != "CN=gopher" {
			t.Errorf("%+v, %v", acl, err)
		}
		nobody := goClient(t, addr, &tls.Config{RootCAs: p.ca.Pool()})
		if _, _, err := nobody.Get(path); !errors.Is(err, gozk.ErrNoAuth) {
			t.Errorf("nobody reads %s: %v", path, err)
		}
	}
	c := goClient(t, s.Addr, nil)
	if err := c.AddAuth("digest", []byte("go:secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create("/go-digest", nil, 0, gozk.DigestACL(gozk.PermAll, "go", "secret")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get("/go-digest"); err != nil {
		t.Error(err)
	}
	if _, _, err := goClient(t, s.Addr, nil).Get("/go-digest"); !errors.Is(err, gozk.ErrNoAuth) {
		t.Errorf("nobody reads what is digest's: %v", err)
	}
}

// presented returns the name in the server's certificate.
func (s *secured) presented(t *testing.T) string {
	t.Helper()
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", s.secure, &tls.Config{RootCAs: s.ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	return nc.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// presents waits until the server's certificate bears a name.
func (s *secured) presents(t *testing.T, name string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); s.presented(t) != name; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("the certificate is never that of %s", name)
		}
	}
}

// TestSecurityRenewed renews the server's certificate under a connected client,
// by the changed file and by SIGHUP.
func TestSecurityRenewed(t *testing.T) {
	p := newPeople(t)
	s := p.start(t, peer.TargetIsApache(), nil)
	c := goClient(t, s.secure, &tls.Config{RootCAs: p.ca.Pool()})
	session := c.SessionID()
	s.presents(t, "server")
	s.renew("renewed")
	s.presents(t, "renewed")
	if _, _, err := c.Exists("/"); err != nil || c.SessionID() != session {
		t.Errorf("%v, session %x was %x", err, c.SessionID(), session)
	}
	if peer.TargetIsApache() {
		return // knows no SIGHUP
	}
	s = p.start(t, false, map[string]string{"client.certReload": "false"})
	c = goClient(t, s.secure, &tls.Config{RootCAs: p.ca.Pool()})
	s.renew("by signal")
	if got := s.presented(t); got != "server" {
		t.Errorf("%s without a signal", got)
	}
	if err := syscall.Kill(s.Pid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.presents(t, "by signal")
	if _, _, err := c.Exists("/"); err != nil {
		t.Error(err)
	}
}

// TestSecurityOfStores starts the server from every kind of file.
func TestSecurityOfStores(t *testing.T) {
	p := newPeople(t)
	for _, ext := range []string{".jks", ".p12", ".pem"} {
		more := map[string]string{
			"ssl.keyStore.location":   p.ca.Issue(pkix.Name{CommonName: "server"}, "127.0.0.1").KeyStore(p.file("server" + ext)),
			"ssl.trustStore.location": p.ca.TrustStore(p.file("trusted" + ext)),
		}
		if ext == ".pem" {
			more["ssl.keyStore.password"] = ""
		}
		s := p.start(t, peer.TargetIsApache(), more)
		goClient(t, s.secure, &tls.Config{RootCAs: p.ca.Pool(), Certificates: []tls.Certificate{p.ca.Issue(pkix.Name{CommonName: "gopher"}).TLS()}})
	}
}
