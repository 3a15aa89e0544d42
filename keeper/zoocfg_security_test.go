package keeper

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/keeper/secure"
)

func parseSecurity(t *testing.T, lines string) (Security, []string) {
	t.Helper()
	c, warnings, err := ParseZooCfg([]byte("dataDir=/d\n" + lines))
	if err != nil {
		t.Fatal(err)
	}
	return c.Security, warnings
}

func TestSecurityOfZooCfg(t *testing.T) {
	got, warnings := parseSecurity(t, `
secureClientPort=2281
secureClientPortAddress=::1
client.portUnification=true
client.certReload=true
authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
zookeeper.authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider
authProvider.3=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider
authProvider.4=org.apache.zookeeper.server.auth.DigestAuthenticationProvider
ensembleAuthName=one, two
ssl.keyStore.location=/k.jks
ssl.keyStore.passwordPath=/k.pw
ssl.trustStore.location=/t
ssl.trustStore.password=secret
zookeeper.ssl.trustStore.type=PEM
ssl.clientAuth=want
ssl.enabledProtocols=TLSv1.3,TLSv1.2
ssl.protocol=TLSv1.2
ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
ssl.clientHostnameVerification=true
ssl.crl=false
sslQuorum=true
sslQuorumReloadCertFiles=true
ssl.quorum.keyStore.location=/q.p12
ssl.quorum.keyStore.password=
ssl.quorum.trustStore.location=/qt.pem
ssl.quorum.protocol=TLSv1.3
DigestAuthenticationProvider.digestAlg=SHA-512
X509AuthenticationProvider.superUser=CN=root,O=gregor
zookeeper.superUser=bob
superUser.2=carol
java.security.auth.login.config=/jaas.conf
sasl.serverconfig=Keeper
SASLAuthenticationProvider.superPassword=s
kerberos.removeHostFromPrincipal=true
kerberos.removeRealmFromPrincipal=true
allowSaslFailedClients=true
enforce.auth.enabled=true
enforce.auth.schemes=sasl,x509
requireClientAuthScheme=sasl
ssl.keystore.password=mistyped
`)
	want := Security{
		Listen: []string{"[::1]:2281"}, PortUnification: true,
		TLS: secure.Options{
			KeyStore:   secure.Store{Location: "/k.jks", PasswordPath: "/k.pw"},
			TrustStore: secure.Store{Location: "/t", Type: "PEM", Password: "secret"},
			ClientAuth: secure.Want, Protocols: []string{"TLSv1.3", "TLSv1.2"}, ClientHost: true, Reload: true,
			CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		},
		SecureMembers: true,
		Members: secure.Options{
			KeyStore: secure.Store{Location: "/q.p12"}, TrustStore: secure.Store{Location: "/qt.pem"}, ClientHost: true, Reload: true,
		},
		X509: true, SASL: true, Ensemble: true, EnsembleNames: []string{"one", "two"}, DigestAlgorithm: "SHA-512", X509SuperUser: "CN=root,O=gregor",
		SuperUsers: []string{"bob", "carol"}, JAASFile: "/jaas.conf", JAASSection: "Keeper", SASLSuperPassword: "s", RemoveHost: true, RemoveRealm: true,
		AllowFailedSASL: true, RequiredSchemes: []string{"sasl", "x509"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "sessionRequireClientSASLAuth") || !strings.HasPrefix(warnings[1], "ssl.keystore.password=... has no meaning") {
		t.Errorf("%q", warnings)
	}
}

// TestDefaultsOfTLS: an unset protocol is both, for clients one that is named is
// itself alone; and members look at each other's hosts.
func TestDefaultsOfTLS(t *testing.T) {
	f := func(lines string, want func(Security) bool) {
		t.Helper()
		stores := "ssl.keyStore.location=/k.jks\nssl.trustStore.location=/t.jks\nssl.quorum.keyStore.location=/k.jks\nssl.quorum.trustStore.location=/t.jks\nsecureClientPort=1\nsslQuorum=true\n"
		if got, _ := parseSecurity(t, stores+lines); !want(got) {
			t.Errorf("%s: %+v", lines, got)
		}
	}
	f("", func(s Security) bool {
		return s.TLS.Protocols == nil && s.TLS.ClientAuth == secure.Need && !s.TLS.ClientHost && s.Members.ClientHost && !s.Members.AnyHost
	})
	f("ssl.protocol=TLSv1.3", func(s Security) bool { return reflect.DeepEqual(s.TLS.Protocols, []string{"TLSv1.3"}) })
	f("ssl.quorum.protocol=TLSv1.2", func(s Security) bool { return reflect.DeepEqual(s.Members.Protocols, []string{"TLSv1.2"}) })
	f("ssl.quorum.clientHostnameVerification=false", func(s Security) bool { return !s.Members.ClientHost && !s.Members.AnyHost })
	f("ssl.quorum.hostnameVerification=false", func(s Security) bool { return !s.Members.ClientHost && s.Members.AnyHost })
	f("ssl.hostnameVerification=false\nssl.clientHostnameVerification=true", func(s Security) bool { return !s.TLS.ClientHost })
	f("java.security.auth.login.config=/j\nauthProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\nsessionRequireClientSASLAuth=true\nenforce.auth.enabled=true\nenforce.auth.schemes=digest",
		func(s Security) bool { return reflect.DeepEqual(s.RequiredSchemes, []string{"sasl"}) })
	f("enforce.auth.schemes=digest", func(s Security) bool { return s.RequiredSchemes == nil })
}

func TestSecurityOfZooCfgRefuses(t *testing.T) {
	f := func(lines string, want ...string) {
		t.Helper()
		_, _, err := ParseZooCfg([]byte("dataDir=/d\n" + lines + "\n"))
		if err == nil {
			t.Errorf("%s: accepted", lines)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", lines, err, w)
			}
		}
	}
	const stores = "ssl.keyStore.location=/k.jks\nssl.trustStore.location=/t.jks\nsecureClientPort=1\n"
	f("secureClientPort=0", "secureClientPort=0")
	f("secureClientPortAddress=::1", "needs secureClientPort")
	f("secureClientPort=1", "ssl.keyStore.location", "ssl.trustStore.location")
	f("client.portUnification=true", "ssl.keyStore.location")
	f("sslQuorum=true", "ssl.quorum.keyStore.location")
	f("portUnification=true", "ssl.quorum.keyStore.location")
	f("authProvider.1=org.example.Auth", "authProvider.1=org.example.Auth", "no such provider")
	f("authProvider.1=org.apache.zookeeper.server.auth.KeyAuthenticationProvider", "no such provider")
	f("ssl.crl=true", "ssl.crl=true", "revoked")
	f("ssl.ocsp=true", "revoked")
	f("ssl.quorum.crl=true", "revoked")
	f("ssl.context.supplier.class=org.example.S", "Java")
	f("ssl.authProvider=mine", "x509 only")
	f("ssl.clientAuth=maybe", "need, want or none")
	f("ssl.hostnameVerification=perhaps", "true or false")
	f("ssl.keyStore.location=", "empty")
	f(stores+"ssl.enabledProtocols=TLSv1.1", "TLSv1.1")
	f(stores+"ssl.protocol=TLS", "TLS")
	f(stores+"ssl.ciphersuites=TLS_RSA_WITH_RC4_128_SHA", "RC4")
	f(stores+"ssl.keyStore.type=BCFKS", "BCFKS")
	f("letAnySaslUserDoX=bob", "back door")
	f("security.auth_to_local=RULE:[1:$1]", "rules")
	f("quorum.auth.enableSasl=true", "sslQuorum")
	f("enforce.auth.enabled=true", "needs enforce.auth.schemes")
	f("enforce.auth.enabled=true\nenforce.auth.schemes=x509", "enforce.auth.schemes=x509", "no provider")
	f("sessionRequireClientSASLAuth=true", "enforce.auth.schemes=sasl")
	f("sessionRequireClientSASLAuth=true\nauthProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "java.security.auth.login.config")
	f("DigestAuthenticationProvider.digestAlg=MD5", "digestAlg=MD5")
	f("DigestAuthenticationProvider.enabled=no", "true or false")
}
