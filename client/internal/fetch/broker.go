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

// errStuck is why a partition that has data gives no records: brokers cut off
// batches, but never the first.
var errStuck = errors.New("no whole batch in the answer")

// serve reads from one broker what it leads, a request at a time.
func (f *Fetcher) serve(ctx context.Context, broker int32, l *loop) error {
	timer := f.cfg.Env.Clock.NewTimer(longBackoff)
	defer timer.Stop()
	var quiet time.Time
	for {
		c := f.cfg.Picture.Load()
		t := f.turn(c, broker, quiet)
		if len(t.requests) > 0 {
			got := f.round(ctx, c.Brokers[broker], t)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if quiet = (time.Time{}); !got {
				quiet = f.cfg.Env.Clock.Now().Add(f.cfg.MaxWait)
			}
			continue
		}
		timer.Reset(t.pause)
		select {
		case <-l.wake:
		case <-timer.C():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round asks once; it reports whether records came. What gets no answer rests.
func (f *Fetcher) round(ctx context.Context, b *picture.Broker, t turn) (got bool) {
	defer f.release(t)
	left := t.pending()
	addr, err := f.cfg.Addr(b)
	var l *link.Link
	if err == nil {
		l, err = f.cfg.Links.To(addr)
	}
	if err == nil && t.unknown {
		err = f.find(ctx, l, t, left)
	} else if err == nil {
		got, err = f.fetch(ctx, l, t, left)
	}
	if err != nil && ctx.Err() == nil {
		f.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "fetch failed", slog.Int("broker", int(b.ID)), slog.Any("error", err))
	}
	for _, r := range left {
		f.rest(r.p, backoff)
	}
	return got
}

func (f *Fetcher) release(t turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range t.requests {
		r.p.busy = false
	}
	f.wakeLocked()
}

func (f *Fetcher) rest(p *part, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.retry = f.cfg.Env.Clock.Now().Add(d)
}

// isolation returns the isolation level of requests.
func (f *Fetcher) isolation() int8 {
	if f.cfg.Committed {
		return 1
	}
	return 0
}

// find asks for the offsets where partitions begin or end.
func (f *Fetcher) find(ctx context.Context, l *link.Link, t turn, left pending) error {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, f.isolation()
	for topic, requests := range t.topics() {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for _, r := range requests {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.Timestamp = r.p.Partition, r.epoch, f.cfg.Begin
			rt.Partitions = append(rt.Partitions, p)
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, l)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			r, ok := left.answer(t.Topic, p.Partition)
			if !ok {
				continue
			}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				f.failed(ctx, r, err)
				continue
			}
			if f.found(r.p, p.Offset); p.Offset < 0 {
				f.rest(r.p, backoff) // not for want of an error, but without an answer
			}
		}
	}
	return nil
}

func (f *Fetcher) found(p *part, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.ask = offset
	if offset >= 0 {
		p.skip(offset)
	}
}

// fetch asks for records; it reports whether some came.
func (f *Fetcher) fetch(ctx context.Context, l *link.Link, t turn, left pending) (got bool, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.IsolationLevel, req.SessionEpoch = f.cfg.MinBytes, f.cfg.MaxBytes, f.isolation(), -1
	req.MaxWaitMillis = int32((t.wait + time.Millisecond - 1).Milliseconds()) // rounded up: 0 is not to wait
	for topic, requests := range t.topics() {
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = topic
		for _, r := range requests {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.PartitionMaxBytes = r.p.Partition, r.epoch, r.offset, f.cfg.PartitionMaxBytes
			rt.Partitions = append(rt.Partitions, p)
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, l)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return false, err
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for k := range t.Partitions {
			if r, ok := left.answer(t.Topic, t.Partitions[k].Partition); ok {
				got = f.take(ctx, r, &t.Partitions[k]) || got
			}
		}
	}
	if got {
		f.cfg.Ready()
	}
	return got, nil
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
	if got.Err == nil && next == r.offset && len(p.RecordBatches) > 0 {
		got.Err = fmt.Errorf("%w: %d bytes", errStuck, len(p.RecordBatches))
	}
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
