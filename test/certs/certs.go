package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// Password opens every store that is written here.
const Password = "changeit"

// TB is what is needed of a test, or of what stands for a whole package.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

var _ TB = (testing.TB)(nil)

// Pair is a certificate with its key, and who issued it.
type Pair struct {
	t      TB
	Cert   *x509.Certificate
	Key    *ecdsa.PrivateKey
	Issuer *Pair // nil for an authority
}

// NewCA makes an authority.
func NewCA(t TB, name string) *Pair {
	t.Helper()
	return newPair(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil)
}

// Issue makes a certificate for both ends. hosts are DNS names and addresses.
func (ca *Pair) Issue(subject pkix.Name, hosts ...string) *Pair {
	ca.t.Helper()
	c := &x509.Certificate{
		Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
			continue
		}
		c.DNSNames = append(c.DNSNames, h)
	}
	return newPair(ca.t, c, ca)
}

// IssueRaw is Issue for a subject in DER.
func (ca *Pair) IssueRaw(subject []byte) *Pair {
	ca.t.Helper()
	return newPair(ca.t, &x509.Certificate{RawSubject: subject, KeyUsage: x509.KeyUsageDigitalSignature}, ca)
}

func newPair(t TB, c *x509.Certificate, issuer *Pair) *Pair {
	t.Helper()
	p := &Pair{t: t, Issuer: issuer}
	var err error
	if p.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatalf("%v", err)
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatalf("%v", err)
	}
	now := time.Now()
	c.NotBefore, c.NotAfter = now.Add(-24*time.Hour), now.Add(24*time.Hour)
	parent, signer := c, p.Key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &p.Key.PublicKey, signer)
	if err == nil {
		p.Cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// TLS returns the pair as Go's clients take it.
func (p *Pair) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key, Leaf: p.Cert}
}

// Pool returns the certificate as the only trusted one.
func (p *Pair) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Cert)
	return pool
}

func (p *Pair) pkcs8() []byte {
	p.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	return der
}

// KeyStore writes the pair and its chain into a file, of the format that its
// extension says.
func (p *Pair) KeyStore(file string) string {
	p.t.Helper()
	chain := []*x509.Certificate{p.Cert}
	for i := p.Issuer; i != nil; i = i.Issuer {
		chain = append(chain, i.Cert)
	}
	switch filepath.Ext(file) {
	case ".jks":
		e := keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: p.pkcs8()}
		for _, c := range chain {
			e.CertificateChain = append(e.CertificateChain, keystore.Certificate{Type: "X.509", Content: c.Raw})
		}
		ks := keystore.New()
		if err := ks.SetPrivateKeyEntry("key", e, []byte(Password)); err != nil {
			p.t.Fatalf("%v", err)
		}
		return p.store(file, ks)
	case ".p12":
		b, err := pkcs12.Modern.Encode(p.Key, p.Cert, chain[1:], Password)
		if err != nil {
			p.t.Fatalf("%v", err)
		}
		return p.write(file, b)
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p.pkcs8()})
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return p.write(file, out)
}

// TrustStore writes the certificate alone into a file, as trusted.
func (p *Pair) TrustStore(file string) string {
	p.t.Helper()
	switch filepath.Ext(file) {
	case ".jks":
		ks := keystore.New()
		e := keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: keystore.Certificate{Type: "X.509", Content: p.Cert.Raw}}
		if err := ks.SetTrustedCertificateEntry("ca", e); err != nil {
			p.t.Fatalf("%v", err)
		}
		return p.store(file, ks)
	case ".p12":
		b, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{p.Cert}, Password)
		if err != nil {
			p.t.Fatalf("%v", err)
		}
		return p.write(file, b)
	}
	return p.write(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw}))
}

func (p *Pair) store(file string, ks keystore.KeyStore) string {
	p.t.Helper()
	var b bytes.Buffer
	if err := ks.Store(&b, []byte(Password)); err != nil {
		p.t.Fatalf("%v", err)
	}
	return p.write(file, b.Bytes())
}

// write replaces a file in one step, as certificates are renewed.
func (p *Pair) write(file string, b []byte) string {
	p.t.Helper()
	err := os.WriteFile(file+".new", b, 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	return file
}
