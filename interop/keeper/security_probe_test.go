//go:build interop

package keeper

import (
	"cmp"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/certs"
)

// users is what both servers, and the Java client, read.
const users = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
    user_super="super-secret" user_alice="alice-secret" user_bob="bob-secret" user_kafka="kafka-secret" user_zo\u00eb="g\u00e9heim";
};
`

// people are clients with a certificate.
type people struct {
	dir    string
	ca     *certs.Pair
	others *certs.Pair
}

// secured is a ZooKeeper with everything switched on, and how to start it as
// either program.
type secured struct {
	people
	*peer.Ensemble
	secure string // host:port of the port for TLS
	keys   string // its key store
}

// oddName is a subject that needs escapes, numbers and two values in one part.
func oddName(t testing.TB) []byte {
	t.Helper()
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type relativeSET []attribute
	utf8 := func(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)} }
	der, err := asn1.Marshal([]relativeSET{
		{{asn1.ObjectIdentifier{2, 5, 4, 6}, asn1.RawValue{Tag: asn1.TagPrintableString, Bytes: []byte("DE")}}},
		{{asn1.ObjectIdentifier{2, 5, 4, 10}, utf8(" Gregor, <S\u00f6hne> & \"Co\" ")}},
		{{asn1.ObjectIdentifier{2, 5, 4, 11}, utf8("#1;a=b\\c")}, {asn1.ObjectIdentifier{2, 5, 4, 5}, utf8("0815")}},
		{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("a@b.example")}}},
		{{asn1.ObjectIdentifier{2, 5, 4, 3}, utf8("odd+one")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newPeople(t testing.TB) people {
	t.Helper()
	p := people{dir: t.TempDir(), ca: certs.NewCA(t, "gregor ca"), others: certs.NewCA(t, "other ca")}
	for _, name := range []string{"alice", "root", "python"} {
		c := p.ca.Issue(pkix.Name{CommonName: name})
		c.KeyStore(p.file(name + ".p12"))
		c.KeyStore(p.file(name + ".pem"))
	}
	p.ca.IssueRaw(oddName(t)).KeyStore(p.file("odd.jks"))
	p.others.Issue(pkix.Name{CommonName: "alice"}).KeyStore(p.file("stranger.jks"))
	p.ca.TrustStore(p.file("ca.jks"))
	p.ca.TrustStore(p.file("ca.pem"))
	p.others.TrustStore(p.file("others.jks"))
	p.others.TrustStore(p.file("others.pem"))
	jaas := strings.NewReplacer(`\u00eb`, "\u00eb", `\u00e9`, "\u00e9").Replace(users)
	for _, u := range [][3]string{
		{"Alice", "alice", "alice-secret"}, {"Bob", "bob", "bob-secret"}, {"Super", "super", "super-secret"}, {"Wrong", "alice", "wrong"},
		{"Mallory", "mallory", "alice-secret"}, {"Zoe", "zo\u00eb", "g\u00e9heim"}, {"Empty", "bob", ""},
		{"Client", "kafka", "kafka-secret"},
	} {
		jaas += fmt.Sprintf("%s { org.apache.zookeeper.server.auth.DigestLoginModule required username=%q password=%q; };\n", u[0], u[1], u[2])
	}
	if err := os.WriteFile(p.file("jaas.conf"), []byte(jaas), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p people) file(name string) string { return filepath.Join(p.dir, name) }

// start starts a ZooKeeper, as gregor or as Apache; more changes its zoo.cfg.
func (p people) start(t testing.TB, apache bool, more map[string]string) *secured {
	t.Helper()
	s := &secured{people: p, keys: filepath.Join(t.TempDir(), "server.jks")}
	port := peer.Port(t)
	s.secure = net.JoinHostPort(cmp.Or(more["secureClientPortAddress"], "127.0.0.1"), strconv.Itoa(port))
	s.renew("server")
	o := peer.ZooKeeperOptions{Properties: map[string]string{
		"serverCnxnFactory":                        "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"secureClientPort":                         strconv.Itoa(port),
		"secureClientPortAddress":                  "127.0.0.1",
		"client.portUnification":                   "true",
		"client.certReload":                        "true",
		"authProvider.1":                           "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
		"authProvider.x509":                        "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
		"ssl.keyStore.location":                    s.keys,
		"ssl.keyStore.password":                    certs.Password,
		"ssl.trustStore.location":                  p.file("ca.jks"),
		"ssl.trustStore.password":                  certs.Password,
		"ssl.clientAuth":                           "want",
		"superUser":                                "bob",
		"X509AuthenticationProvider.superUser":     "CN=root",
		"DigestAuthenticationProvider.superDigest": "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=", // super:admin
	}}
	maps.Copy(o.Properties, more)
	if apache {
		o.JVM = []string{"-Djava.security.auth.login.config=" + p.file("jaas.conf"), "-Dfile.encoding=UTF-8"}
		s.Ensemble = peer.ZooKeeper(t, "3.9.4", o)
		return s
	}
	o.Properties["java.security.auth.login.config"] = p.file("jaas.conf")
	s.Ensemble = peer.GregorKeeper(t, o)
	return s
}

// renew gives the server a new certificate.
func (s *secured) renew(name string) {
	s.ca.Issue(pkix.Name{CommonName: name}, "127.0.0.1", "::1", "localhost").KeyStore(s.keys)
}

// tls are the properties of a Java client that speaks TLS; store may be empty.
func (p people) tls(store, trust string) string {
	out := "zookeeper.client.secure=true zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty" +
		" zookeeper.ssl.trustStore.password=" + certs.Password + " zookeeper.ssl.trustStore.location=" + p.file(trust)
	if store != "" {
		out += " zookeeper.ssl.keyStore.password=" + certs.Password + " zookeeper.ssl.keyStore.location=" + p.file(store)
	}
	return out
}

// probe runs Apache's Java client over a script, and returns what it said to
// each line.
func (s *secured) probe(t testing.TB, script string) []string {
	t.Helper()
	in := strings.NewReplacer("$plain", s.Addr, "$secure", s.secure).Replace(script)
	for _, v := range []struct{ word, store, trust string }{
		{"$nobody", "", "ca.jks"}, {"$alice", "alice.p12", "ca.jks"}, {"$root", "root.p12", "ca.jks"}, {"$odd", "odd.jks", "ca.jks"},
		{"$stranger", "stranger.jks", "ca.jks"}, {"$doubter", "alice.p12", "others.jks"},
	} {
		in = strings.ReplaceAll(in, v.word, s.tls(v.store, v.trust))
	}
	for _, section := range []string{"Alice", "Bob", "Super", "Wrong", "Mallory", "Zoe", "Empty"} {
		in = strings.ReplaceAll(in, "$sasl:"+section, "zookeeper.fips-mode=false zookeeper.sasl.client=true zookeeper.sasl.clientconfig="+section)
	}
	p := peer.StartJavaSource(t, "zookeeper-3.9.4", "testdata/SecurityProbe.java", []string{s.file("jaas.conf")}, in)
	out, errs, exit := p.Output(t)
	got := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if want := strings.Count(script, "\n"); exit != 0 || len(got) != want {
		t.Fatalf("exit %d, %d answers to %d lines\n%s\n%s", exit, len(got), want, out, errs)
	}
	return got
}

// transcript puts answers beside what was asked.
func transcript(script string, said []string) string {
	var b strings.Builder
	i := 0
	for line := range strings.Lines(script) {
		fmt.Fprintf(&b, "%s\n    %s\n", strings.TrimRight(line, "\n"), said[i])
		i++
	}
	return b.String()
}
