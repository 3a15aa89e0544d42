package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// Config says what to follow.
type Config struct {
	// Prefix is the path of the nodes without their number, such as
	// znode.ConfigChangePrefix.
	Prefix string
	// Handle gets the content of each notification, in order. Its errors are
	// logged and not tried again: the next change of the same thing heals them.
	Handle func(ctx context.Context, data []byte) error
	// Renewed, if not nil, is called in each session but the first, before its
	// notifications are handled: those of the time between may be gone.
	Renewed func(ctx context.Context) error
	Log     *slog.Logger
}

// Follower handles notifications.
type Follower struct {
	cfg  Config
	env  env.Env
	wake chan struct{}
	mu   struct {
		sync.Mutex
		calls *session.Calls
		// last is the number of the newest handled notification, -1 for none.
		last int64
		// renewed says that Renewed is due.
		renewed bool
	}
}

// New returns a follower that waits for Attach.
func New(cfg Config, e env.Env) *Follower {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{cfg: cfg, env: e, wake: make(chan struct{}, 1)}
	f.mu.last = -1
	return f
}

// Attach takes a new session. All notifications that are there are handled
// again: some may have come and gone in between, for which there is Renewed.
func (f *Follower) Attach(calls session.Calls) {
	f.mu.Lock()
	f.mu.renewed = f.mu.calls != nil
	f.mu.calls, f.mu.last = &calls, -1
	f.mu.Unlock()
	run.Hint(f.wake)
}

// HandleWatch takes a fired watch; those of other paths are dropped. It does not
// block.
func (f *Follower) HandleWatch(ev zk.Event) {
	if ev.Type == zk.EventChildrenChanged && ev.Path == path.Dir(f.cfg.Prefix) {
		run.Hint(f.wake)
	}
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := f.Catch(ctx); err != nil {
			f.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "change notifications were not read",
				slog.String("prefix", f.cfg.Prefix), slog.Any("error", err))
		}
	}
}

// note is one notification.
type note struct {
	path   string
	number int64
}

// Catch handles what is new, arms the watch for more, and removes old nodes.
// Run calls it; so does a broker that must not start before it caught up.
func (f *Follower) Catch(ctx context.Context) error {
	f.mu.Lock()
	calls, last := f.mu.calls, f.mu.last
	f.mu.Unlock()
	if calls == nil {
		return nil
	}
	parent := path.Dir(f.cfg.Prefix)
	names, _, err := calls.Children(ctx, parent, true)
	if err != nil {
		return fmt.Errorf("list notifications: %w", err)
	}
	if err := f.renew(ctx, calls); err != nil {
		return fmt.Errorf("begin a new session: %w", err)
	}
	notes := f.parse(parent, names)
	for _, n := range notes {
		if n.number <= last {
			continue
		}
		data, _, err := calls.Get(ctx, n.path, false)
		switch {
		case errors.Is(err, zk.ErrNoNode): // another broker removed it: it was old
		case err != nil:
			return fmt.Errorf("read notification: %w", err)
		default:
			if err := f.cfg.Handle(ctx, data); err != nil {
				f.cfg.Log.LogAttrs(ctx, slog.LevelError, "change notification was not handled",
					slog.String("path", n.path), slog.Any("error", err))
			}
		}
		f.advance(calls, n.number)
	}
	return f.purge(ctx, calls, notes)
}

// renew calls Renewed if that is due; the watch is armed already, so that nothing
// slips in between.
func (f *Follower) renew(ctx context.Context, calls *session.Calls) error {
	f.mu.Lock()
	due := f.mu.renewed && f.cfg.Renewed != nil
	f.mu.Unlock()
	if !due {
		return nil
	}
	if err := f.cfg.Renewed(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.calls == calls {
		f.mu.renewed = false
	}
	return nil
}

// advance notes what is handled, unless a new session begins from the start.
func (f *Follower) advance(calls *session.Calls, number int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.calls == calls {
		f.mu.last = number
	}
}

// parse returns the notifications in order; other nodes are not ours.
func (f *Follower) parse(parent string, names []string) []note {
	base := path.Base(f.cfg.Prefix)
	var out []note
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, base)
		n, err := strconv.ParseInt(digits, 10, 64)
		if ok && err == nil {
			out = append(out, note{parent + "/" + name, n})
		}
	}
	slices.SortFunc(out, func(a, b note) int { return strings.Compare(a.path, b.path) })
	return out
}

// purge removes notifications that every broker had time to see.
func (f *Follower) purge(ctx context.Context, calls *session.Calls, notes []note) error {
	now := f.env.Clock.Now().UnixMilli()
	for _, n := range notes {
		stat, err := calls.Exists(ctx, n.path, false)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			continue
		case err != nil:
			return fmt.Errorf("look at notification: %w", err)
		case now-stat.Ctime <= znode.ChangeExpiry:
			return nil // they are in order of creation: the rest is younger
		}
		if err := calls.Delete(ctx, n.path, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return fmt.Errorf("remove notification: %w", err)
		}
	}
	return nil
}
