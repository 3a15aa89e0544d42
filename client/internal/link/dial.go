package link

import (
	"context"
	"crypto/tls"
	"net"
)

// dial makes a connection to a broker, TLS included.
func (c Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw := c.Dial
	if raw == nil {
		raw = new(net.Dialer).DialContext
	}
	conn, err := raw(ctx, network, address)
	if err != nil || c.TLS == nil {
		return conn, err
	}
	return c.secure(ctx, conn, address)
}

// secure puts TLS on top of a connection.
func (c Config) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	cfg := c.TLS.Clone()
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			conn.Close()
			return nil, err
		}
		cfg.ServerName = host
	}
	safe := tls.Client(conn, cfg)
	if err := safe.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return safe, nil
}
