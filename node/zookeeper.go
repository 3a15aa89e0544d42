package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// startKeeper starts the embedded keeper when the configuration asks for it.
func (n *Node) startKeeper(ctx context.Context) error {
	k := n.settings.Broker().Keeper
	if !k.Embedded {
		return nil
	}
	cfg := keeper.Config{
		DataDir: k.DataDir, DataLogDir: k.DataLogDir, TickTime: k.TickTime,
		MinSessionTimeout: k.MinSessionTimeout, MaxSessionTimeout: k.MaxSessionTimeout,
		MaxClientCnxns: int(k.MaxClientConns), SnapCount: int(k.SnapCount), FourLetterWords: k.FourLetterWords,
	}
	if k.MaxClientConns == 0 {
		cfg.MaxClientCnxns = -1 // no limit, in the broker's words
	}
	if k.Port >= 0 {
		cfg.Listen = []string{fmt.Sprintf("%s:%d", k.Address, k.Port)}
	}
	var err error
	n.keeper, err = keeper.Start(ctx, cfg, n.env, n.levels.Logger("keeper"))
	if err != nil {
		return fmt.Errorf("embedded keeper: %w", err)
	}
	n.group.Go("keeper-watch", func(ctx context.Context) error {
		select {
		case <-n.keeper.Done():
			err := n.keeper.Err()
			if err == nil {
				err = errKeeperEnded
			}
			return fmt.Errorf("embedded keeper: %w", err)
		case <-ctx.Done():
			return nil
		}
	})
	return nil
}

var errKeeperEnded = errors.New("ended")

// sessionConfig says how to reach ZooKeeper: the embedded keeper's pipe, or
// zookeeper.connect.
func (n *Node) sessionConfig() (session.Config, error) {
	b := n.settings.Broker()
	cfg := session.Config{
		Timeout: b.ZooKeeperSession, MaxInFlight: int(b.ZooKeeperMaxInFlight),
		Log: n.levels.Logger("zookeeper"),
	}
	if n.keeper != nil {
		cfg.Dialer = n.keeper.Pipe
		if b.Origin("zookeeper.max.in.flight.requests") == config.OriginDefault {
			// The default spares an ensemble shared by many; ours shares one
			// fsync among all that is in flight.
			cfg.MaxInFlight = embeddedInFlight
		}
		return cfg, nil
	}
	var err error
	cfg.Servers, cfg.Chroot, err = znode.ParseConnect(b.ZooKeeperConnect)
	if err != nil {
		return cfg, fmt.Errorf("zookeeper.connect=%s: %w", b.ZooKeeperConnect, err)
	}
	return cfg, nil
}

// embeddedInFlight is how many requests this broker has in flight at its own
// keeper: thousands of partitions are created in few round trips.
const embeddedInFlight = 512

// connect opens the broker's session, makes the chroot when it is missing and
// ends the session that an earlier life of this broker left.
func (n *Node) connect(ctx context.Context) error {
	cfg, err := n.sessionConfig()
	if err != nil {
		return err
	}
	n.session = cfg
	bounded, cancel := n.connecting(ctx)
	defer cancel()
	if cfg.Chroot != "" {
		if err := n.makeChroot(bounded, cfg); err != nil {
			return err
		}
	}
	if n.keeper == nil {
		if err := n.closeFormerSession(bounded, cfg); err != nil {
			return err
		}
	}
	return n.dial(bounded)
}

// connecting bounds the opening of a session while the broker starts.
func (n *Node) connecting(ctx context.Context) (context.Context, context.CancelFunc) {
	wait := n.settings.Broker().Millis("zookeeper.connection.timeout.ms")
	if wait <= 0 {
		wait = n.session.Timeout
	}
	return context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %v (zookeeper.connection.timeout.ms)", wait))
}

// outliving takes a step of the start again, over a new session, when the
// session has expired: ZooKeeper was away, or this machine stood still, or logs
// took long to load. Until the broker campaigns nothing else hangs on it.
func (n *Node) outliving(step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := step(ctx)
			if !errors.Is(err, zk.ErrSessionExpired) {
				return err
			}
			n.levels.Logger("zookeeper").Warn("zookeeper session expired during the start: going on with another", "error", err)
			bounded, cancel := n.connecting(ctx)
			err = n.dial(bounded)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// dial opens a session; its events go to this node.
func (n *Node) dial(ctx context.Context) error {
	z, err := session.Dial(ctx, n.session, n.env)
	if err != nil {
		return err
	}
	n.zk.Store(z)
	if n.keeper == nil {
		if err := n.rememberSession(z); err != nil {
			n.log.Warn("after a kill the next start will wait for this session's end", "error", err)
		}
	}
	return nil
}

// makeChroot creates the path in zookeeper.connect, over a session of its own
// that knows no chroot.
func (n *Node) makeChroot(ctx context.Context, cfg session.Config) error {
	chroot := cfg.Chroot
	cfg.Chroot = ""
	z, err := session.Dial(ctx, cfg, n.env)
	if err != nil {
		return err
	}
	_, _, err = z.CreateRecursive(ctx, chroot, nil, n.acl, zk.Persistent)
	if closing := z.Close(ctx); closing != nil {
		n.log.Warn("the session that made the chroot is left to expire", "error", closing)
	}
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("make the chroot %s: %w", chroot, err)
	}
	return nil
}

// acl is the ACL of a node that this broker makes.
func (n *Node) acl(path string) []zk.ACL {
	return znode.DefaultACL(path, n.settings.Broker().Bool("zookeeper.set.acl"))
}

// follow hands the session's events on until ctx ends; when the session
// expires it opens another one, forever if it must.
func (n *Node) follow(ctx context.Context) error {
	var events []zk.Event
	for {
		z := n.zk.Load()
		var err error
		events, err = z.Events().Drain(ctx, events[:0])
		if err == nil {
			for _, ev := range events {
				n.hear(ev)
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		// The stream ends with the session.
		if err := n.renew(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("renew the session: %w", err)
		}
	}
}

// renewPause is how long to wait between attempts to get a new session.
const renewPause = time.Second

// renew ends what hung on the expired session and opens a new one. The
// controller resigns first, and campaigns again after this broker registered.
func (n *Node) renew(ctx context.Context) error {
	log := n.levels.Logger("zookeeper")
	log.Warn("zookeeper session expired: this broker is fenced until it has registered again")
	if err := n.controller.SessionExpired(ctx); err != nil {
		return err
	}
	for {
		err := n.dial(ctx)
		if err == nil {
			break
		}
		log.Error("cannot open a zookeeper session", "error", err)
		if err := env.Sleep(ctx, n.env.Clock, renewPause); err != nil {
			return err
		}
	}
	z := n.zk.Load()
	n.controller.SessionRenewed(z, n.registerAgain)
	n.follower.Attach(z.Retrying())
	if err := n.watchFeatures(ctx); err != nil {
		log.Warn("cannot read the feature node: the session has ended again", "error", err)
	}
	return nil
}

// registerAgain is register after an expired session. When this session has
// expired too, the next one registers; any other failure (another process took
// the id) leaves a broker that nobody knows, which must end.
func (n *Node) registerAgain(ctx context.Context) error {
	err := n.register(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, zk.ErrSessionExpired) && !errors.Is(err, session.ErrClosed) {
		n.fail(err)
	}
	return err
}
