package client

import (
	"context"
	"fmt"
	"maps"

	"github.com/gregor-mq/gregor/client/internal/offset"
	"github.com/gregor-mq/gregor/zk/session"
)

// store returns where a member with a session keeps the offsets of partitions, some
// of which have aliases.
func (c *GroupConsumer) store(s *session.Session, aliases map[offset.Partition]string) offset.Store {
	zookeeper := offset.ZooKeeper(s, c.group, aliases)
	switch c.opts.offsets {
	case inKafka:
		return c.kafka
	case inBoth:
		return offset.Both(c.kafka, zookeeper)
	}
	return zookeeper
}

// Commit stores the offsets after all that Poll returned, and so says that the
// application is done with that. nil means that all of it is stored. The error is
// ErrLost when some of it is of partitions that the consumer gave up or lost before
// that could be stored, and ErrFenced while it cannot be sure to own them.
func (c *GroupConsumer) Commit(ctx context.Context) error {
	c.back()
	if err := c.commit(ctx); err != nil {
		return err
	}
	return c.owed(ctx)
}

// owed tells of records that Poll returned and nobody can commit any more.
func (c *GroupConsumer) owed(ctx context.Context) error {
	if !c.forCommit(ctx) {
		return context.Cause(ctx)
	}
	defer func() { c.turn <- struct{}{} }()
	c.mu.Lock()
	t := c.mu.from
	settled := t == nil || t == c.mu.tenure && !t.given
	c.mu.Unlock()
	if settled {
		return nil
	}
	for p, end := range t.fetcher.Delivered() {
		if stored, ok := t.stored[p]; !ok || stored < end {
			return fmt.Errorf("commit %s-%d up to %d: %w", p.Topic, p.Partition, end, ErrLost)
		}
	}
	return nil
}

// commit stores the offsets after all that the application is done with, as far as
// they are not stored yet. One commit follows the other, so that an older one
// cannot overwrite a newer.
func (c *GroupConsumer) commit(ctx context.Context) error {
	if !c.forCommit(ctx) {
		return context.Cause(ctx)
	}
	defer func() { c.turn <- struct{}{} }()
	c.mu.Lock()
	t := c.mu.tenure
	c.mu.Unlock()
	if t == nil {
		return nil
	}
	offsets := t.fetcher.Settled()
	maps.DeleteFunc(offsets, func(p offset.Partition, o int64) bool {
		stored, ok := t.stored[p]
		return ok && stored == o
	})
	if len(offsets) == 0 {
		return nil
	}
	ctx, stop := c.fenced(ctx, t)
	defer stop()
	err := context.Cause(ctx)
	if err == nil {
		err = c.store(t.session, t.aliases).Commit(ctx, offsets)
	}
	switch {
	case err == nil:
		maps.Copy(t.stored, offsets)
		return nil
	case ctx.Err() != nil: // whatever the store calls it
		err = context.Cause(ctx)
	}
	return fmt.Errorf("commit of %d offsets: %w", len(offsets), err)
}

// fenced returns a context for a commit: it ends with the tenure, with ErrLost, and
// with ErrFenced once the session may be over and the partitions another's. A
// request that has left by then cannot be called back.
func (c *GroupConsumer) fenced(ctx context.Context, t *tenure) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if t.over.Err() != nil {
		cancel(context.Cause(t.over))
	}
	over := context.AfterFunc(t.over, func() { cancel(context.Cause(t.over)) })
	c.fence(ctx, t, cancel)
	return ctx, func() {
		over()
		cancel(nil)
	}
}

// fence cancels ctx when the session may be over, which moves on while ZooKeeper
// answers.
func (c *GroupConsumer) fence(ctx context.Context, t *tenure, cancel context.CancelCauseFunc) {
	clock := c.opts.env.Clock
	left := t.session.AliveUntil().Sub(clock.Now())
	if left <= 0 {
		cancel(ErrFenced)
		return
	}
	timer := clock.AfterFunc(left, func() { c.fence(ctx, t, cancel) })
	context.AfterFunc(ctx, func() { timer.Stop() })
}

// forCommit takes the turn to commit; it reports false when ctx ended before.
func (c *GroupConsumer) forCommit(ctx context.Context) bool {
	select {
	case <-c.turn:
		return true
	case <-ctx.Done():
		return false
	}
}
