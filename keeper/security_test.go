package keeper_test

import (
	"crypto/md5"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/secure"
	"github.com/gregor-mq/gregor/test/certs"
	"github.com/gregor-mq/gregor/zk"
)

// guarded is a keeper with all that keeps people apart.
type guarded struct {
	*keeper.Keeper
	t   *testing.T
	ca  *certs.Pair
	cfg keeper.Config
}

func guard(t *testing.T, change func(*keeper.Config)) *guarded {
	t.Helper()
	g := &guarded{t: t, ca: certs.NewCA(t, "ca"), cfg: config(t.TempDir())}
	dir := t.TempDir()
	server := g.ca.Issue(pkix.Name{CommonName: "keeper"}, "127.0.0.1")
	users := filepath.Join(dir, "jaas.conf")
	text := "Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_super=\"s\" user_alice=\"a-secret\" user_bob=\"b-secret\" user_kafka/h@R=\"k\"; };"
	if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.cfg.Security = keeper.Security{
		Listen: []string{"127.0.0.1:0"},
		TLS: secure.Options{
			KeyStore:   secure.Store{Location: server.KeyStore(filepath.Join(dir, "key.p12")), Password: certs.Password},
			TrustStore: secure.Store{Location: g.ca.TrustStore(filepath.Join(dir, "trust.jks")), Password: certs.Password},
			ClientAuth: secure.Want,
		},
		SASL: true, JAASFile: users, SuperUsers: []string{"bob"}, X509SuperUser: "CN=root",
	}
	if change != nil {
		change(&g.cfg)
	}
	g.Keeper = start(t, g.cfg, env.Real())
	return g
}

// overTLS connects to the TLS port, or to any other; cn is empty for a client
// without a certificate.
func (g *guarded) overTLS(port int, cn string) *raw {
	g.t.Helper()
	c := &tls.Config{RootCAs: g.ca.Pool()}
	if cn != "" {
		c.Certificates = []tls.Certificate{g.ca.Issue(pkix.Name{CommonName: cn}).TLS()}
	}
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", g.Addrs()[port].String(), c)
	if err != nil {
		g.t.Fatal(err)
	}
	return wrap(g.t, nc)
}

// who lists scheme:user of a client.
func (r *raw) who() []string {
	r.t.Helper()
	var out []string
	for _, c := range r.must(zk.WhoAmIRequest{}).(*zk.WhoAmIResponse).Clients {
		out = append(out, c.Scheme+":"+c.User)
	}
	return out
}

func (r *raw) is(want ...string) {
	r.t.Helper()
	if got := r.who(); !slices.Equal(got, want) {
		r.t.Errorf("%q, want %q", got, want)
	}
}

// sasl logs a user in, and returns the last header.
func (r *raw) sasl(user, password string) zk.ReplyHeader {
	r.t.Helper()
	challenge := &zk.SASLResponse{}
	if h := r.reply(r.post(&zk.SASLRequest{Token: []byte{}}), challenge); h.Err != zk.OK {
		return h
	}
	m := regexp.MustCompile(`nonce="([^"]+)"`).FindSubmatch(challenge.Token)
	if m == nil {
		r.t.Fatalf("challenge %q", challenge.Token)
	}
	xid := r.post(&zk.SASLRequest{Token: response(user, password, string(m[1]))})
	// As ZooKeeper's, this reply has a body where it fails too.
	d := zk.NewDecoder(r.frame())
	var h zk.ReplyHeader
	h.Decode(d)
	answer := &zk.SASLResponse{}
	answer.Decode(d)
	if d.Err() != nil || d.Len() > 0 || h.Xid != xid || (h.Err != zk.OK && answer.Token != nil) {
		r.t.Fatalf("%+v, %q, %v", h, answer.Token, d.Err())
	}
	return h
}

func response(user, password, nonce string) []byte {
	sum := func(s string) string { h := md5.Sum([]byte(s)); return string(h[:]) }
	hexed := func(s string) string { return hex.EncodeToString([]byte(sum(s))) }
	const realm, cnonce, uri = "zk-sasl-md5", "client-nonce", "zookeeper/zk-sasl-md5"
	a1 := sum(user+":"+realm+":"+password) + ":" + nonce + ":" + cnonce
	return fmt.Appendf(nil, `username="%s",realm="%s",nonce="%s",cnonce="%s",nc=00000001,qop=auth,digest-uri="%s",charset=utf-8,response=%s`, user, realm, nonce, cnonce,
		uri, hexed(hexed(a1)+":"+nonce+":00000001:"+cnonce+":auth:"+hexed("AUTHENTICATE:"+uri)))
}

func withACL(path, scheme, id string) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, ACL: []zk.ACL{{Perms: zk.PermAll, Scheme: scheme, ID: id}}}
}

func TestCertificatesProve(t *testing.T) {
	g := guard(t, nil)
	alice := g.overTLS(1, "alice").hello(zk.ConnectRequest{})
	alice.is("ip:127.0.0.1", "x509:CN=alice")
	alice.must(withACL("/alices", zk.SchemeAuth, ""))
	acl := alice.must(&zk.GetACLRequest{Path: "/alices"}).(*zk.GetACLResponse).ACL
	if len(acl) != 1 || acl[0].Scheme != zk.SchemeX509 || acl[0].ID != "CN=alice" {
		t.Errorf("%+v", acl)
	}
	alice.must(withACL("/bobs", zk.SchemeX509, "CN=bob"))
	alice.fails(&zk.GetDataRequest{Path: "/bobs"}, zk.ErrNoAuth)
	alice.fails(withACL("/x", zk.SchemeX509, "bob"), zk.ErrInvalidACL)
	alice.must(&zk.AuthRequest{Scheme: zk.SchemeX509}) // no news
	alice.is("ip:127.0.0.1", "x509:CN=alice")

	bob := g.overTLS(1, "bob").hello(zk.ConnectRequest{})
	bob.must(&zk.GetDataRequest{Path: "/bobs"})
	bob.fails(&zk.GetDataRequest{Path: "/alices"}, zk.ErrNoAuth)
	root := g.overTLS(1, "root").hello(zk.ConnectRequest{})
	root.is("ip:127.0.0.1", "super:", "x509:CN=root")
	root.must(&zk.GetDataRequest{Path: "/alices"})

	nobody := g.overTLS(1, "").hello(zk.ConnectRequest{})
	nobody.is("ip:127.0.0.1")
	nobody.fails(&zk.GetDataRequest{Path: "/alices"}, zk.ErrNoAuth)
	if h := nobody.reply(nobody.post(&zk.AuthRequest{Scheme: zk.SchemeX509}), nil); h.Err != zk.ErrAuthFailed {
		t.Errorf("%+v", h)
	}
	nobody.closed()
}

func TestLoginBySASL(t *testing.T) {
	g := guard(t, nil)
	alice := client(t, g.Keeper)
	if h := alice.sasl("alice", "a-secret"); h.Err != zk.OK {
		t.Fatalf("%+v", h)
	}
	alice.is("ip:127.0.0.1", "sasl:alice")
	alice.must(withACL("/alices", zk.SchemeAuth, ""))
	alice.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("me:secret")})
	alice.must(withACL("/mine", zk.SchemeAuth, "")) // several identities at once
	if acl := alice.must(&zk.GetACLRequest{Path: "/mine"}).(*zk.GetACLResponse).ACL; len(acl) != 2 {
		t.Errorf("%+v", acl)
	}

	other := client(t, g.Keeper)
	other.fails(&zk.GetDataRequest{Path: "/alices"}, zk.ErrNoAuth)
	if h := other.sasl("super", "s"); h.Err != zk.OK {
		t.Fatalf("%+v", h)
	}
	other.must(&zk.GetDataRequest{Path: "/alices"})

	boss := client(t, g.Keeper)
	if h := boss.sasl("bob", "b-secret"); h.Err != zk.OK {
		t.Fatalf("%+v", h)
	}
	boss.is("ip:127.0.0.1", "sasl:bob", "super:")

	for _, guess := range []string{"b-secret", "", "A-SECRET"} {
		r := client(t, g.Keeper)
		if h := r.sasl("alice", guess); h.Err != zk.ErrAuthFailed {
			t.Errorf("%q: %+v", guess, h)
		}
		r.closed()
	}
}

// TestUnknownUserAfterAKnownOne: ZOOKEEPER-4839, through the whole server.
func TestUnknownUserAfterAKnownOne(t *testing.T) {
	g := guard(t, nil)
	if h := client(t, g.Keeper).sasl("alice", "a-secret"); h.Err != zk.OK {
		t.Fatalf("%+v", h)
	}
	r := client(t, g.Keeper)
	if h := r.sasl("mallory", "a-secret"); h.Err != zk.ErrAuthFailed {
		t.Fatalf("%+v", h)
	}
	r.closed()
}

func TestNamesWithARealm(t *testing.T) {
	f := func(change func(*keeper.Security), want string) {
		t.Helper()
		g := guard(t, func(c *keeper.Config) { change(&c.Security) })
		r := client(t, g.Keeper)
		if h := r.sasl("kafka/h@R", "k"); h.Err != zk.OK {
			t.Fatalf("%+v", h)
		}
		r.is("ip:127.0.0.1", "sasl:"+want)
	}
	f(func(*keeper.Security) {}, "kafka/h@R")
	f(func(s *keeper.Security) { s.RemoveHost = true }, "kafka@R")
	f(func(s *keeper.Security) { s.RemoveRealm = true }, "kafka/h")
	f(func(s *keeper.Security) { s.RemoveHost, s.RemoveRealm = true, true }, "kafka")
}

func TestFailedClientsMayStay(t *testing.T) {
	g := guard(t, func(c *keeper.Config) { c.Security.AllowFailedSASL = true })
	r := client(t, g.Keeper)
	if h := r.sasl("alice", "wrong"); h.Err != zk.OK {
		t.Fatalf("%+v", h)
	}
	r.is("ip:127.0.0.1")
	// A second guess needs a second connection.
	answer := &zk.SASLResponse{}
	if h := r.reply(r.post(&zk.SASLRequest{Token: []byte{}}), answer); h.Err != zk.OK || answer.Token != nil {
		t.Errorf("%+v, %q", h, answer.Token)
	}
}

func TestClientsMustLogIn(t *testing.T) {
	g := guard(t, func(c *keeper.Config) {
		c.Security.RequiredSchemes, c.Security.AllowFailedSASL = []string{zk.SchemeSASL}, true
	})
	r := client(t, g.Keeper)
	if h := r.sasl("alice", "a-secret"); h.Err != zk.OK {
		t.Fatalf("%+v", h)
	}
	r.must(create("/a", zk.Persistent))
	for _, req := range []zk.Request{create("/b", zk.Persistent), zk.PingRequest{}, &zk.ExistsRequest{Path: "/a"}, zk.CloseRequest{}} {
		r := client(t, g.Keeper)
		r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("me:secret")})
		if h := r.reply(r.post(req), nil); h.Err != zk.ErrSessionClosedRequireSASLAuth {
			t.Errorf("%v: %+v", req.Op(), h)
		}
		r.closed()
	}
	r = client(t, g.Keeper)
	if h := r.sasl("alice", "wrong"); h.Err != zk.ErrSessionClosedRequireSASLAuth {
		t.Errorf("%+v", h)
	}
	r.closed()

	g = guard(t, func(c *keeper.Config) { c.Security.RequiredSchemes = []string{zk.SchemeDigest, zk.SchemeX509} })
	g.overTLS(1, "alice").hello(zk.ConnectRequest{}).must(create("/a", zk.Persistent))
	r = client(t, g.Keeper)
	r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("me:secret")})
	r.must(create("/b", zk.Persistent))
}

func TestSchemesThatAreNotThere(t *testing.T) {
	g := guard(t, func(c *keeper.Config) {
		c.Security = keeper.Security{NoDigest: true, Ensemble: true, EnsembleNames: []string{"ours"}}
	})
	fails := func(scheme, auth string) {
		t.Helper()
		r := client(t, g.Keeper)
		if h := r.reply(r.post(&zk.AuthRequest{Scheme: scheme, Auth: []byte(auth)}), nil); h.Err != zk.ErrAuthFailed {
			t.Errorf("%s: %+v", scheme, h)
		}
		r.closed()
	}
	fails(zk.SchemeDigest, "me:secret")
	fails(zk.SchemeX509, "")
	fails(zk.SchemeSASL, "")
	fails("none", "")
	r := client(t, g.Keeper)
	r.fails(withACL("/x", zk.SchemeX509, "CN=x"), zk.ErrInvalidACL)
	r.fails(withACL("/x", zk.SchemeSASL, "x"), zk.ErrInvalidACL)
	r.fails(withACL("/x", zk.SchemeDigest, "a:b"), zk.ErrInvalidACL)
	answer := &zk.SASLResponse{}
	if h := r.reply(r.post(&zk.SASLRequest{Token: []byte{}}), answer); h.Err != zk.OK || answer.Token != nil {
		t.Errorf("%+v, %q", h, answer.Token)
	}
	r.must(&zk.AuthRequest{Scheme: "ensemble", Auth: []byte("ours")})
	r.must(&zk.AuthRequest{Scheme: "ensemble"})
	r.is("ip:127.0.0.1")
	r.post(&zk.AuthRequest{Scheme: "ensemble", Auth: []byte("theirs")})
	r.closed() // without a word: the client is to try another server
}

func TestDigestAlgorithms(t *testing.T) {
	g := guard(t, func(c *keeper.Config) { c.Security.DigestAlgorithm = "SHA-256" })
	r := client(t, g.Keeper)
	r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("me:secret")})
	r.must(withACL("/mine", zk.SchemeAuth, ""))
	// As printf me:secret | openssl dgst -sha256 -binary | base64 says.
	if acl := r.must(&zk.GetACLRequest{Path: "/mine"}).(*zk.GetACLResponse).ACL; acl[0].ID != "me:9jzXNOeC1zQz3Hf1H9DayrosBSw+V4O4UMzCQU7nxVA=" {
		t.Errorf("%+v", acl)
	}
}

func TestOnePortForBoth(t *testing.T) {
	g := guard(t, func(c *keeper.Config) { c.Security.PortUnification, c.Security.Listen = true, nil })
	plain := client(t, g.Keeper)
	plain.is("ip:127.0.0.1")
	g.overTLS(0, "alice").hello(zk.ConnectRequest{}).is("ip:127.0.0.1", "x509:CN=alice")
	if got := word(t, g.Keeper, "ruok"); got != "imok" {
		t.Errorf("%q", got)
	}
	r := g.overTLS(0, "")
	r.send([]byte("ruok"))
	if b, err := io.ReadAll(r.nc); string(b) != "imok" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestPortsInConf(t *testing.T) {
	g := guard(t, nil)
	for i, name := range []string{"clientPort", "secureClientPort"} {
		want := fmt.Sprintf("%s=%d\n", name, g.Addrs()[i].(*net.TCPAddr).Port)
		if got := word(t, g.Keeper, "conf"); !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

// TestHandshakesThatFail: they are counted, and hold nobody up.
func TestHandshakesThatFail(t *testing.T) {
	g := guard(t, func(c *keeper.Config) { c.Security.TLS.ClientAuth = secure.Need })
	silent, err := net.Dial("tcp", g.Addrs()[1].String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := &tls.Config{RootCAs: g.ca.Pool()}
	nc, err := tls.Dial("tcp", g.Addrs()[1].String(), c)
	if err == nil { // TLS 1.3 tells a client later
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, err = nc.Read(make([]byte, 1))
		_ = nc.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("%v", err)
	}
	g.overTLS(1, "alice").hello(zk.ConnectRequest{})
	eventually(t, "a failed handshake is counted", func() bool { return strings.Contains(word(t, g.Keeper, "mntr"), "zk_auth_failed_count\t1\n") })
}

func TestCertificatesAreReloaded(t *testing.T) {
	g := guard(t, nil)
	subject := func() string {
		t.Helper()
		r := g.overTLS(1, "")
		return r.nc.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	old := g.overTLS(1, "alice").hello(zk.ConnectRequest{})
	if got := subject(); got != "keeper" {
		t.Error(got)
	}
	g.ca.Issue(pkix.Name{CommonName: "renewed"}, "127.0.0.1").KeyStore(g.cfg.Security.TLS.KeyStore.Location)
	if err := g.ReloadCertificates(); err != nil {
		t.Fatal(err)
	}
	if got := subject(); got != "renewed" {
		t.Error(got)
	}
	old.must(create("/still-here", zk.Persistent))
}

func TestWhatKeepsAKeeperFromStarting(t *testing.T) {
	f := func(want string, change func(*keeper.Security)) {
		t.Helper()
		cfg := config(t.TempDir())
		change(&cfg.Security)
		k, err := keeper.Start(t.Context(), cfg, env.Real(), quiet)
		if err == nil {
			_ = k.Stop(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f("jaas.conf", func(s *keeper.Security) { s.JAASFile = "/nowhere/jaas.conf" })
	f("ssl.keyStore.location", func(s *keeper.Security) { s.Listen = []string{"127.0.0.1:0"} })
	f("key store /nowhere/k.jks", func(s *keeper.Security) {
		s.PortUnification = true
		s.TLS = secure.Options{KeyStore: secure.Store{Location: "/nowhere/k.jks"}, ClientAuth: secure.None}
	})
	f("ssl.quorum: key store /nowhere/q.jks", func(s *keeper.Security) {
		s.SecureMembers = true
		s.Members = secure.Options{KeyStore: secure.Store{Location: "/nowhere/q.jks"}, ClientAuth: secure.None}
	})
}

func TestMembersHaveTheirOwnCertificates(t *testing.T) {
	g := guard(t, func(c *keeper.Config) {
		c.Security.SecureMembers, c.Security.Members = true, c.Security.TLS
	})
	s := g.MemberTLS()
	if s == nil || s.Server() == nil || s.Client("127.0.0.1") == nil {
		t.Fatal("no TLS for members")
	}
	if guard(t, nil).MemberTLS() != nil {
		t.Error("TLS for members that nobody asked for")
	}
}

// TestIPv6Clients: their addresses are written as Java writes them, and match
// all the same.
func TestIPv6Clients(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	_ = l.Close()
	cfg := config(t.TempDir())
	cfg.Listen = []string{"[::1]:0"}
	r := client(t, start(t, cfg, env.Real()))
	r.is("ip:0:0:0:0:0:0:0:1")
	r.must(withACL("/mine", zk.SchemeIP, "::1"))
	r.must(&zk.GetDataRequest{Path: "/mine"})
	r.must(withACL("/theirs", zk.SchemeIP, "2001:db8::/32"))
	r.fails(&zk.GetDataRequest{Path: "/theirs"}, zk.ErrNoAuth)
}
