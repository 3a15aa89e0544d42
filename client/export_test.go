package client

import (
	"context"
	"net"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk/session"
)

// ExpireSession ends a consumer's ZooKeeper session at the server, as if its
// timeout had passed.
func (c *GroupConsumer) ExpireSession(ctx context.Context, zookeeper string) error {
	return c.ExpireSessionIn(ctx, func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", zookeeper) })
}

// ExpireSessionIn is ExpireSession at the server that dial reaches.
func (c *GroupConsumer) ExpireSessionIn(ctx context.Context, dial func(ctx context.Context) (net.Conn, error)) error {
	s, err := c.conn.Session()
	if err != nil {
		return err
	}
	_, err = session.CloseOther(ctx, session.Config{Dialer: dial}, env.Real(), s.ID(), s.Password())
	return err
}

// Crash ends a consumer as if its process were killed and its session's timeout
// had passed: nothing is committed, nothing given up in order.
func (c *GroupConsumer) Crash(ctx context.Context, zookeeper string) error {
	c.goroutines.Stop()
	c.endTenure().halt()
	return c.ExpireSession(ctx, zookeeper)
}
