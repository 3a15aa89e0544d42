//go:build interop

package keeper

import (
	"crypto/x509/pkix"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	gozk "github.com/go-zookeeper/zk"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/certs"
)

// TestSecurityOfKafka runs Apache Kafka over TLS with a certificate and a login,
// and with zookeeper.set.acl, on both servers: its nodes get the same ACLs.
func TestSecurityOfKafka(t *testing.T) {
	p := newPeople(t)
	p.ca.Issue(pkix.Name{CommonName: "kafka"}).KeyStore(p.file("kafka.jks"))
	acls := func(apache bool, more map[string]string) string {
		s := p.start(t, apache, more)
		b := peer.Kafka(t, "3.9.1", peer.Options{
			ZooKeeper: s.secure,
			JVM:       []string{"-Djava.security.auth.login.config=" + p.file("jaas.conf")},
			Properties: map[string]string{
				"zookeeper.ssl.client.enable":       "true",
				"zookeeper.clientCnxnSocket":        "org.apache.zookeeper.ClientCnxnSocketNetty",
				"zookeeper.ssl.keystore.location":   p.file("kafka.jks"),
				"zookeeper.ssl.keystore.password":   certs.Password,
				"zookeeper.ssl.truststore.location": p.file("ca.jks"),
				"zookeeper.ssl.truststore.password": certs.Password,
				"zookeeper.set.acl":                 "true",
			},
		})
		createTopic(t, b, "guarded")
		super := goClient(t, s.Addr, nil)
		if err := super.AddAuth("digest", []byte("super:admin")); err != nil {
			t.Fatal(err)
		}
		if _, err := goClient(t, s.Addr, nil).Set("/brokers/topics/guarded", []byte("{}"), -1); err == nil {
			t.Error("anybody may change a topic")
		}
		out := walk(t, super, "/")
		b.Stop(t)
		return out
	}
	gregor := acls(false, nil)
	// Kafka asks for TLS 1.2, which ZooKeeper 3.9 leaves out unless told.
	apache := acls(true, map[string]string{"ssl.enabledProtocols": "TLSv1.3,TLSv1.2"})
	if !strings.Contains(apache, "/brokers/topics/guarded sasl:kafka=31 world:anyone=1 x509:CN=kafka=31\n") {
		t.Errorf("not what was asked for:\n%s", apache)
	}
	if gregor != apache {
		t.Errorf("gregor\n%s\nApache\n%s", gregor, apache)
	}
}

// walk lists the ACLs of a node and of all below it.
func walk(t *testing.T, c *gozk.Conn, node string) string {
	t.Helper()
	acl, _, err := c.GetACL(node)
	if err != nil {
		t.Fatalf("%s: %v", node, err)
	}
	var entries []string // Apache keeps who is proven in no order
	for _, a := range acl {
		entries = append(entries, fmt.Sprintf(" %s:%s=%d", a.Scheme, a.ID, a.Perms))
	}
	slices.Sort(entries)
	out := node + strings.Join(entries, "") + "\n"
	children, _, err := c.Children(node)
	if err != nil {
		t.Fatalf("%s: %v", node, err)
	}
	for _, child := range slices.Sorted(slices.Values(children)) {
		out += walk(t, c, path.Join(node, child))
	}
	return out
}
