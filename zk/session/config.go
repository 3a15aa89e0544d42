package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

const (
	// DefaultTimeout is Kafka's zookeeper.session.timeout.ms.
	DefaultTimeout = 18 * time.Second
	// DefaultMaxInFlight is Kafka's zookeeper.max.in.flight.requests.
	DefaultMaxInFlight = 10
	// DefaultMaxEvents is how many events may wait for their reader. An owner a
	// million events behind is stuck; its session ends with ErrOverflow rather
	// than growing or losing one.
	DefaultMaxEvents = 1 << 20
)

// AuthInfo is an id to add to every connection of a session.
type AuthInfo struct {
	// Scheme is for example zk.SchemeDigest, Auth then "user:password".
	Scheme string
	Auth   []byte
}

// Config says where and how to connect.
type Config struct {
	// Servers are host:port addresses, tried in an order shuffled once. Exactly
	// one of Servers and Dialer is set.
	Servers []string
	// Dialer makes connections by other means: the pipe of an embedded keeper,
	// or TLS.
	Dialer func(ctx context.Context) (net.Conn, error)
	// Chroot is put before every path, and taken off again; empty for none.
	Chroot string
	// Timeout is the session timeout to ask for; zero is DefaultTimeout.
	Timeout time.Duration
	// MaxInFlight bounds the requests that wait for replies; zero is
	// DefaultMaxInFlight.
	MaxInFlight int
	// MaxFrame bounds requests and replies in bytes; zero is zk.MaxReply.
	MaxFrame int
	// MaxEvents bounds the events that wait in Session.Events; zero is
	// DefaultMaxEvents.
	MaxEvents int
	// Auth is sent on every connection, before anything else.
	Auth []AuthInfo
	// SessionID and Password attach to a session that exists; zero and nil make
	// a new one.
	SessionID int64
	Password  []byte
	// ReadOnly accepts servers without quorum.
	ReadOnly bool
	// OnEvent gets all events instead of Session.Events, called in stream order
	// on the goroutine that also calls back for Send. It must not block and not
	// call the session's methods that wait (Do, Send, Close).
	OnEvent func(zk.Event)
	// Log gets connection changes; nil for none.
	Log *slog.Logger
}

// normalised checks c and fills in defaults.
func (c Config) normalised() (Config, error) {
	if (len(c.Servers) == 0) == (c.Dialer == nil) {
		return c, errors.New("zookeeper session: exactly one of Servers and Dialer must be set")
	}
	if c.Chroot == "/" {
		c.Chroot = ""
	}
	if c.Chroot != "" {
		if err := zk.ValidatePath(c.Chroot); err != nil {
			return c, fmt.Errorf("chroot: %w", err)
		}
	}
	if c.SessionID != 0 && len(c.Password) != zk.PasswordSize {
		return c, fmt.Errorf("password of session %#x has %d bytes, want %d", c.SessionID, len(c.Password), zk.PasswordSize)
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, DefaultMaxInFlight)
	c.MaxFrame = cmp.Or(c.MaxFrame, zk.MaxReply)
	c.MaxEvents = cmp.Or(c.MaxEvents, DefaultMaxEvents)
	if c.Timeout < time.Millisecond || min(c.MaxInFlight, c.MaxFrame, c.MaxEvents) < 0 {
		return c, fmt.Errorf("timeout %v, max in flight %d, max frame %d and max events %d must be positive",
			c.Timeout, c.MaxInFlight, c.MaxFrame, c.MaxEvents)
	}
	c.Servers = slices.Clone(c.Servers)
	c.Auth = slices.Clone(c.Auth)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
