package keeper

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/keeper/secure"
	"github.com/gregor-mq/gregor/zk"
)

// Security is how clients are told apart and what they talk to the keeper by.
// The zero value serves plain ports and the schemes digest and ip. Names in
// comments are those of zoo.cfg.
type Security struct {
	// Listen are addresses for clients that speak TLS (secureClientPort,
	// secureClientPortAddress).
	Listen []string
	// PortUnification lets clients speak TLS on the plain ports too
	// (client.portUnification).
	PortUnification bool
	// TLS is what these ports use (ssl.*).
	TLS secure.Options
	// SecureMembers dials other members by TLS (sslQuorum), UnifiedMembers
	// accepts them with and without (portUnification). Members is what they use
	// (ssl.quorum.*); a certificate may name any member's host.
	SecureMembers, UnifiedMembers bool
	Members                       secure.Options

	// X509, SASL and Ensemble are further providers (authProvider.N); X509 is
	// there too where TLS is served.
	X509, SASL, Ensemble bool
	// EnsembleNames are those that a client of scheme ensemble may expect to be
	// connected to (ensembleAuthName); empty for any.
	EnsembleNames []string
	// NoDigest leaves the scheme digest out
	// (DigestAuthenticationProvider.enabled=false).
	NoDigest bool
	// DigestAlgorithm is what passwords are hashed with, by its Java name
	// (DigestAuthenticationProvider.digestAlg, SHA1).
	DigestAlgorithm string

	// JAASFile names the users of SASL (java.security.auth.login.config, which
	// is no property of zoo.cfg in ZooKeeper), in its section JAASSection
	// (sasl.serverconfig, Server). Without it nobody can log in by SASL.
	JAASFile, JAASSection string
	// SASLSuperPassword replaces that of the user super
	// (SASLAuthenticationProvider.superPassword).
	SASLSuperPassword string
	// RemoveHost and RemoveRealm shorten a user service/host@realm
	// (kerberos.removeHostFromPrincipal, kerberos.removeRealmFromPrincipal).
	RemoveHost, RemoveRealm bool
	// SuperUsers are users of SASL whom no ACL stops (superUser, superUser.N).
	SuperUsers []string
	// X509SuperUser is the subject whom no ACL stops
	// (X509AuthenticationProvider.superUser).
	X509SuperUser string
	// AllowFailedSASL lets clients stay that failed to log in
	// (allowSaslFailedClients), unless RequiredSchemes has sasl.
	AllowFailedSASL bool
	// RequiredSchemes are those of which a client must have proven one before
	// anything is done for it (enforce.auth.enabled and enforce.auth.schemes,
	// or sessionRequireClientSASLAuth for sasl); empty for no such rule.
	RequiredSchemes []string
}

// servesTLS reports whether any port for clients does.
func (s *Security) servesTLS() bool { return len(s.Listen) > 0 || s.PortUnification }

// protectsMembers reports whether members need certificates.
func (s *Security) protectsMembers() bool { return s.SecureMembers || s.UnifiedMembers }

// schemes lists the schemes besides digest and ip whose ids ACLs may name.
func (s *Security) schemes() []string {
	var out []string
	if s.X509 || s.servesTLS() {
		out = append(out, zk.SchemeX509)
	}
	if s.SASL {
		out = append(out, zk.SchemeSASL)
	}
	return out
}

// check names every value that cannot be used.
func (s *Security) check() error {
	var errs []error
	if s.servesTLS() {
		errs = append(errs, s.TLS.Check("ssl."))
	}
	if s.protectsMembers() {
		errs = append(errs, s.Members.Check("ssl.quorum."))
	}
	if digests[s.DigestAlgorithm] == nil {
		errs = append(errs, fmt.Errorf("DigestAuthenticationProvider.digestAlg=%s: must be SHA1, SHA-224, SHA-256, SHA-384, SHA-512 or one of SHA3", s.DigestAlgorithm))
	}
	known := append(s.schemes(), zk.SchemeIP)
	if !s.NoDigest {
		known = append(known, zk.SchemeDigest)
	}
	for _, scheme := range s.RequiredSchemes {
		switch {
		case !slices.Contains(known, scheme):
			errs = append(errs, fmt.Errorf("enforce.auth.schemes=%s: there is no provider for it", scheme))
		case scheme == zk.SchemeSASL && s.JAASFile == "":
			errs = append(errs, errors.New("enforce.auth.schemes=sasl: java.security.auth.login.config must name a file with users, or nobody could log in"))
		}
	}
	return errors.Join(errs...)
}

// requiresSASL reports whether a client must log in by SASL.
func (s *Security) requiresSASL() bool { return slices.Contains(s.RequiredSchemes, zk.SchemeSASL) }
