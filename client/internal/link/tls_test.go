package link_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/internal/env"
)

// certificate returns one for a host, and the pool that trusts it.
func certificate(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// With TLS both kinds of links check that the broker is who it was dialled as.
func TestTLS(t *testing.T) {
	cert, pool := certificate(t, "broker")
	b := &broker{t: t, answer: plain}
	cfg := config(b)
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go b.serve(tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{cert}}))
		return ours, nil
	}
	cfg.TLS = &tls.Config{RootCAs: pool}
	for addr, right := range map[string]bool{"broker:1": true, "impostor:1": false} {
		s := link.NewSingle(cfg, addr, env.Real())
		if _, err := s.Request(bounded(t), kmsg.NewPtrProduceRequest()); (err == nil) != right {
			t.Errorf("single link to %s: %v", addr, err)
		}
		s.Close()
		set := link.NewSet(cfg)
		l, err := set.To(addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Request(bounded(t), kmsg.NewPtrProduceRequest()); (err == nil) != right {
			t.Errorf("link to %s: %v", addr, err)
		}
		set.Close()
	}
	if cfg.TLS.ServerName != "" {
		t.Error("the caller's configuration was changed")
	}
}
