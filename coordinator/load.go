package coordinator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/record"
)

// loadJob is a partition to be read into a machine.
type loadJob struct {
	ctx       context.Context // ends when the leadership does
	cfg       Config
	logs      Appender
	log       *slog.Logger
	clock     env.Clock
	partition int32
	life      uint64
	box       *mailbox // where the machine goes
}

// loadQueue hands jobs to the loaders. It holds one job per partition at most.
type loadQueue struct {
	mu struct {
		sync.Mutex
		jobs []loadJob
	}
	ready chan struct{} // holds at most one token
}

func newLoadQueue() *loadQueue { return &loadQueue{ready: make(chan struct{}, 1)} }

// add queues a job in place of any older one of its partition.
func (q *loadQueue) add(j loadJob) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.jobs = slices.DeleteFunc(q.mu.jobs, func(o loadJob) bool { return o.partition == j.partition })
	q.mu.jobs = append(q.mu.jobs, j)
	run.Hint(q.ready)
}

func (q *loadQueue) take() (j loadJob, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.jobs) == 0 {
		return loadJob{}, false
	}
	j = q.mu.jobs[0]
	q.mu.jobs = slices.Delete(q.mu.jobs, 0, 1)
	if len(q.mu.jobs) > 0 {
		run.Hint(q.ready) // for another loader
	}
	return j, true
}

// run is one loader.
func (q *loadQueue) run(ctx context.Context) error {
	var buf []byte
	for {
		select {
		case <-q.ready:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for ctx.Err() == nil {
			j, ok := q.take()
			if !ok {
				break
			}
			if j.ctx.Err() == nil {
				buf = j.run(ctx, buf)
			}
		}
		buf = nil // leaderships come in bursts, with long times between
	}
}

// firstRead is how much of a partition is asked for at first. Most hold little,
// so the configured buffer is reached by doubling, where there is more.
const firstRead = 64 << 10

func (j *loadJob) run(ctx context.Context, buf []byte) []byte {
	began := j.clock.Now()
	ld := loading{machine: group.New(j.cfg.Group), log: j.log.With(slog.Int("partition", int(j.partition)))}
	size, offset, err := min(firstRead, j.cfg.LoadBuffer), int64(0), error(nil)
	for err == nil && ctx.Err() == nil && j.ctx.Err() == nil {
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		var entries []byte
		if entries, err = j.logs.Read(j.partition, offset, buf[:size]); err != nil {
			err = fmt.Errorf("reading partition %d at offset %d: %w", j.partition, offset, err)
			break
		}
		if len(entries) == 0 {
			break
		}
		offset, err = ld.entries(entries, offset)
		if len(entries) > size/2 {
			size = min(2*size, j.cfg.LoadBuffer)
		}
	}
	if ctx.Err() != nil || j.ctx.Err() != nil {
		return buf
	}
	if err == nil { // the loop logs a failure, which may come again and again
		ld.tell(ctx, offset, j.clock.Now().Sub(began))
	}
	j.box.post(loadEnd{j.partition, j.life, ld.machine, err})
	return buf
}

// maxSkipNotes bounds the warnings about skipped records of one load.
const maxSkipNotes = 10

// loading replays a log into a machine.
type loading struct {
	machine *group.Machine
	log     *slog.Logger
	skipped int
	notes   []skipNote // the first that were skipped
	old     record.Builder
}

// skipNote says what was skipped.
type skipNote struct {
	offset int64
	err    error
}

// tell logs a load that came to the end of the log.
func (ld *loading) tell(ctx context.Context, end int64, took time.Duration) {
	for _, n := range ld.notes {
		ld.log.LogAttrs(ctx, slog.LevelWarn, "skipped while loading groups",
			slog.Int64("offset", n.offset), slog.Any("error", n.err))
	}
	groups, offsets := ld.machine.Counts()
	ld.log.LogAttrs(ctx, slog.LevelInfo, "read groups", slog.Int64("end", end), slog.Int("groups", groups),
		slog.Int("offsets", offsets), slog.Int("skipped", ld.skipped), slog.Duration("took", took))
}

// entries replays whole entries of the log and returns the offset behind them.
func (ld *loading) entries(src []byte, offset int64) (next int64, err error) {
	for len(src) > 0 {
		b, rest, err := record.Next(src)
		if errors.Is(err, record.ErrOldFormat) {
			b, rest, err = ld.oldEntry(src)
		}
		if err != nil {
			return offset, fmt.Errorf("entry after offset %d: %w", offset, err)
		}
		if b.LastOffset() < offset-1 {
			return offset, fmt.Errorf("offset %d follows %d", b.LastOffset(), offset)
		}
		offset, src = b.LastOffset()+1, rest
		ld.batch(b)
	}
	return offset, nil
}

// oldEntry reads a message of format 0 or 1, as brokers before 0.11 wrote them
// and compaction may have kept them since.
func (ld *loading) oldEntry(src []byte) (record.Batch, []byte, error) {
	size, _, err := record.Peek(src)
	if err == nil && size > len(src) {
		err = record.ErrShort
	}
	if err != nil {
		return nil, src, err
	}
	anyTime := &record.Rules{MaxBeforeMs: math.MaxInt64, MaxAfterMs: math.MaxInt64}
	b, _, err := record.Upconvert(&ld.old, src[:size], record.Target{}, anyTime)
	if err != nil {
		return nil, src, err
	}
	// An entry bears the offset of its last message.
	b.SetBaseOffset(int64(binary.BigEndian.Uint64(src)) - int64(b.LastOffsetDelta()))
	return b, src[size:], nil
}

// batch replays one batch. What cannot be understood is skipped: one strange
// record must not take all groups of a partition away.
func (ld *loading) batch(b record.Batch) {
	if b.IsControl() {
		t, err := b.ControlType()
		if err != nil {
			ld.skip(b.BaseOffset(), err)
			return
		}
		ld.machine.ReplayMarker(b.ProducerID(), t == record.ControlCommit)
		return
	}
	producer := int64(-1)
	if b.IsTransactional() {
		producer = b.ProducerID()
	}
	at := int64(-1) // of the first record that compaction left
	for r, err := range b.Records() {
		if err != nil {
			ld.skip(b.BaseOffset(), err)
			return
		}
		if at < 0 {
			at = r.Offset
		}
		if err := ld.machine.Replay(at, producer, r.Key, r.Value); err != nil {
			ld.skip(r.Offset, err)
		}
	}
}

func (ld *loading) skip(offset int64, err error) {
	if ld.skipped++; ld.skipped <= maxSkipNotes {
		ld.notes = append(ld.notes, skipNote{offset, err})
	}
}
