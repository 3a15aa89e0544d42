package keystore

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// Kind is the format of a store.
type Kind string

// The formats that are read. The content decides between the first two, as in
// Java since version 9, whose keytool writes PKCS#12 into files named .jks.
const (
	JKS    Kind = "JKS"
	PKCS12 Kind = "PKCS12"
	PEM    Kind = "PEM"
)

// MaxSize bounds a file, in bytes: stores hold kilobytes.
const MaxSize = 4 << 20

// KindOf returns the format that a name says (of any case), or, when it is
// empty, the extension of the file.
func KindOf(name, file string) (Kind, error) {
	if name == "" {
		switch filepath.Ext(file) {
		case ".jks":
			return JKS, nil
		case ".p12":
			return PKCS12, nil
		case ".pem":
			return PEM, nil
		}
		return "", fmt.Errorf("%s: the extension is none of .jks, .p12 and .pem: name the type", file)
	}
	switch k := Kind(strings.ToUpper(name)); k {
	case JKS, PKCS12, PEM:
		return k, nil
	}
	return "", fmt.Errorf("%s: must be JKS, PKCS12 or PEM", name)
}

var jksMagic = []byte{0xfe, 0xed, 0xfe, 0xed}

// errNoKey and errNoTrust are for stores that hold nothing of use.
var (
	errNoKey   = errors.New("holds no private key")
	errNoTrust = errors.New("holds no trusted certificate")
)

// Keys returns the private keys of a store, each with its chain of certificates.
// The password opens the store and every key in it; it is empty for a PEM file
// whose key is not encrypted.
func Keys(kind Kind, data []byte, password string) ([]tls.Certificate, error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("%d bytes: at most %d are read", len(data), MaxSize)
	case kind == PEM:
		return pemKeys(data, password)
	case bytes.HasPrefix(data, jksMagic):
		return jksKeys(data, password)
	}
	key, leaf, more, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, err
	}
	c, err := join(key, append([]*x509.Certificate{leaf}, more...))
	return []tls.Certificate{c}, err
}

// Trusted returns the certificates of a store that are trusted for themselves.
func Trusted(kind Kind, data []byte, password string) (certs []*x509.Certificate, err error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("%d bytes: at most %d are read", len(data), MaxSize)
	case kind == PEM:
		certs, err = pemCertificates(data)
	case bytes.HasPrefix(data, jksMagic):
		certs, err = jksTrusted(data, password)
	default:
		certs, err = pkcs12.DecodeTrustStore(data, password)
	}
	if err == nil && len(certs) == 0 {
		err = errNoTrust
	}
	return certs, err
}

// join makes a certificate of a key and its chain, and checks that the two
// belong together.
func join(key any, chain []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a private key of type %T cannot sign", key)
	}
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("holds a private key without a certificate")
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return tls.Certificate{}, fmt.Errorf("the private key is not that of the certificate of %q", chain[0].Subject)
	}
	c := tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, x := range chain {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	return c, nil
}

func openJKS(data []byte, password string) (keystore.KeyStore, error) {
	ks := keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if err := ks.Load(bytes.NewReader(data), []byte(password)); err != nil {
		return ks, fmt.Errorf("the password is wrong, or the file is damaged: %w", err)
	}
	return ks, nil
}

func jksKeys(data []byte, password string) ([]tls.Certificate, error) {
	ks, err := openJKS(data, password)
	if err != nil {
		return nil, err
	}
	var out []tls.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("alias %s: %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("alias %s: %w", alias, err)
		}
		var chain []*x509.Certificate
		for _, c := range entry.CertificateChain {
			x, err := x509.ParseCertificate(c.Content)
			if err != nil {
				return nil, fmt.Errorf("alias %s: %w", alias, err)
			}
			chain = append(chain, x)
		}
		c, err := join(key, chain)
		if err != nil {
			return nil, fmt.Errorf("alias %s: %w", alias, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errNoKey
	}
	return out, nil
}

func jksTrusted(data []byte, password string) ([]*x509.Certificate, error) {
	ks, err := openJKS(data, password)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("alias %s: %w", alias, err)
		}
		x, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("alias %s: %w", alias, err)
		}
		out = append(out, x)
	}
	return out, nil
}
