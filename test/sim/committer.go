package sim

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
)

// committer commits rising offsets. A commit that got no answer may arrive late,
// behind newer ones; so a group ends with it, and another one begins.
type committer struct {
	*client
	groups int
	next   int64
}

// committed is the partition that offsets are committed for.
var committed = check.Partition{Topic: loadTopic}

func (c *committer) group() string { return fmt.Sprintf("group-%d", c.groups) }

// run commits until ctx ends.
func (c *committer) run(ctx context.Context) {
	defer c.close()
	for ctx.Err() == nil {
		c.next++
		c.w.offsets.Committing(c.group(), committed, c.next)
		code, err := c.commit(ctx)
		switch {
		case err == nil && code == wire.CodeNone:
			c.w.offsets.Committed(c.group(), committed, c.next)
			c.w.trace.Add("%s: %s is at %d", c.name, c.group(), c.next)
		case err == nil && refused(code):
			c.again(ctx, code)
		default:
			if err == nil {
				err = code
			}
			c.again(ctx, fmt.Errorf("commit of %s: %w", c.group(), err))
			c.groups++
		}
		_ = env.Sleep(ctx, c.env.Clock, c.rng.Between(5*time.Millisecond, 100*time.Millisecond)) // ends with ctx, as the loop does
	}
}

// refused says that a commit did certainly not happen.
func refused(code wire.Code) bool {
	return code == wire.CodeNotCoordinator || code == wire.CodeCoordinatorLoadInProgress
}

// coordinator finds the group's coordinator; ok is false when nobody knows it.
func (c *committer) coordinator(ctx context.Context) (address string, ok bool) {
	addresses := c.addresses()
	req := wire.NewFindCoordinatorRequest()
	req.CoordinatorKey = c.group()
	resp, err := askFor[*wire.FindCoordinatorResponse](ctx, c.client, addresses[c.rng.N(len(addresses))], req, 2)
	if err != nil || resp.ErrorCode != wire.CodeNone {
		return "", false
	}
	return resp.Host + ":" + strconv.Itoa(int(resp.Port)), true
}

func (c *committer) commit(ctx context.Context) (wire.Code, error) {
	address, ok := c.coordinator(ctx)
	if !ok {
		return wire.CodeNotCoordinator, nil
	}
	req := wire.NewOffsetCommitRequest()
	req.GroupID = c.group()
	p := wire.NewOffsetCommitRequestPartition()
	p.PartitionIndex, p.CommittedOffset = committed.Index, c.next
	req.Topics = []wire.OffsetCommitRequestTopic{{Name: committed.Topic, Partitions: []wire.OffsetCommitRequestPartition{p}}}
	resp, err := askFor[*wire.OffsetCommitResponse](ctx, c.client, address, req, 7)
	if err != nil {
		return 0, err
	}
	return resp.Topics[0].Partitions[0].ErrorCode, nil
}

// verify compares what the coordinators have with what was committed.
func (c *committer) verify() {
	defer c.close()
	for c.groups >= 0 {
		c.w.awaitThat("offsets of "+c.group(), func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			found, err := c.fetch(ctx)
			if err != nil {
				return err
			}
			if err := c.w.offsets.Check(c.group(), committed, found, math.MaxInt64); err != nil {
				c.w.problem(err)
			}
			return nil
		})
		c.groups--
	}
}

// fetch returns the committed offset, check.None for none.
func (c *committer) fetch(ctx context.Context) (int64, error) {
	address, ok := c.coordinator(ctx)
	if !ok {
		return 0, wire.CodeNotCoordinator
	}
	req := wire.NewOffsetFetchRequest()
	req.GroupID = c.group()
	req.Topics = []wire.OffsetFetchRequestTopic{{Name: committed.Topic, PartitionIndexes: []int32{committed.Index}}}
	resp, err := askFor[*wire.OffsetFetchResponse](ctx, c.client, address, req, 5)
	if err != nil {
		return 0, err
	}
	if resp.ErrorCode != wire.CodeNone {
		return 0, resp.ErrorCode
	}
	p := resp.Topics[0].Partitions[0]
	if p.ErrorCode != wire.CodeNone {
		return 0, p.ErrorCode
	}
	return p.CommittedOffset, nil
}
