package coordinator

import (
	"context"
	"log/slog"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
)

// shard is one partition that this broker leads; it belongs to its loop.
type shard struct {
	partition, epoch int32
	life             uint64         // tells results of an earlier leadership apart
	machine          *group.Machine // nil while it loads
	waiting          map[group.Ticket]func(group.Body)
	deferred         []group.Event // came while it loads
	stopLoad         context.CancelFunc
	pause            time.Duration // after the last failed load, 0 when none did
}

// lead begins to load a partition. A partition that was led in the epoch just
// before goes on as it is: nobody else can have led it in between.
func (l *loop) lead(partition, epoch int32) {
	seen, ok := l.epochs[partition]
	if ok && epoch < seen {
		return
	}
	l.epochs[partition] = epoch
	if s := l.shards[partition]; s != nil {
		if epoch-s.epoch <= 1 {
			s.epoch = epoch
			return
		}
		l.unload(s)
	}
	l.lives++
	s := &shard{partition: partition, epoch: epoch, life: l.lives, waiting: map[group.Ticket]func(group.Body){}}
	l.shards[partition] = s
	l.load(s)
}

// resign drops a partition, unless a newer leadership has begun.
func (l *loop) resign(partition, epoch int32) {
	seen, ok := l.epochs[partition]
	if ok && epoch >= 0 && epoch < seen {
		return
	}
	if epoch >= 0 {
		l.epochs[partition] = epoch
	}
	if s := l.shards[partition]; s != nil {
		l.unload(s)
	}
}

// unload answers all who wait and forgets the shard; what its appends still
// report is ignored.
func (l *loop) unload(s *shard) {
	delete(l.shards, s.partition)
	s.stopLoad()
	if s.machine == nil {
		// Only markers wait for a load to end; the next leader finds them.
		for _, e := range s.deferred {
			if t, ok := e.(group.TxnEnd); ok {
				s.waiting[t.Ticket](group.CodeReply{})
			}
		}
		return
	}
	groups, offsets := s.machine.Counts()
	l.step(s, group.Resign{})
	l.log.LogAttrs(context.Background(), slog.LevelInfo, "unloaded groups", slog.Int("partition", int(s.partition)),
		slog.Int("epoch", int(s.epoch)), slog.Int("groups", groups), slog.Int("offsets", offsets))
}

// load has a loader read the partition.
func (l *loop) load(s *shard) {
	if s.stopLoad != nil {
		s.stopLoad() // the load that failed
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stopLoad = stop
	l.loads.add(loadJob{
		ctx: ctx, cfg: l.cfg, logs: l.logs, log: l.log, clock: l.clock,
		partition: s.partition, life: s.life, box: l.box,
	})
}

// loaded takes over what a loader made.
func (l *loop) loaded(m loadEnd) {
	s := l.shards[m.partition]
	if s == nil || s.life != m.life {
		return
	}
	now := l.clock.Now()
	if m.err != nil {
		s.pause = min(max(2*s.pause, loadRetry), maxLoadRetry)
		l.log.LogAttrs(context.Background(), slog.LevelError, "loading groups",
			slog.Int("partition", int(s.partition)), slog.Any("error", m.err), slog.Duration("pause", s.pause))
		l.timers.set(timerKey{kind: timerLoad, partition: s.partition}, now.Add(s.pause))
		return
	}
	s.machine = m.machine
	l.step(s, group.Loaded{})
	deferred := s.deferred
	s.deferred = nil
	for _, e := range deferred {
		l.step(s, e)
	}
	l.timers.set(timerKey{kind: timerScan, partition: s.partition}, now.Add(l.cfg.RetentionCheck))
}
