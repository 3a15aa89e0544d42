package client

import (
	"context"
	"fmt"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/zk/session"
)

// perform does what the machine asks for, in the session in which it asked, and
// returns the answer.
func (c *GroupConsumer) perform(ctx context.Context, s *session.Session, e member.Effect) member.Event {
	switch e := e.(type) {
	case member.Register:
		return member.Registered{Err: c.roster.Register(ctx, s, c.opts.env.Clock.Now())}
	case member.Read:
		return c.roster.Read(ctx, s, partitions(e.Owned))
	case member.Commit:
		return member.Committed{Err: c.surrender(ctx, e.Owned)}
	case member.Release:
		return member.Released{Err: c.release(ctx, s, e.Owned)}
	case member.Find:
		offsets, err := c.store(s, aliases(e.Claims)).Find(ctx, partitions(e.Claims))
		return member.Found{Offsets: offsets, Err: err}
	case member.Claim:
		return c.roster.Claim(ctx, s, e.Claims)
	case member.Drop:
		return member.Dropped{Err: c.roster.Release(ctx, s, e.Made)}
	case member.Unregister:
		if err := c.roster.Unregister(ctx, s); err != nil {
			c.report(fmt.Errorf("leave: %w", err))
		}
		return member.Left{}
	case member.Start, member.Stop, member.Pause, member.Resume, member.Lost, member.Abort, member.Wake, member.Failed, member.Report, member.Gone:
	}
	must.Bug("nothing answers %T", e)
	return nil
}

func partitions(claims []assign.Claim) []assign.TopicPartition {
	out := make([]assign.TopicPartition, len(claims))
	for i, c := range claims {
		out[i] = c.TopicPartition
	}
	return out
}

// aliases returns the names in the form of Kafka 0.7 that claims have.
func aliases(claims []assign.Claim) map[assign.TopicPartition]string {
	out := map[assign.TopicPartition]string{}
	for _, c := range claims {
		if c.Alias != "" {
			out[c.TopicPartition] = c.Alias
		}
	}
	return out
}

// surrender gets ready to give up partitions: nothing is fetched any more, the
// application has come back or has had its time, and how far it came is stored.
// What it still works on after that time is nobody's to commit.
func (c *GroupConsumer) surrender(ctx context.Context, owned []assign.Claim) error {
	c.mu.Lock()
	t := c.mu.tenure
	c.mu.Unlock()
	t.wait()
	if !c.awaitIdle(ctx) {
		c.forget()
		c.report(fmt.Errorf("%w: it had %v", ErrSlow, c.opts.handOver))
	}
	if ctx.Err() != nil { // lost meanwhile, or all ends
		return context.Cause(ctx)
	}
	c.opts.onRevoked(ctx, byTopic(owned))
	if c.opts.autoCommit == 0 {
		return nil
	}
	return c.commit(ctx)
}

// awaitIdle waits until the application is done with what it has, or ctx ends; it
// reports false when HandOverWithin was over before.
func (c *GroupConsumer) awaitIdle(ctx context.Context) bool {
	timer := c.opts.env.Clock.NewTimer(c.opts.handOver)
	defer timer.Stop()
	for c.isBusy() {
		select {
		case <-c.idle:
		case <-timer.C():
			return false
		case <-ctx.Done():
			return true
		}
	}
	return true
}

// release gives up owner nodes. A commit that is under way comes first, and none
// after it: it could overwrite that of the next owner.
func (c *GroupConsumer) release(ctx context.Context, s *session.Session, owned []assign.Claim) error {
	if !c.forCommit(ctx) {
		return context.Cause(ctx)
	}
	c.endTenure()
	c.turn <- struct{}{}
	return c.roster.Release(ctx, s, partitions(owned))
}

func (c *GroupConsumer) isBusy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.busy
}
