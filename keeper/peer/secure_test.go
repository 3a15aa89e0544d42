package peer

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// certificate makes a key for "member" that signs itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"member"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// overTLS is a Config.Secure in which both ends show a certificate.
func overTLS(own tls.Certificate, trusted *x509.CertPool) func(context.Context, net.Conn, bool) (net.Conn, error) {
	cfg := &tls.Config{
		Certificates: []tls.Certificate{own}, RootCAs: trusted, ClientCAs: trusted, ServerName: "member",
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}
	return func(ctx context.Context, nc net.Conn, client bool) (net.Conn, error) {
		secured := tls.Server(nc, cfg)
		if client {
			secured = tls.Client(nc, cfg)
		}
		return secured, secured.HandshakeContext(ctx)
	}
}

// TestSecure: messages, files and ends over TLS, and a member without it.
func TestSecure(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		plain := cfg
		cfg.Secure = overTLS(certificate(t))
		a, b := pair(t, e, cfg)
		if !a.Send(2, 'm', []byte("secret")) {
			t.Error("not sent")
		}
		want(t, b.o.await("from 1"), "from 1 boot 10: m secret")
		var got []byte
		b.o.file = func(_ context.Context, _ []byte, _ int64, r io.Reader) (err error) {
			if got, err = io.ReadAll(r); err == nil {
				err = errors.New("seen it")
			}
			return err
		}
		sent := content(1 << 20)
		if err := a.SendFile(t.Context(), 2, nil, int64(len(sent)), bytes.NewReader(sent)); !strings.Contains(err.Error(), "refused: seen it") || !bytes.Equal(got, sent) {
			t.Errorf("%v, %d bytes", err, len(got))
		}
		if plain.Listen == "" {
			plain.Listen = address(3)
		}
		o := person(3, 30)
		o.logs = true
		c := begin(t, e, plain, o)
		c.SetMembers(map[uint64]string{1: a.Addr().String()})
		o.await("log")
		b.stop()
		a.o.await("down 2: gone", "lost 2 boot 20: gone")
	})
}
