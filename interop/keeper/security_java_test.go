//go:build interop

package keeper

import (
	"os"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

// whoIsWho: every way to prove something, right and wrong, and what it opens.
const whoIsWho = `open $secure SyncConnected $alice
whoami
create /x509 auth:
acl /x509
create /x509-bob x509:CN=bob
get /x509-bob
create /bad x509:bob
create /bad x509:CN=a,,O=b
create /any x509:cn=alice|x509:CN=alice
auth x509
get /x509
open $secure SyncConnected $odd
whoami
create /odd auth:
acl /odd
get /x509
open $secure SyncConnected $root
whoami
get /x509-bob
get /odd
open $secure SyncConnected $nobody
whoami
get /x509
auth x509
await AuthFailed
open $secure refused $stranger
open $secure refused $doubter
open $plain SyncConnected
whoami
open $plain SyncConnected $alice
whoami
get /x509
open $plain SaslAuthenticated $sasl:Alice
whoami
create /sasl auth:
acl /sasl
create /sasl-bob sasl:bob
get /sasl-bob
create /bad sasl:a@b@c
create /kerberos sasl:kafka/host@REALM
auth digest me:secret
whoami
create /both auth:
acl /both
open $plain SaslAuthenticated $sasl:Wrong
open $plain SaslAuthenticated $sasl:Alice
get /sasl
open $plain SaslAuthenticated $sasl:Mallory
open $plain SaslAuthenticated $sasl:Empty
open $plain SaslAuthenticated $sasl:Zoe
whoami
open $plain SaslAuthenticated $sasl:Super
whoami
get /sasl-bob
get /x509
open $plain SaslAuthenticated $sasl:Bob
whoami
get /x509
open $secure SaslAuthenticated $alice $sasl:Alice
whoami
create /twice auth:
acl /twice
open $plain SyncConnected
auth digest me:secret
auth digest you:secret
whoami
create /digest auth:
acl /digest
get /both
auth sasl x
await AuthFailed
open $plain SyncConnected
auth digest super:admin
get /x509
get /sasl-bob
get /digest
whoami
open $plain SyncConnected
create /ip ip:127.0.0.1
get /ip
create /ip8 ip:127.9.9.9/8
get /ip8
create /ip9 ip:127.128.0.0/9
get /ip9
create /ip0 ip:0.0.0.0/0
get /ip0
create /ip6 ip:::1
get /ip6
create /bad ip:127.0.0.1/33
create /bad ip:localhost
create /bad ip:::1/129
create /bad ip:::ffff:127.0.0.1
create /lead ip:127.000.000.001
get /lead
create /bad auth:
create /bad super:
create /bad nope:x
create /bad world:you
create /bad digest:nocolon
auth nope x
await AuthFailed
`

// mustProve: a server that wants a certificate of everybody, and a login.
const mustProve = `open $secure refused $nobody
open $secure refused $stranger
open $secure SyncConnected $alice
create /a world:anyone
open $plain SyncConnected
create /b world:anyone
open $plain SyncConnected
auth digest me:secret
create /b world:anyone
open $plain SaslAuthenticated $sasl:Alice
create /b world:anyone
open $secure SaslAuthenticated $alice $sasl:Bob
create /c world:anyone
open $plain SaslAuthenticated $sasl:Wrong
`

// oneOfSeveral: a server that takes a certificate or a digest for enough.
const oneOfSeveral = `open $secure SyncConnected $nobody
create /a world:anyone
open $secure SyncConnected $alice
create /a world:anyone
open $plain SyncConnected
auth digest me:secret
create /b world:anyone
open $plain SaslAuthenticated $sasl:Alice
create /c world:anyone
open $secure SaslAuthenticated $alice $sasl:Bob
create /d world:anyone
open $plain SaslAuthenticated $sasl:Wrong
`

// overIPv6: addresses of the other kind.
const overIPv6 = `open $secure SyncConnected $nobody
whoami
create /one ip:::1
get /one
create /long ip:0:0:0:0:0:0:0:1/128
get /long
create /doc ip:2001:db8::/32
get /doc
create /all ip:::/0
get /all
create /four ip:0.0.0.0/0
get /four
`

// mayFail: who fails to log in stays, as nobody.
const mayFail = `open $plain SyncConnected $sasl:Wrong
whoami
create /a world:anyone
open $plain SaslAuthenticated $sasl:Alice
whoami
`

// TestSecurityAsApache runs Apache's Java client against both servers; they say
// the same.
func TestSecurityAsApache(t *testing.T) {
	p := newPeople(t)
	for name, c := range map[string]struct {
		script string
		more   map[string]string
	}{
		"who is who":     {whoIsWho, nil},
		"must prove":     {mustProve, map[string]string{"ssl.clientAuth": "need", "sessionRequireClientSASLAuth": "true"}},
		"one of several": {oneOfSeveral, map[string]string{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest,x509"}},
		"IPv6":           {overIPv6, map[string]string{"secureClientPortAddress": "::1"}},
		"may fail":       {mayFail, map[string]string{"allowSaslFailedClients": "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			gregor := transcript(c.script, p.start(t, false, c.more).probe(t, c.script))
			apache := transcript(c.script, p.start(t, true, c.more).probe(t, c.script))
			t.Log(apache)
			if gregor != apache {
				t.Errorf("they differ (- Apache, + gregor):\n%s", differ(apache, gregor))
			}
		})
	}
}

// differ lists the answers that differ, with the lines they answer.
func differ(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			out.WriteString(a[i-1] + "\n-" + a[i] + "\n+" + b[i] + "\n")
		}
	}
	return out.String()
}

// TestSecurityOfKazoo is Python's client, against either program.
func TestSecurityOfKazoo(t *testing.T) {
	script, err := os.ReadFile("testdata/security_kazoo.py")
	if err != nil {
		t.Fatal(err)
	}
	p := newPeople(t)
	s := p.start(t, peer.TargetIsApache(), nil)
	out, errs, exit := peer.Python(t, string(script), s.Addr, s.secure, p.file("ca.pem"), p.file("python.pem"), p.file("python.pem"), p.file("others.pem"))
	if exit != 0 || !strings.HasSuffix(strings.TrimSpace(out), "all is well") {
		t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
	}
}
