package run

import (
	"context"
	"errors"
	"runtime/pprof"
	"sync"
)

// Group is a set of goroutines that end together: the first error cancels the
// context of all. The zero value is not usable; call NewGroup.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

// NewGroup returns a group whose context derives from ctx.
func NewGroup(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel}
}

// Context is cancelled when the group stops or one of its goroutines fails.
func (g *Group) Context() context.Context { return g.ctx }

// Go starts f under a name that shows in profiles. An error of f other than
// context.Canceled stops the whole group.
func (g *Group) Go(name string, f func(ctx context.Context) error) {
	g.wg.Go(func() {
		pprof.Do(g.ctx, pprof.Labels("goroutine", name), func(ctx context.Context) {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
				g.cancel(err)
			}
		})
	})
}

// Light starts f without a profile label or an error: for short-lived
// goroutines on busy paths (a reply writer), which must cost little.
func (g *Group) Light(f func()) { g.wg.Go(f) }

// Stop cancels the context with context.Canceled; it does not wait.
func (g *Group) Stop() { g.cancel(context.Canceled) }

// Wait waits for all goroutines and returns the first error, nil after Stop.
func (g *Group) Wait() error {
	g.wg.Wait()
	if err := context.Cause(g.ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
