package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/storage"
)

// moveChunk is how many bytes of a log are copied at a time, as much as a
// follower fetches of a partition (replica.fetch.max.bytes by default).
const moveChunk = 1 << 20

// copier fills the copies of one directory, one after the other.
type copier struct {
	m   *Manager
	dir *storage.Dir
	// moving is the move in work: it is finished before another is begun, so
	// that as few as possible are under way.
	moving *move
	part   *Partition // whose replica it is
	buf    []byte
	rolled bool // a segment of the copy is to be flushed
}

// moveLoop is the goroutine of a copier.
func (m *Manager) moveLoop(d *storage.Dir) func(context.Context) error {
	c := copier{m: m, dir: d}
	return func(ctx context.Context) error {
		timer := m.env.Clock.NewTimer(time.Hour)
		defer timer.Stop()
		for ctx.Err() == nil {
			wait := c.choose()
			if wait == 0 {
				c.work()
				continue
			}
			timer.Reset(wait)
			select {
			case <-m.moves.ready[d]:
			case <-timer.C():
			case <-ctx.Done():
			}
		}
		return context.Cause(ctx)
	}
}

// choose picks the move to work on, by name unless one is in work. It returns
// how long to wait when there is none, or the throttle says so.
func (c *copier) choose() time.Duration {
	now := c.m.env.Clock.Now()
	was, wait := c.moving, time.Hour
	c.moving, c.part = nil, nil
	for _, mv := range c.m.moves.list() {
		if mv.copy.Dir() != c.dir || mv.copy.Dir().Failed() != nil {
			continue
		}
		p := c.m.moves.partition(mv)
		if p == nil || p.log().Dir().Failed() != nil {
			continue
		}
		if d := mv.after.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		if c.moving == nil || mv == was {
			c.moving, c.part = mv, p
		}
	}
	if c.moving == nil {
		c.buf = nil
		return wait
	}
	if t := c.m.cfg.Moves.Throttle; t != nil {
		return min(t.Wait(now), c.m.cfg.Moves.Backoff)
	}
	return 0
}

// work copies one piece, and puts the copy in the log's place when it is level.
func (c *copier) work() {
	mv := c.moving
	from, to := c.part.log(), mv.copy
	cut, err := agree(from, to)
	if cut {
		// Recovery must not trust a point above what is written from now on.
		_ = c.m.writeCheckpoints(c.dir, storage.RecoveryPoints, storage.LogStarts) // it has told the log
	}
	n := 0
	if err == nil {
		n, err = c.piece(from, to)
	}
	if c.rolled {
		c.rolled = false
		c.m.flushSoon(to)
	}
	if err == nil && n == 0 {
		err = c.finish(mv)
	}
	// The log may have lost what was to be read next, at either end.
	_, moved := errors.AsType[*storage.OffsetError](err)
	if err == nil || moved || errors.Is(err, storage.ErrBehind) {
		mv.told = ""
		return
	}
	mv.after = c.m.env.Clock.Now().Add(c.m.cfg.Moves.Backoff)
	if text := err.Error(); text != mv.told {
		mv.told = text
		c.m.moveFailed(to, err)
	}
}

// moveFailed tells of an error at a copy, and takes failed directories offline.
// A log that was closed was deleted, or the broker stops.
func (m *Manager) moveFailed(l *storage.Log, err error) {
	if err != nil && !errors.Is(err, storage.ErrClosed) {
		m.log.Error("cannot move a replica", "partition", l.Partition().String(), "dir", l.Dir().Path(), "error", m.observe(err))
	}
}

// piece copies some batches and returns their size, 0 when the copy is level.
func (c *copier) piece(from, to *storage.Log) (int, error) {
	if start := from.StartOffset(); to.EndOffset() < start {
		if err := to.TruncateFullyAndStartAt(start, start); err != nil {
			return 0, err
		}
	}
	end := from.EndOffset()
	if to.EndOffset() >= end {
		return 0, level(from, to)
	}
	span, err := from.Read(to.EndOffset(), end, moveChunk, true)
	if err != nil {
		return 0, err
	}
	if c.buf == nil {
		c.buf = make([]byte, 0, moveChunk)
	}
	c.buf, err = span.AppendTo(c.buf[:0])
	span.Release()
	if err != nil {
		return 0, err
	}
	return c.put(from, to, end)
}

// put appends what was read to the copy.
func (c *copier) put(from, to *storage.Log, end int64) (int, error) {
	batches := storage.Whole(c.buf)
	if len(batches) == 0 {
		if to.Size() > 0 {
			return 0, fmt.Errorf("nothing can be read at offset %d of %d", to.EndOffset(), end)
		}
		// No record is left below the end of the log.
		return 0, to.TruncateFullyAndStartAt(end, from.StartOffset())
	}
	info, err := to.AppendFollower(batches)
	if gap, ok := errors.AsType[*storage.OrderError](err); ok && to.Size() == 0 {
		// The log starts inside of a batch.
		if err = to.TruncateFullyAndStartAt(gap.First, gap.First); err == nil {
			info, err = to.AppendFollower(batches)
		}
	}
	if err != nil {
		return 0, err
	}
	c.rolled = c.rolled || info.Rolled
	if t := c.m.cfg.Moves.Throttle; t != nil {
		t.Record(c.m.env.Clock.Now(), len(batches))
	}
	return len(batches), level(from, to)
}

// level brings watermark and start of a copy up to those of its log.
func level(from, to *storage.Log) error {
	high := to.SetHighWatermark(from.HighWatermark())
	if start := from.StartOffset(); start <= high {
		return to.RaiseStart(start)
	}
	return nil
}

// agree cuts a copy off where its history leaves that of its log, which may have
// been truncated meanwhile, or while this broker was down.
func agree(from, to *storage.Log) (cut bool, err error) {
	if at, ok := from.TakeCut(); ok && at < to.EndOffset() {
		if cut, err = to.TruncateTo(at); err != nil {
			return cut, err
		}
	}
	shared, err := sharedEnd(from, to)
	if err != nil || shared >= to.EndOffset() {
		return cut, err
	}
	more, err := to.TruncateTo(shared)
	return cut || more, err
}

// sharedEnd is the offset up to which both logs hold the same batches, by their
// leader epochs: the end of the newest epoch that both know, in whichever it
// ends earlier.
func sharedEnd(from, to *storage.Log) (int64, error) {
	ends := min(from.EndOffset(), to.EndOffset())
	mine, ok, err := to.LatestEpoch()
	if err != nil || !ok {
		return ends, err
	}
	theirs, ok, err := from.LatestEpoch()
	if err != nil || !ok {
		return ends, err
	}
	for asked := min(mine.Epoch, theirs.Epoch); ; {
		a, aEnd, err := from.EndOffsetForEpoch(asked)
		if err != nil {
			return 0, err
		}
		b, bEnd, err := to.EndOffsetForEpoch(asked)
		switch {
		case err != nil:
			return 0, err
		case a == b:
			return min(aEnd, bEnd), nil
		case a < 0 || b < 0:
			return 0, nil
		}
		asked = min(a, b)
	}
}
