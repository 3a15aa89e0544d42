package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/certs"
)

// patience bounds every wait; only broken code needs it.
const patience = 20 * time.Second

// clock is a real clock that can be put forward.
type clock struct {
	env.Clock
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Clock.Now().Add(c.ahead)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// names is a network whose addresses have names.
type names struct {
	env.Net
	of map[string][]string
}

func (n names) LookupAddr(_ context.Context, addr string) ([]string, error) { return n.of[addr], nil }

type fixture struct {
	t      *testing.T
	dir    string
	ca     *certs.Pair
	opts   Options
	env    env.Env
	logged bytes.Buffer
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), ca: certs.NewCA(t, "ca"), env: env.Real()}
	server := f.ca.Issue(pkix.Name{CommonName: "keeper"}, "localhost", "127.0.0.1")
	f.opts = Options{
		KeyStore:   Store{Location: server.KeyStore(filepath.Join(f.dir, "key.jks")), Password: certs.Password},
		TrustStore: Store{Location: f.ca.TrustStore(filepath.Join(f.dir, "trust.p12")), Password: certs.Password},
	}
	return f
}

func (f *fixture) source() *Source {
	f.t.Helper()
	s, err := Open("clients", f.opts, f.env, slog.New(slog.NewTextHandler(&f.logged, nil)))
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// echo accepts connections and sends back what it reads, until the test ends.
// It hands each to seen when it has read something, or failed to.
func echo(t *testing.T, s *Source, unified bool, seen func(*Conn, error)) string {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	l := s.Listener(raw, unified, func(f func()) { all.Go(f) })
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c := nc.(*Conn)
			_ = c.SetDeadline(time.Now().Add(patience))
			all.Go(func() {
				defer c.Close()
				b := make([]byte, 100)
				n, err := c.Read(b)
				if seen != nil {
					seen(c, err)
				}
				for err == nil {
					if _, err = c.Write(b[:n]); err == nil {
						n, err = c.Read(b)
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = raw.Close(); all.Wait() })
	return raw.Addr().String()
}

// says sends a word by TLS and expects it back.
func says(addr string, c *tls.Config) error {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, c)
	if err != nil {
		return err
	}
	defer nc.Close()
	return exchange(nc)
}

func exchange(nc net.Conn) error {
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, "hello"); err != nil {
		return err
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(nc, b); err != nil {
		return err
	}
	if string(b) != "hello" {
		return errors.New("got " + string(b))
	}
	return nil
}

func (f *fixture) client(p *certs.Pair) *tls.Config {
	c := &tls.Config{RootCAs: f.ca.Pool(), ServerName: "localhost"}
	if p != nil {
		mine := p.TLS() // also where the server asks for those of others
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &mine, nil }
	}
	return c
}

func TestWhoGetsIn(t *testing.T) {
	f := setUp(t)
	alice := f.ca.Issue(pkix.Name{CommonName: "alice"})
	stranger := certs.NewCA(t, "other").Issue(pkix.Name{CommonName: "alice"})
	try := func(auth ClientAuth, p *certs.Pair, want bool) {
		t.Helper()
		f.opts.ClientAuth = auth
		if err := says(echo(t, f.source(), false, nil), f.client(p)); (err == nil) != want {
			t.Errorf("%d: %v", auth, err)
		}
	}
	try(Need, alice, true)
	try(Need, nil, false)
	try(Need, stranger, false)
	try(Want, alice, true)
	try(Want, nil, true)
	try(Want, stranger, false)
	try(None, nil, true)
	try(None, stranger, true) // is not asked
	f.opts.TrustStore = Store{}
	try(Want, alice, false)
	try(Want, nil, true)
}

func TestCertificatesAreThoseOfTheClient(t *testing.T) {
	f := setUp(t)
	f.opts.ClientAuth = Want
	got := make(chan string, 1)
	addr := echo(t, f.source(), true, func(c *Conn, err error) {
		who := "nobody"
		if list := c.Certificates(); len(list) > 0 {
			who = list[0].Subject.CommonName
		}
		if c.Failed() {
			who = "failed"
		}
		got <- who
	})
	f1 := func(want string, err error) {
		t.Helper()
		if who := <-got; who != want {
			t.Errorf("%s, want %s (%v)", who, want, err)
		}
	}
	f1("alice", says(addr, f.client(f.ca.Issue(pkix.Name{CommonName: "alice"}))))
	f1("nobody", says(addr, f.client(nil)))
	f1("failed", says(addr, f.client(certs.NewCA(t, "other").Issue(pkix.Name{CommonName: "alice"}))))
	plain, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	f1("nobody", exchange(plain))
}

func TestUnifiedPortSpeaksBoth(t *testing.T) {
	f := setUp(t)
	f.opts.ClientAuth = None
	dial := func(addr string) net.Conn {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return nc
	}
	addr := echo(t, f.source(), true, nil)
	if err := says(addr, f.client(nil)); err != nil {
		t.Errorf("TLS: %v", err)
	}
	plain := dial(addr)
	defer plain.Close()
	if err := exchange(plain); err != nil {
		t.Errorf("plain: %v", err)
	}
	onlyTLS := dial(echo(t, f.source(), false, nil))
	defer onlyTLS.Close()
	if err := exchange(onlyTLS); err == nil {
		t.Error("a port for TLS speaks plain")
	}
}

// TestCloseTellsThePeer: a client that sees the end without the alert takes it
// for an attack.
func TestCloseTellsThePeer(t *testing.T) {
	f := setUp(t)
	f.opts.ClientAuth = None
	addr := echo(t, f.source(), false, func(c *Conn, _ error) { _ = c.Close() })
	nc, err := tls.Dial("tcp", addr, f.client(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(nc); err != nil {
		t.Errorf("%v", err)
	}
}

func TestClientHost(t *testing.T) {
	f := setUp(t)
	f.opts.ClientHost = true
	f.env.Net = names{f.env.Net, map[string][]string{"127.0.0.1": {"loop.example."}}}
	addr := echo(t, f.source(), false, nil)
	try := func(want bool, hosts ...string) {
		t.Helper()
		cn := "loop.example" // regarded when there is no other name
		if err := says(addr, f.client(f.ca.Issue(pkix.Name{CommonName: cn}, hosts...))); (err == nil) != want {
			t.Errorf("%v: %v", hosts, err)
		}
	}
	try(true, "127.0.0.1")
	try(true, "loop.example")
	try(true, "*.example")
	try(true)
	try(false, "10.0.0.1")
	try(false, "other.example")
}

func TestProtocolsAndSuites(t *testing.T) {
	f := setUp(t)
	f.opts.ClientAuth = None
	try := func(want bool, protocols, suites string, version uint16) {
		t.Helper()
		f.opts.Protocols, f.opts.CipherSuites = strings.Fields(protocols), strings.Fields(suites)
		c := f.client(nil)
		c.MinVersion, c.MaxVersion = version, version
		if err := says(echo(t, f.source(), false, nil), c); (err == nil) != want {
			t.Errorf("%q %q %x: %v", protocols, suites, version, err)
		}
	}
	const (
		v12, v13 = tls.VersionTLS12, tls.VersionTLS13
		modern   = "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"
		gcm      = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	)
	try(true, "", "", v12)
	try(true, "", "", v13)
	try(false, "", "", tls.VersionTLS11)
	try(false, "TLSv1.3", "", v12)
	try(false, "TLSv1.2", "", v13)
	try(true, "TLSv1.3 TLSv1.2", modern+" "+gcm, v12)
	try(true, "TLSv1.3 TLSv1.2", modern+" "+gcm, v13)
	try(false, "", modern, v12)
	try(false, "", gcm, v13)
	try(true, "", gcm, v12)
	try(false, "", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", v12) // the key is of another kind
}

func TestCheck(t *testing.T) {
	good := Options{KeyStore: Store{Location: "k.jks"}, TrustStore: Store{Location: "t.pem"}}
	if err := good.Check("ssl."); err != nil {
		t.Error(err)
	}
	f := func(change func(*Options), want string) {
		t.Helper()
		o := good
		change(&o)
		if err := o.Check("ssl."); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(func(o *Options) { o.KeyStore.Location = "" }, "ssl.keyStore.location")
	f(func(o *Options) { o.TrustStore.Location = "" }, "ssl.trustStore.location")
	f(func(o *Options) { o.TrustStore.Location = "x" }, "ssl.trustStore.type")
	f(func(o *Options) { o.KeyStore.Type = "BCFKS" }, "ssl.keyStore.type=BCFKS")
	f(func(o *Options) { o.Protocols = []string{"TLSv1.1"} }, "ssl.enabledProtocols=TLSv1.1")
	f(func(o *Options) { o.CipherSuites = []string{"TLS_RSA_WITH_RC4_128_SHA"} }, "ssl.ciphersuites=TLS_RSA_WITH_RC4_128_SHA")
	f(func(o *Options) { o.CipherSuites = []string{"TLS_AES_128_GCM_SHA256"} }, "all three or none")
	f(func(o *Options) {
		o.Protocols, o.CipherSuites = []string{"TLSv1.3"}, []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
	}, "none of them")
	for _, s := range []string{"need", "WANT", "none", ""} {
		if _, err := ParseClientAuth(s); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseClientAuth("maybe"); err == nil {
		t.Error("clientAuth=maybe was accepted")
	}
}

// TestReload renews the server's certificate while a client is connected, and
// then spoils the file.
func TestReload(t *testing.T) {
	f := setUp(t)
	c := &clock{Clock: f.env.Clock}
	f.env.Clock = c
	f.opts.ClientAuth, f.opts.Reload = None, true
	addr := echo(t, f.source(), false, nil)
	old, err := tls.Dial("tcp", addr, f.client(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	name := func() string {
		t.Helper()
		nc, err := tls.Dial("tcp", addr, f.client(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	f.ca.Issue(pkix.Name{CommonName: "renewed"}, "localhost").KeyStore(f.opts.KeyStore.Location)
	if got := name(); got != "keeper" {
		t.Errorf("%s: looked at once more within a second", got)
	}
	c.forward(2 * time.Second)
	if got := name(); got != "renewed" {
		t.Error(got)
	}
	if err := exchange(old); err != nil {
		t.Errorf("the connection that was there: %v", err)
	}
	f.ca.Issue(pkix.Name{CommonName: "unreadable"}).TrustStore(f.opts.KeyStore.Location)
	c.forward(2 * time.Second)
	if got := name(); got != "renewed" || !strings.Contains(f.logged.String(), "cannot be used") {
		t.Errorf("%s, %s", got, f.logged.String())
	}
}

func TestLoadByHand(t *testing.T) {
	f := setUp(t)
	s := f.source()
	alice := f.ca.Issue(pkix.Name{CommonName: "alice"})
	addr := echo(t, s, false, nil)
	other := certs.NewCA(t, "other")
	other.TrustStore(f.opts.TrustStore.Location)
	if err := says(addr, f.client(alice)); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := s.Load(); err != nil {
		t.Fatal(err)
	}
	if err := says(addr, f.client(alice)); err == nil {
		t.Error("after: alice is trusted still")
	}
	if err := says(addr, f.client(other.Issue(pkix.Name{CommonName: "bob"}))); err != nil {
		t.Errorf("after: %v", err)
	}
	certs.NewCA(t, "x").KeyStore(f.opts.TrustStore.Location)
	if err := s.Load(); err == nil || !strings.Contains(err.Error(), f.opts.TrustStore.Location) {
		t.Error(err)
	}
}

func TestPasswordPathWins(t *testing.T) {
	f := setUp(t)
	path := filepath.Join(f.dir, "password")
	f.opts.KeyStore.Password, f.opts.KeyStore.PasswordPath = "wrong", path
	if _, err := Open("clients", f.opts, f.env, slog.Default()); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(certs.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.source()
}

// TestMember: either end looks at the address of the other, at hosts that count,
// and at names in DNS; one that accepts both takes what comes.
func TestMember(t *testing.T) {
	f := setUp(t)
	f.opts.ClientHost = true
	f.env.Net = names{f.env.Net, map[string][]string{"127.0.0.1": {"dns.example."}}}
	try := func(want bool, dialTLS, unified bool, hosts []string, san ...string) {
		t.Helper()
		f.ca.Issue(pkix.Name{CommonName: "member"}, san...).KeyStore(f.opts.KeyStore.Location)
		s := f.source()
		s.SetHosts(hosts)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		accepted := make(chan error, 1)
		go func() {
			nc, err := l.Accept()
			if err == nil {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(patience))
				if nc, err = s.Member(true, unified)(ctx, nc, false); err == nil {
					_, err = io.CopyN(nc, nc, int64(len("hello")))
				}
			}
			accepted <- err
		}()
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(patience))
		secured, err := s.Member(dialTLS, unified)(ctx, nc, true)
		if err == nil {
			err = exchange(secured)
		}
		_ = nc.Close()
		if other := <-accepted; (err == nil) != want || (other == nil) != want {
			t.Errorf("%v %v: %v, %v", hosts, san, err, other)
		}
	}
	try(true, true, false, nil, "127.0.0.1")
	try(true, true, false, nil, "dns.example")
	try(false, true, false, nil, "member.example")
	try(true, true, false, []string{"other", "member.example"}, "member.example")
	try(true, true, true, nil, "127.0.0.1")
	try(true, false, true, nil, "127.0.0.1")
	try(false, false, false, nil, "127.0.0.1")
}

// TestBothEndsOfAnEnsemble: the two configurations of one source fit together.
func TestBothEndsOfAnEnsemble(t *testing.T) {
	f := setUp(t)
	f.opts.ClientHost = true // the server's certificate names 127.0.0.1
	s := f.source()
	addr := echo(t, s, false, nil)
	dial := func(s *Source, host string) error {
		return says(addr, s.Client(host))
	}
	if err := dial(s, "localhost"); err != nil {
		t.Error(err)
	}
	if err := dial(s, "127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := dial(s, "elsewhere"); err == nil {
		t.Error("another host was accepted")
	}
	f.opts.AnyHost = true
	if err := dial(f.source(), "elsewhere"); err != nil {
		t.Error(err)
	}
	certs.NewCA(t, "other").TrustStore(f.opts.TrustStore.Location)
	if err := dial(f.source(), "localhost"); err == nil {
		t.Error("a server of a strange authority was accepted")
	}
}
