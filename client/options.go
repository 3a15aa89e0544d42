package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// ProducerOption changes how a Producer works.
type ProducerOption interface{ producer(*producerOptions) }

// ConsumerOption changes how a GroupConsumer works.
type ConsumerOption interface{ consumer(*consumerOptions) }

// Option is for producers and consumers alike.
type Option interface {
	ProducerOption
	ConsumerOption
}

// connection is what producers and consumers need to connect.
type connection struct {
	clientID string
	tls      *tls.Config
	sasl     []sasl.Mechanism
	listener string
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	auth     []session.AuthInfo
	timeout  time.Duration
	log      *slog.Logger
}

// option is an Option.
type option func(*connection)

func (f option) producer(o *producerOptions) { f(&o.connection) }
func (f option) consumer(o *consumerOptions) { f(&o.connection) }

// ClientID sets the name by which brokers know the client, for logs and quotas;
// "gregor" is the default.
func ClientID(id string) Option { return option(func(c *connection) { c.clientID = id }) }

// TLS connects to the brokers' listeners with TLS: SSL, or SASL_SSL together with
// SASL. A configuration without ServerName expects the host's own name.
func TLS(cfg *tls.Config) Option { return option(func(c *connection) { c.tls = cfg }) }

// SASL connects to the brokers' listeners with SASL: SASL_SSL together with TLS,
// or else SASL_PLAINTEXT. The first mechanism that a broker has is used; franz-go
// has them in its packages below pkg/sasl.
func SASL(mechanisms ...sasl.Mechanism) Option {
	return option(func(c *connection) { c.sasl = mechanisms })
}

// Listener names the brokers' listener to connect to. Without it, it is the first
// in each broker's registration with the security protocol that follows from TLS
// and SASL.
func Listener(name string) Option { return option(func(c *connection) { c.listener = name }) }

// Dialer makes the connections to brokers, in place of a net.Dialer. TLS comes on
// top of it.
func Dialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return option(func(c *connection) { c.dial = dial })
}

// ZooKeeperAuth shows credentials to ZooKeeper, for example of scheme "digest" with
// "user:password".
func ZooKeeperAuth(scheme string, auth []byte) Option {
	return option(func(c *connection) { c.auth = append(c.auth, session.AuthInfo{Scheme: scheme, Auth: auth}) })
}

// SessionTimeout is the ZooKeeper session timeout to ask for. The server grants one
// within its own bounds. The default is 6 seconds, as it was for Kafka's consumer.
func SessionTimeout(d time.Duration) Option { return option(func(c *connection) { c.timeout = d }) }

// Logger gets what is worth knowing about connections, failures and rebalances.
// Without it nothing is logged.
func Logger(l *slog.Logger) Option { return option(func(c *connection) { c.log = l }) }

// defaults returns what holds without options.
func defaults() connection {
	return connection{clientID: "gregor", log: slog.New(slog.DiscardHandler)}
}

// protocol returns the security protocol of the listeners to connect to.
func (c *connection) protocol() string {
	switch {
	case c.tls != nil && len(c.sasl) > 0:
		return "SASL_SSL"
	case c.tls != nil:
		return "SSL"
	case len(c.sasl) > 0:
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// check refuses what cannot be.
func (c *connection) check() error {
	switch {
	case c.timeout != 0 && c.timeout < time.Millisecond:
		return fmt.Errorf("session timeout %v is less than 1ms", c.timeout)
	case c.log == nil:
		return errors.New("the logger is nil")
	}
	return nil
}

// zookeeper opens the connection to ZooKeeper and makes sure of the chroot.
func (c *connection) zookeeper(ctx context.Context, connect string) (*coord.Conn, error) {
	conn, err := coord.Dial(ctx, connect, coord.Config{Timeout: c.timeout, Auth: c.auth, Log: c.log}, env.Real())
	if err != nil {
		return nil, err
	}
	s, err := conn.Session()
	if err == nil {
		_, err = s.Retrying().Exists(ctx, "/", false)
	}
	if errors.Is(err, zk.ErrNoNode) {
		err = fmt.Errorf("%w: %s", ErrNoChroot, connect)
	}
	if err != nil {
		_ = conn.Close(ctx) // what matters is why
		return nil, err
	}
	return conn, nil
}

// brokers returns what links to brokers need.
func (c *connection) brokers(acks int16) link.Config {
	return link.Config{ClientID: c.clientID, TLS: c.tls, SASL: c.sasl, Dial: c.dial, Acks: acks, Log: c.log}
}
