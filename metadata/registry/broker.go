package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// ErrIDTaken says that another living session holds the broker's registration.
var ErrIDTaken = errors.New("broker id is taken")

// pollInterval is how often a registration of another session is looked at: it
// is waited for once in a broker's life, and for seconds.
const pollInterval = 250 * time.Millisecond

// Registration is a broker's own node.
type Registration struct {
	ID     int32
	Broker znode.Broker
	// Session is the session to register under, Previous the one that this same
	// process had before it expired, 0 for none: what that one left is removed.
	Session, Previous int64
	// Wait is how long to wait for the registration of an unknown session to go
	// away: one session timeout, which outlives a process that was killed.
	Wait time.Duration
	// Waiting, when not nil, is told once before it waits: who has the
	// registration, and how long it waits at most.
	Waiting func(who string, limit time.Duration)
}

// Register makes the broker's ephemeral node and returns the broker epoch, its
// czxid. It fails with ErrIDTaken when another session keeps the node.
func (r *Registry) Register(ctx context.Context, reg Registration) (epoch int64, err error) {
	path := znode.BrokerPath(reg.ID)
	deadline := r.env.Clock.Now().Add(reg.Wait)
	told := reg.Waiting == nil
	for {
		results, err := r.calls.Multi(ctx,
			&zk.CreateRequest{Path: path, ACL: r.acl(path), Flags: zk.Ephemeral},
			&zk.SetDataRequest{Path: path, Data: reg.Broker.Encode(), Version: 0})
		if err == nil {
			return results[1].Stat.Czxid, nil
		}
		if !errors.Is(err, zk.ErrNodeExists) {
			return 0, err
		}
		stat, err := r.calls.Exists(ctx, path, false)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			continue
		case err != nil:
			return 0, err
		case stat.EphemeralOwner == reg.Session:
			return stat.Czxid, nil // this very registration, sent twice
		case reg.Previous != 0 && stat.EphemeralOwner == reg.Previous:
			if err := ignoreNoNode(r.calls.Delete(ctx, path, -1)); err != nil {
				return 0, err
			}
			continue
		case !r.env.Clock.Now().Before(deadline):
			return 0, fmt.Errorf("broker.id=%d: %w %s; stop that one, or give this broker another broker.id and log.dirs of its own",
				reg.ID, ErrIDTaken, r.owner(ctx, reg.ID, stat.EphemeralOwner))
		}
		if !told {
			told = true
			reg.Waiting(r.owner(ctx, reg.ID, stat.EphemeralOwner), reg.Wait)
		}
		if err := env.Sleep(ctx, r.env.Clock, pollInterval); err != nil {
			return 0, err
		}
	}
}

// owner says who has an id.
func (r *Registry) owner(ctx context.Context, id int32, session int64) string {
	path, who := znode.BrokerPath(id), "by another session"
	if data, _, err := r.calls.Get(ctx, path, false); err == nil {
		if b, err := znode.DecodeBroker(path, data); err == nil && len(b.Endpoints) > 0 {
			who = "by the broker at " + b.Endpoints[0].Addr()
		}
	}
	return fmt.Sprintf("%s (%s, session %#x)", who, path, session)
}
