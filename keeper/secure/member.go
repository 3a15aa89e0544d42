package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"

	"github.com/gregor-mq/gregor/internal/env"
)

// Member returns what makes a new connection between members safe: client is
// set at the end that dialed, and ctx ends the handshake. With dialTLS members
// dial by TLS; with unified they accept what the other end begins with, else
// TLS alone.
func (s *Source) Member(dialTLS, unified bool) func(ctx context.Context, nc net.Conn, client bool) (net.Conn, error) {
	server := s.Server()
	return func(ctx context.Context, nc net.Conn, client bool) (net.Conn, error) {
		var t *tls.Conn
		switch {
		case client && !dialTLS:
			return nc, nil
		case client:
			addr := env.Host(nc.RemoteAddr())
			t = tls.Client(nc, s.dialler(func(x *x509.Certificate) error { return s.verifyAddr(x, addr) }))
		case unified:
			first := make([]byte, 1)
			if _, err := nc.Read(first); err != nil {
				return nil, err
			}
			nc = &begun{Conn: nc, first: first[0], unread: true}
			if first[0] != handshakeRecord {
				return nc, nil
			}
			t = tls.Server(nc, server)
		default:
			t = tls.Server(nc, server)
		}
		return t, t.HandshakeContext(ctx)
	}
}
