package records

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/gregor-mq/gregor/zk"
)

var (
	errAway = errors.New("ZooKeeper does not answer: trying again")
	errBack = errors.New("ZooKeeper answers again")
)

// outage is the log of a client by ZooKeeper, of which it takes the changes of the
// session's state alone: it tells when ZooKeeper goes and comes back.
type outage struct {
	warn func(error)
	// on is whether ZooKeeper is away.
	on *atomic.Bool
}

func newOutage(warn func(error)) outage { return outage{warn, new(atomic.Bool)} }

// Enabled implements slog.Handler.
func (outage) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs implements slog.Handler.
func (o outage) WithAttrs([]slog.Attr) slog.Handler { return o }

// WithGroup implements slog.Handler.
func (o outage) WithGroup(string) slog.Handler { return o }

// Handle implements slog.Handler.
func (o outage) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "state" {
			return true
		}
		switch a.Value.String() {
		case zk.StateDisconnected.String():
			if !o.on.Swap(true) {
				o.warn(errAway)
			}
		case zk.StateSyncConnected.String():
			if o.on.Swap(false) {
				o.warn(errBack)
			}
		}
		return false
	})
	return nil
}
