package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// lookupTime bounds the question for the names of a client's address.
const lookupTime = 5 * time.Second

// verifyServer wants a certificate of the trusted, which same accepts for the
// host that was dialled.
func (s *Source) verifyServer(cs tls.ConnectionState, same func(*x509.Certificate) error) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	leaf := cs.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: s.state.Load().roots, Intermediates: x509.NewCertPool(), CurrentTime: s.env.Clock.Now()}
	for _, c := range cs.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil || s.opts.AnyHost {
		return err
	}
	return same(leaf)
}

// verifyHost is VerifyHostname, and the common name of a certificate without
// other names, as ZooKeeper's verifier does it.
func verifyHost(c *x509.Certificate, host string) error {
	if len(c.DNSNames)+len(c.IPAddresses)+len(c.EmailAddresses)+len(c.URIs) > 0 {
		return c.VerifyHostname(host)
	}
	if !strings.EqualFold(c.Subject.CommonName, host) {
		return fmt.Errorf("the certificate is for %q, not for %q", c.Subject.CommonName, host)
	}
	return nil
}

// verifyAddr wants the certificate to name an address, one of the hosts that
// count as any, or one of the names that DNS has for the address.
func (s *Source) verifyAddr(c *x509.Certificate, addr string) error {
	err := verifyHost(c, addr)
	if err == nil || slices.ContainsFunc(*s.hosts.Load(), func(h string) bool { return verifyHost(c, h) == nil }) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	names, lookup := env.LookupAddr(ctx, s.env.Net, addr)
	for _, name := range names {
		if verifyHost(c, strings.TrimSuffix(name, ".")) == nil {
			return nil
		}
	}
	return fmt.Errorf("the certificate of %q names neither the address nor its names %q: %w", c.Subject, names, errors.Join(err, lookup))
}
