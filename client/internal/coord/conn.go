package coord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

const (
	// DefaultTimeout is the session timeout asked for when Config has none: the
	// zookeeper.session.timeout.ms of Kafka's consumer of 0.8.
	DefaultTimeout = 6 * time.Second
	// inFlight bounds the requests that wait for replies: a picture of thousands
	// of partitions is read in few round trips.
	inFlight = 256
	// maxFrame bounds what ZooKeeper may send, in bytes. Larger nodes break the
	// connection, so this is far above what anybody decodes.
	maxFrame = 64 << 20
	// redial is the wait before ZooKeeper is asked again after it refused a new
	// session for a reason other than being out of reach.
	redial = 2 * time.Second
)

// ErrClosed is what a closed Conn or Subscription answers.
var ErrClosed = errors.New("closed")

// Config says how to connect.
type Config struct {
	// Timeout is the session timeout to ask for; zero is DefaultTimeout.
	Timeout time.Duration
	// Auth is sent on every connection.
	Auth []session.AuthInfo
	// Dialer makes connections by other means than TCP to the servers; nil for none.
	Dialer func(ctx context.Context) (net.Conn, error)
	// Log gets changes of the session; nil for none.
	Log *slog.Logger
}

// Conn is a connection to ZooKeeper that outlives its sessions. All methods may
// be called from many goroutines.
type Conn struct {
	cfg   session.Config
	env   env.Env
	log   *slog.Logger
	group *run.Group

	mu struct {
		sync.Mutex
		// session is the one in use, nil from its end to the start of the next.
		session   *session.Session
		connected bool
		closed    bool
		// subs are all subscriptions, watchers those that watch a path.
		subs     []*Subscription
		watchers map[string][]*Subscription
	}
}

// Dial opens the first session, to a connect string in the form of
// zookeeper.connect; ctx bounds that alone.
func Dial(ctx context.Context, connect string, cfg Config, e env.Env) (*Conn, error) {
	servers, chroot, err := znode.ParseConnect(connect)
	if err != nil {
		return nil, err
	}
	c := &Conn{env: e, log: cfg.Log, cfg: session.Config{
		Chroot: chroot, Timeout: cfg.Timeout, Auth: cfg.Auth, Dialer: cfg.Dialer, MaxInFlight: inFlight, MaxFrame: maxFrame,
		Log: cfg.Log,
	}}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.cfg.Timeout == 0 {
		c.cfg.Timeout = DefaultTimeout
	}
	if cfg.Dialer == nil {
		c.cfg.Servers = servers
	}
	w := &witness{Net: e.Net}
	c.env.Net = w
	s, err := session.Dial(ctx, c.cfg, c.env)
	if last := w.last.Load(); err != nil && ctx.Err() != nil && last != nil {
		err = fmt.Errorf("%w: %w", err, *last)
	}
	if err != nil {
		return nil, err
	}
	c.mu.watchers = map[string][]*Subscription{}
	c.mu.session, c.mu.connected = s, true
	c.group = run.NewGroup(context.WithoutCancel(ctx))
	c.group.Go("zookeeper events", func(ctx context.Context) error { return c.live(ctx, s) })
	return c, nil
}

// witness remembers why no connection could be made: a session tries on and does
// not tell.
type witness struct {
	env.Net
	last atomic.Pointer[error]
}

// Dial implements env.Net.
func (w *witness) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := w.Net.Dial(ctx, network, address)
	if err != nil && ctx.Err() == nil {
		w.last.Store(&err)
	}
	return conn, err
}

// Session returns the session in use. Between the end of one and the start of
// the next the error is zk.ErrSessionExpired, after Close ErrClosed. Callers use
// its operations, and neither close it nor read its events. Ephemeral nodes made
// with it end with it: a Subscription tells.
func (c *Conn) Session() (*session.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.closed:
		return nil, ErrClosed
	case c.mu.session == nil:
		return nil, zk.ErrSessionExpired
	}
	return c.mu.session, nil
}

// AliveUntil returns the moment by this process's clock before which the session
// in use cannot have expired (session.Session.AliveUntil); the zero time when
// there is none.
func (c *Conn) AliveUntil() time.Time {
	s, err := c.Session()
	if err != nil {
		return time.Time{}
	}
	return s.AliveUntil()
}

// Close ends the session, which deletes its ephemeral nodes, and all
// subscriptions. ctx bounds the wait for the server's word.
func (c *Conn) Close(ctx context.Context) error {
	c.mu.Lock()
	s := c.mu.session
	already := c.mu.closed
	c.mu.closed = true
	for _, sub := range c.mu.subs {
		run.Hint(sub.ready)
	}
	c.mu.Unlock()
	if already {
		return nil
	}
	var err error
	if s != nil {
		err = s.Close(ctx)
	}
	c.group.Stop()
	if werr := c.group.Wait(); werr != nil && err == nil {
		err = werr
	}
	return err
}

// live reads the events of one session after the other.
func (c *Conn) live(ctx context.Context, s *session.Session) error {
	for {
		c.follow(ctx, s)
		if ctx.Err() != nil || c.isClosed() {
			return nil
		}
		next, err := c.renew(ctx)
		if err != nil {
			return nil // only ctx ends it
		}
		if !c.adopt(next) {
			return c.discard(ctx, next)
		}
		s = next
	}
}

// follow hands on what one session tells, until it is dead.
func (c *Conn) follow(ctx context.Context, s *session.Session) {
	var events []zk.Event
	for {
		var err error
		if events, err = s.Events().Drain(ctx, events[:0]); err != nil {
			break
		}
		for _, ev := range events {
			c.dispatch(ev)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.session, c.mu.connected = nil, false
	c.hintAllLocked()
}

func (c *Conn) dispatch(ev zk.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ev.Type == zk.EventNone {
		c.mu.connected = ev.State == zk.StateSyncConnected
		c.hintAllLocked()
		return
	}
	for _, sub := range c.mu.watchers[ev.Path] {
		sub.firedLocked(ev.Path)
	}
}

// hintAllLocked makes every subscriber look at the state of the session.
func (c *Conn) hintAllLocked() {
	for _, sub := range c.mu.subs {
		sub.state = true
		run.Hint(sub.ready)
	}
}

// renew opens a new session, however long that takes.
func (c *Conn) renew(ctx context.Context) (*session.Session, error) {
	for {
		c.log.LogAttrs(ctx, slog.LevelWarn, "zookeeper session ended, opening another")
		s, err := session.Dial(ctx, c.cfg, c.env)
		if err == nil {
			return s, nil
		}
		c.log.LogAttrs(ctx, slog.LevelWarn, "zookeeper refuses a new session", slog.Any("error", err))
		if err := env.Sleep(ctx, c.env.Clock, redial); err != nil {
			return nil, fmt.Errorf("open a zookeeper session: %w", err)
		}
	}
}

// adopt puts a new session in use: every subscriber learns that what it knew is
// void. It reports false when the Conn was closed meanwhile.
func (c *Conn) adopt(s *session.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return false
	}
	c.mu.session, c.mu.connected = s, true
	for _, sub := range c.mu.subs {
		sub.renewedLocked()
	}
	return true
}

// discard closes a session that came too late; what cannot be told to the server
// within a while ends with the session's timeout.
func (c *Conn) discard(ctx context.Context, s *session.Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redial)
	defer cancel()
	return s.Close(ctx)
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.closed
}

// removeLocked takes a subscription out of the list of a path's watchers.
func (c *Conn) removeLocked(path string, sub *Subscription) {
	left := slices.DeleteFunc(c.mu.watchers[path], func(s *Subscription) bool { return s == sub })
	if len(left) == 0 {
		delete(c.mu.watchers, path)
		return
	}
	c.mu.watchers[path] = left
}
