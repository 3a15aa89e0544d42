package secure

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/internal/keystore"
)

// Options are the properties of one set: ssl.* of the port for clients, or
// ssl.quorum.* of the transport between members. Names in comments lack the
// prefix.
type Options struct {
	KeyStore, TrustStore Store
	ClientAuth           ClientAuth
	// Protocols are TLSv1.2 and TLSv1.3, or one of them (enabledProtocols,
	// protocol); empty for both.
	Protocols []string
	// CipherSuites are the suites to choose from (ciphersuites); empty for Go's.
	CipherSuites []string
	// AnyHost lets a server's certificate name another host than the one that
	// was dialled (hostnameVerification=false).
	AnyHost bool
	// ClientHost wants a client's certificate to name the address it comes from,
	// or a name of that (clientHostnameVerification).
	ClientHost bool
	// Reload looks for changed files before a handshake, once a second at most
	// (client.certReload, sslQuorumReloadCertFiles).
	Reload bool
}

// Store is a file of keys or certificates.
type Store struct {
	Location string // empty for none
	// Type is JKS, PKCS12 or PEM; empty for what the extension says.
	Type string
	// Password opens the file; the content of PasswordPath wins over Password.
	Password, PasswordPath string
}

// ClientAuth says whether clients show a certificate.
type ClientAuth uint8

// What is asked of clients. Need is ZooKeeper's default.
const (
	Need ClientAuth = iota
	Want            // accepts clients without one
	None
)

// ParseClientAuth reads need, want or none, of any case.
func ParseClientAuth(s string) (ClientAuth, error) {
	switch strings.ToLower(s) {
	case "", "need":
		return Need, nil
	case "want":
		return Want, nil
	case "none":
		return None, nil
	}
	return Need, errors.New("must be need, want or none")
}

var versions = map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

// policy is what Options allow a handshake to agree on.
type policy struct {
	least, most uint16
	suites      []uint16 // of TLS 1.2; nil for Go's
}

// Check names every value that cannot be used. Files are not looked at.
func (o Options) Check(prefix string) error {
	_, err := o.policy()
	if err != nil {
		err = fmt.Errorf("%s%w", prefix, err)
	}
	for name, s := range map[string]Store{"keyStore": o.KeyStore, "trustStore": o.TrustStore} {
		if s.Location == "" {
			continue
		}
		if _, kind := keystore.KindOf(s.Type, s.Location); kind != nil {
			err = errors.Join(err, fmt.Errorf("%s%s.type=%w", prefix, name, kind))
		}
	}
	if o.KeyStore.Location == "" {
		err = errors.Join(err, fmt.Errorf("%skeyStore.location: must be set for TLS", prefix))
	}
	if o.TrustStore.Location == "" && o.ClientAuth == Need {
		err = errors.Join(err, fmt.Errorf("%strustStore.location: must be set unless %sclientAuth is want or none: no client's certificate would be trusted", prefix, prefix))
	}
	return err
}

func (o Options) policy() (policy, error) {
	p := policy{least: tls.VersionTLS12, most: tls.VersionTLS13}
	if len(o.Protocols) > 0 {
		p.least, p.most = tls.VersionTLS13, tls.VersionTLS12
		for _, name := range o.Protocols {
			v, ok := versions[name]
			if !ok {
				return p, fmt.Errorf("enabledProtocols=%s: only TLSv1.2 and TLSv1.3 are served", name)
			}
			p.least, p.most = min(p.least, v), max(p.most, v)
		}
	}
	if len(o.CipherSuites) == 0 {
		return p, nil
	}
	return o.chooseSuites(p)
}

// chooseSuites narrows a policy to the suites that are named. TLS 1.3 serves
// its three together, so that all of them must be named, or none.
func (o Options) chooseSuites(p policy) (policy, error) {
	var modern int
	for _, name := range o.CipherSuites {
		s := findSuite(name)
		switch {
		case s == nil:
			return p, fmt.Errorf("ciphersuites=%s: this suite is not served", name)
		case slices.Contains(s.SupportedVersions, tls.VersionTLS13):
			modern++
		default:
			p.suites = append(p.suites, s.ID)
		}
	}
	const all = 3
	switch {
	case modern != 0 && modern != all && p.most == tls.VersionTLS13:
		return p, errors.New("ciphersuites: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256 are served together: name all three or none")
	case modern == 0:
		p.most = tls.VersionTLS12
	case p.suites == nil:
		p.least = tls.VersionTLS13
	}
	if p.least > p.most {
		return p, errors.New("ciphersuites: none of them is of an enabled protocol")
	}
	return p, nil
}

// findSuite knows those with forward secrecy and GCM or ChaCha20, and the old
// ones with CBC, which somebody who names them wants.
func findSuite(name string) *tls.CipherSuite {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.Name == strings.TrimSpace(name) && !strings.Contains(name, "RC4") && !strings.Contains(name, "3DES") {
			return s
		}
	}
	return nil
}
