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
// application is done with that.
func (c *GroupConsumer) Commit(ctx context.Context) error {
	c.back()
	return c.commit(ctx)
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
	if !c.opts.env.Clock.Now().Before(t.session.AliveUntil()) {
		return fmt.Errorf("commit of %d offsets: %w", len(offsets), errFenced)
	}
	if err := c.store(t.session, t.aliases).Commit(ctx, offsets); err != nil {
		return err
	}
	maps.Copy(t.stored, offsets)
	return nil
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
