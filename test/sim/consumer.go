package sim

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
)

// consumer reads one partition from its start, from the leader or from the
// replica that the leader names.
type consumer struct {
	*client
	of   check.Partition
	rack string
	next int64
	near string       // the address of that replica, "" for the leader
	done atomic.Int64 // next, for others
}

// at returns the next offset to read.
func (c *consumer) at() int64 { return c.done.Load() }

// run reads until ctx ends.
func (c *consumer) run(ctx context.Context) {
	defer c.close()
	for ctx.Err() == nil {
		if c.old() {
			c.near = ""
			_ = c.refresh(ctx) // what is known will do
		}
		n, err := c.poll(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			c.near = ""
			c.again(ctx, err)
		case n == 0 || c.rng.Chance(20):
			_ = env.Sleep(ctx, c.env.Clock, c.rng.Between(time.Millisecond, 20*time.Millisecond)) // ends with ctx, as the loop does
		}
	}
}

// poll fetches once and returns how many records came.
func (c *consumer) poll(ctx context.Context) (int, error) {
	from, ok := c.near, true
	if from == "" {
		from, ok = c.leader(c.of)
	}
	if !ok {
		return 0, errNobody
	}
	req := wire.NewFetchRequest()
	req.RackID = c.rack
	req.MaxWaitMs, req.MinBytes, req.MaxBytes = 200, 1, 1<<20
	part := wire.NewFetchRequestPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = c.of.Index, c.next, 1<<16
	topic := wire.NewFetchRequestTopic()
	topic.Topic = c.of.Topic
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp, err := askFor[*wire.FetchResponse](ctx, c.client, from, req, 12)
	if err != nil {
		return 0, err
	}
	out := resp.Responses[0].Partitions[0]
	if out.ErrorCode != wire.CodeNone {
		return 0, out.ErrorCode
	}
	if out.PreferredReadReplica >= 0 {
		if c.near, ok = c.broker(out.PreferredReadReplica); !ok {
			return 0, errNobody
		}
	}
	return c.take(out.Records.Bytes)
}

// take hands the records to the history.
func (c *consumer) take(src []byte) (int, error) {
	n := 0
	for batch, err := range record.All(src) {
		if errors.Is(err, record.ErrShort) {
			return n, nil // the rest comes with the next fetch
		}
		if err != nil {
			return n, err
		}
		for r, err := range batch.Records() {
			if err != nil {
				return n, err
			}
			if r.Offset < c.next {
				continue // batches come whole
			}
			c.w.history.Read(c.of, check.Record{Offset: r.Offset, Value: r.Value})
			c.next = r.Offset + 1
			c.done.Store(c.next)
			n++
		}
	}
	return n, nil
}
