package keeper

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/gregor-mq/gregor/keeper/secure"
)

// securityFile is what the properties of Security are until all are read.
type securityFile struct {
	securePort, secureHost string
	clients, members       sslFile
	requireSASL, enforce   bool
	enforced               []string
	notes                  []string // more warnings
}

// sslFile is what depends on a further property of its set.
type sslFile struct {
	protocol        string
	host            bool // hostnameVerification
	clientHost      bool // clientHostnameVerification
	hostSet, cliSet bool
}

// providers are the classes that a property authProvider.N may name.
var providers = map[string]func(*Security){
	"org.apache.zookeeper.server.auth.DigestAuthenticationProvider":   func(*Security) {},
	"org.apache.zookeeper.server.auth.IPAuthenticationProvider":       func(*Security) {},
	"org.apache.zookeeper.server.auth.X509AuthenticationProvider":     func(s *Security) { s.X509 = true },
	"org.apache.zookeeper.server.auth.SASLAuthenticationProvider":     func(s *Security) { s.SASL = true },
	"org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider": func(s *Security) { s.Ensemble = true },
}

// securityKeys are the properties of Security besides those of its TLS.
var securityKeys = map[string]zooKey{
	"secureClientPort":                         {setSecurePort},
	"secureClientPortAddress":                  {text(func(c *zooFile) *string { return &c.secureHost })},
	"client.portUnification":                   {boolean(func(c *zooFile) *bool { return &c.Security.PortUnification })},
	"client.certReload":                        {boolean(func(c *zooFile) *bool { return &c.Security.TLS.Reload })},
	"sslQuorum":                                {boolean(func(c *zooFile) *bool { return &c.Security.SecureMembers })},
	"portUnification":                          {boolean(func(c *zooFile) *bool { return &c.Security.UnifiedMembers })},
	"sslQuorumReloadCertFiles":                 {boolean(func(c *zooFile) *bool { return &c.Security.Members.Reload })},
	"ensembleAuthName":                         {list(func(c *zooFile) *[]string { return &c.Security.EnsembleNames })},
	"DigestAuthenticationProvider.enabled":     {setDigest},
	"DigestAuthenticationProvider.digestAlg":   {text(func(c *zooFile) *string { return &c.Security.DigestAlgorithm })},
	"X509AuthenticationProvider.superUser":     {text(func(c *zooFile) *string { return &c.Security.X509SuperUser })},
	"SASLAuthenticationProvider.superPassword": {text(func(c *zooFile) *string { return &c.Security.SASLSuperPassword })},
	"java.security.auth.login.config":          {text(func(c *zooFile) *string { return &c.Security.JAASFile })},
	"sasl.serverconfig":                        {text(func(c *zooFile) *string { return &c.Security.JAASSection })},
	"kerberos.removeHostFromPrincipal":         {boolean(func(c *zooFile) *bool { return &c.Security.RemoveHost })},
	"kerberos.removeRealmFromPrincipal":        {boolean(func(c *zooFile) *bool { return &c.Security.RemoveRealm })},
	"allowSaslFailedClients":                   {boolean(func(c *zooFile) *bool { return &c.Security.AllowFailedSASL })},
	"sessionRequireClientSASLAuth":             {boolean(func(c *zooFile) *bool { return &c.requireSASL })},
	"enforce.auth.enabled":                     {boolean(func(c *zooFile) *bool { return &c.enforce })},
	"enforce.auth.schemes":                     {list(func(c *zooFile) *[]string { return &c.enforced })},
	"requireClientAuthScheme":                  {setRequireScheme},
	"quorum.auth.enableSasl":                   {only("false", "members cannot prove themselves by SASL here; use TLS (sslQuorum)")},
	"letAnySaslUserDoX":                        {never("this back door is not served")},
	"security.auth_to_local":                   {only("DEFAULT", "rules for names of Kerberos are not served")},
	"ssl.authProvider":                         {only("x509", "certificates can be looked at by the provider x509 only")},
}

// sslKeys are the properties of one TLS configuration without their prefix.
var sslKeys = map[string]func(*secure.Options, *sslFile, string) (rule string){
	"keyStore.location":          sslText(func(o *secure.Options) *string { return &o.KeyStore.Location }),
	"keyStore.password":          sslSecret(func(o *secure.Options) *string { return &o.KeyStore.Password }),
	"keyStore.passwordPath":      sslText(func(o *secure.Options) *string { return &o.KeyStore.PasswordPath }),
	"keyStore.type":              sslText(func(o *secure.Options) *string { return &o.KeyStore.Type }),
	"trustStore.location":        sslText(func(o *secure.Options) *string { return &o.TrustStore.Location }),
	"trustStore.password":        sslSecret(func(o *secure.Options) *string { return &o.TrustStore.Password }),
	"trustStore.passwordPath":    sslText(func(o *secure.Options) *string { return &o.TrustStore.PasswordPath }),
	"trustStore.type":            sslText(func(o *secure.Options) *string { return &o.TrustStore.Type }),
	"ciphersuites":               sslList(func(o *secure.Options) *[]string { return &o.CipherSuites }),
	"enabledProtocols":           sslList(func(o *secure.Options) *[]string { return &o.Protocols }),
	"protocol":                   func(_ *secure.Options, f *sslFile, v string) string { f.protocol = v; return "" },
	"hostnameVerification":       sslBool(func(f *sslFile, on bool) { f.host, f.hostSet = on, true }),
	"clientHostnameVerification": sslBool(func(f *sslFile, on bool) { f.clientHost, f.cliSet = on, true }),
	"clientAuth": func(o *secure.Options, _ *sslFile, v string) string {
		var err error
		if o.ClientAuth, err = secure.ParseClientAuth(v); err != nil {
			return err.Error()
		}
		return ""
	},
	"crl":                    sslNever("lists of revoked certificates are not looked at; remove it if you can do without, as ZooKeeper does by default"),
	"ocsp":                   sslNever("servers for revoked certificates are not asked; remove it if you can do without, as ZooKeeper does by default"),
	"context.supplier.class": func(*secure.Options, *sslFile, string) string { return "classes of Java cannot be loaded here" },
}

// securityKey finds what takes a property of this file over.
func securityKey(name string) (zooKey, bool) {
	if key, ok := securityKeys[name]; ok {
		return key, true
	}
	switch first, rest, _ := strings.Cut(name, "."); first {
	case "authProvider":
		return zooKey{setProvider}, true
	case "superUser":
		return zooKey{func(c *zooFile, v string) string {
			c.Security.SuperUsers = append(c.Security.SuperUsers, v)
			return ""
		}}, true
	case "ssl":
		if inner, ok := strings.CutPrefix(rest, "quorum."); ok {
			return sslKey(inner, func(c *zooFile) (*secure.Options, *sslFile) { return &c.Security.Members, &c.members })
		}
		return sslKey(rest, func(c *zooFile) (*secure.Options, *sslFile) { return &c.Security.TLS, &c.clients })
	}
	return zooKey{}, false
}

func sslKey(name string, of func(*zooFile) (*secure.Options, *sslFile)) (zooKey, bool) {
	set, ok := sslKeys[name]
	return zooKey{func(c *zooFile, v string) string {
		o, f := of(c)
		return set(o, f, v)
	}}, ok
}

func setSecurePort(c *zooFile, v string) string {
	kept := c.port
	rule := setPort(c, v)
	c.securePort, c.port = c.port, kept
	return rule
}

func setDigest(c *zooFile, v string) string {
	var on bool
	rule := boolean(func(*zooFile) *bool { return &on })(c, v)
	c.Security.NoDigest = !on
	return rule
}

func setProvider(c *zooFile, v string) string {
	set, ok := providers[v]
	if !ok {
		return "there is no such provider here; remove it if no ACL relies on it"
	}
	set(&c.Security)
	return ""
}

// setRequireScheme: the name stands in many a manual, and in no ZooKeeper.
func setRequireScheme(c *zooFile, v string) string {
	c.notes = append(c.notes, fmt.Sprintf("requireClientAuthScheme=%s is ignored, as ZooKeeper ignores it: sessionRequireClientSASLAuth=true is what refuses clients", v))
	return ""
}

// list takes comma-separated values.
func list(field func(*zooFile) *[]string) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		*field(c) = splitList(v)
		return ""
	}
}

func splitList(v string) (out []string) {
	for s := range strings.SplitSeq(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// only accepts one value, which changes nothing; why is the rule for others.
func only(value, why string) func(*zooFile, string) string {
	return func(_ *zooFile, v string) string {
		if v != value {
			return why
		}
		return ""
	}
}

func never(why string) func(*zooFile, string) string {
	return func(*zooFile, string) string { return why }
}

type sslSetter = func(*secure.Options, *sslFile, string) string

func sslText(field func(*secure.Options) *string) sslSetter {
	return func(o *secure.Options, _ *sslFile, v string) string {
		if v == "" {
			return "must not be empty"
		}
		*field(o) = v
		return ""
	}
}

// sslSecret may be empty.
func sslSecret(field func(*secure.Options) *string) sslSetter {
	return func(o *secure.Options, _ *sslFile, v string) string { *field(o) = v; return "" }
}

func sslList(field func(*secure.Options) *[]string) sslSetter {
	return func(o *secure.Options, _ *sslFile, v string) string { *field(o) = splitList(v); return "" }
}

func sslBool(set func(*sslFile, bool)) sslSetter {
	return func(_ *secure.Options, f *sslFile, v string) string {
		var on bool
		rule := boolean(func(*zooFile) *bool { return &on })(nil, v)
		set(f, on)
		return rule
	}
}

func sslNever(why string) sslSetter {
	return func(_ *secure.Options, _ *sslFile, v string) string {
		if strings.EqualFold(v, "false") {
			return ""
		}
		return why
	}
}

// shown is a value as it may be printed.
func shown(name, value string) string {
	if strings.Contains(strings.ToLower(name), "password") {
		return "..."
	}
	return value
}

// finishSecurity settles what depends on several properties.
func (c *zooFile) finishSecurity() error {
	s := &c.Security
	if c.securePort != "" {
		s.Listen = []string{net.JoinHostPort(c.secureHost, c.securePort)}
	} else if c.secureHost != "" {
		return fmt.Errorf("secureClientPortAddress=%s: needs secureClientPort", c.secureHost)
	}
	switch {
	case c.requireSASL:
		s.RequiredSchemes = []string{"sasl"}
	case c.enforce && len(c.enforced) == 0:
		return errors.New("enforce.auth.enabled=true: needs enforce.auth.schemes")
	case c.enforce:
		s.RequiredSchemes = c.enforced
	}
	c.clients.finish(&s.TLS, false)
	if s.protectsMembers() {
		c.members.finish(&s.Members, true)
	}
	return nil
}

// finish settles one TLS configuration. Members look at the host of those who
// dial them, unless told otherwise; and the protocol TLSv1.3 lets them speak 1.2
// as well, while for clients it means itself alone.
func (f *sslFile) finish(o *secure.Options, members bool) {
	o.AnyHost = f.hostSet && !f.host
	o.ClientHost = !o.AnyHost && (f.clientHost || members && !f.cliSet)
	if len(o.Protocols) == 0 && f.protocol != "" && !(members && f.protocol == "TLSv1.3") {
		o.Protocols = []string{f.protocol}
	}
}
