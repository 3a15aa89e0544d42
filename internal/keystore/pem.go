package keystore

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/youmark/pkcs8"
)

// pemKeys returns the one key of a PEM file, which holds its certificates too.
func pemKeys(data []byte, password string) ([]tls.Certificate, error) {
	chain, err := pemCertificates(data)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		key, err := pemKey(block, password)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", block.Type, err)
		}
		if key == nil {
			continue
		}
		c, err := join(key, chain)
		return []tls.Certificate{c}, err
	}
	return nil, errNoKey
}

// pemKey returns nil for a block that is no private key.
func pemKey(block *pem.Block, password string) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY", "EC PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("is encrypted by OpenSSL's old way: write it as PKCS#8 (openssl pkcs8 -topk8)")
		}
		if block.Type[0] == 'E' {
			return x509.ParseECPrivateKey(block.Bytes)
		}
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		if password == "" {
			return nil, errors.New("needs a password")
		}
		key, _, err := pkcs8.ParsePrivateKey(block.Bytes, []byte(password))
		return key, err
	}
	return nil, nil
}

// pemCertificates returns the certificates of a PEM file, in its order.
func pemCertificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		x, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
