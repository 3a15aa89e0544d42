package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/client/internal/picture"
)

// request is a partition as it is asked for, outside the lock.
type request struct {
	p      *part
	offset int64
	epoch  int32
}

// serve reads from one broker what it leads, a request at a time.
func (f *Fetcher) serve(ctx context.Context, broker int32, l *loop) error {
	timer := f.cfg.Env.Clock.NewTimer(longBackoff)
	defer timer.Stop()
	for {
		c := f.cfg.Picture.Load()
		turn, pause := f.turn(c, broker)
		if len(turn) > 0 {
			f.round(ctx, c.Brokers[broker], turn)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		timer.Reset(pause)
		select {
		case <-l.wake:
		case <-timer.C():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// turn picks the partitions to ask a broker for: first those whose offset is to be
// found. Without any it returns how long to wait at most.
func (f *Fetcher) turn(c *picture.Cluster, broker int32) (turn []request, pause time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Env.Clock.Now()
	pause = longBackoff
	unknown := false
	for _, p := range f.mu.parts {
		if b := c.Leader(p.Topic, p.Partition); b == nil || b.ID != broker || p.busy || len(p.records) > 0 {
			continue
		}
		if rest := p.retry.Sub(now); rest > 0 {
			pause = min(pause, rest)
			continue
		}
		r := request{p, p.ask, c.Partition(p.Topic, p.Partition).LeaderEpoch}
		if r.offset < 0 && !unknown {
			unknown, turn = true, nil
		}
		if unknown == (r.offset < 0) {
			turn = append(turn, r)
		}
	}
	for _, r := range turn {
		r.p.busy = true
	}
	return turn, pause
}

// round asks once.
func (f *Fetcher) round(ctx context.Context, b *picture.Broker, turn []request) {
	defer f.release(turn)
	addr, err := f.cfg.Addr(b)
	var l *link.Link
	if err == nil {
		l, err = f.cfg.Links.To(addr)
	}
	if err == nil && turn[0].offset < 0 {
		err = f.find(ctx, l, turn)
	} else if err == nil {
		err = f.fetch(ctx, l, turn)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	f.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "fetch failed", slog.Int("broker", int(b.ID)), slog.Any("error", err))
	for _, r := range turn {
		f.rest(r.p, backoff)
	}
}

func (f *Fetcher) release(turn []request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range turn {
		r.p.busy = false
	}
	f.wakeLocked()
}

func (f *Fetcher) rest(p *part, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.retry = f.cfg.Env.Clock.Now().Add(d)
}

// find asks for the offsets where partitions begin or end.
func (f *Fetcher) find(ctx context.Context, l *link.Link, turn []request) error {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if f.cfg.Committed {
		req.IsolationLevel = 1
	}
	by := map[kmsgPartition]request{}
	for _, r := range turn {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.Timestamp = r.p.Partition, r.epoch, f.cfg.Begin
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = r.p.Topic
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != t.Topic {
			req.Topics = append(req.Topics, t)
		}
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, p)
		by[kmsgPartition{t.Topic, p.Partition}] = r
	}
	resp, err := req.RequestWith(ctx, l)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			r, ok := by[kmsgPartition{t.Topic, p.Partition}]
			if !ok {
				continue
			}
			delete(by, kmsgPartition{t.Topic, p.Partition})
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				f.failed(ctx, r, err)
				continue
			}
			if f.found(r.p, p.Offset); p.Offset < 0 {
				f.rest(r.p, backoff) // not for want of an error, but without an answer
			}
		}
	}
	f.unanswered(by)
	return nil
}

// unanswered keeps what an answer left out from being asked for again at once.
func (f *Fetcher) unanswered(by map[kmsgPartition]request) {
	for _, r := range by {
		f.rest(r.p, backoff)
	}
}

// kmsgPartition tells partitions of an answer apart.
type kmsgPartition struct {
	topic     string
	partition int32
}

func (f *Fetcher) found(p *part, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.ask = offset
	if offset >= 0 {
		p.skip(offset)
	}
}

// fetch asks for records.
func (f *Fetcher) fetch(ctx context.Context, l *link.Link, turn []request) error {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(f.cfg.MaxWait.Milliseconds()), f.cfg.MinBytes, f.cfg.MaxBytes
	req.SessionEpoch = -1
	if f.cfg.Committed {
		req.IsolationLevel = 1
	}
	by := map[kmsgPartition]request{}
	for _, r := range turn {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.PartitionMaxBytes = r.p.Partition, r.epoch, r.offset, f.cfg.PartitionMaxBytes
		t := kmsg.NewFetchRequestTopic()
		t.Topic = r.p.Topic
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != t.Topic {
			req.Topics = append(req.Topics, t)
		}
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, p)
		by[kmsgPartition{t.Topic, p.Partition}] = r
	}
	resp, err := req.RequestWith(ctx, l)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	got := false
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for k := range t.Partitions {
			if r, ok := by[kmsgPartition{t.Topic, t.Partitions[k].Partition}]; ok {
				delete(by, kmsgPartition{t.Topic, r.p.Partition})
				got = f.take(ctx, r, &t.Partitions[k]) || got
			}
		}
	}
	f.unanswered(by)
	if got {
		f.cfg.Ready()
	}
	return nil
}

// take takes in one partition's part of an answer; it reports whether there are
// records to take. Those before an error are good.
func (f *Fetcher) take(ctx context.Context, r request, p *kmsg.FetchResponseTopicPartition) bool {
	level := kgo.ReadUncommitted()
	if f.cfg.Committed {
		level = kgo.ReadCommitted()
	}
	opts := kgo.ProcessFetchPartitionOpts{Offset: r.offset, IsolationLevel: level, Topic: r.p.Topic, Partition: r.p.Partition}
	got, next := kgo.ProcessFetchPartition(opts, p, f.decompress, nil)
	f.mu.Lock()
	r.p.records, r.p.ask = got.Records, next
	if len(got.Records) == 0 && next > r.offset {
		r.p.skip(next)
	}
	f.mu.Unlock()
	if got.Err != nil {
		f.failed(ctx, r, got.Err)
	}
	return len(got.Records) > 0
}

// failed takes in an error of one partition.
func (f *Fetcher) failed(ctx context.Context, r request, err error) {
	attrs := []slog.Attr{slog.String("topic", r.p.Topic), slog.Int("partition", int(r.p.Partition)), slog.Int64("offset", r.offset), slog.Any("error", err)}
	var code *kerr.Error
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		f.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the log has no such offset, beginning anew", attrs...)
		f.found(r.p, -1)
	case errors.As(err, &code) && code.Retriable:
		f.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "partition cannot be read now", attrs...)
		f.rest(r.p, backoff)
		f.cfg.Picture.Refresh(r.p.Topic, r.p.Partition)
	default:
		f.cfg.Log.LogAttrs(ctx, slog.LevelError, "partition cannot be read", attrs...)
		f.rest(r.p, longBackoff)
		f.cfg.Report(fmt.Errorf("read %s-%d from offset %d: %w", r.p.Topic, r.p.Partition, r.offset, err))
	}
}
