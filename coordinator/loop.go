package coordinator

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// loop owns the shards of some partitions. Everything in it but box belongs to
// its goroutine.
type loop struct {
	cfg     Config
	logs    Appender
	loads   *loadQueue
	clock   env.Clock
	log     *slog.Logger
	box     *mailbox
	shards  map[int32]*shard
	epochs  map[int32]int32 // newest leader epoch seen of a partition
	timers  timers
	lives   uint64
	builder record.Builder
}

func newLoop(cfg Config, logs Appender, loads *loadQueue, clock env.Clock, log *slog.Logger) *loop {
	return &loop{
		cfg: cfg, logs: logs, loads: loads, clock: clock, log: log, box: newMailbox(),
		shards: map[int32]*shard{}, epochs: map[int32]int32{}, timers: newTimers(),
	}
}

// idle is how long a loop without deadlines sleeps; a message wakes it.
const idle = time.Hour

func (l *loop) run(ctx context.Context) error {
	wake := l.clock.NewTimer(idle)
	defer wake.Stop()
	var messages []message
	for {
		select {
		case <-l.box.ready:
		case <-wake.C():
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			l.stop()
			return context.Cause(ctx)
		}
		messages = l.box.drain(messages[:0])
		for i, m := range messages {
			messages[i] = nil
			l.handle(m)
		}
		for {
			key, ok := l.timers.pop(l.clock.Now())
			if !ok {
				break
			}
			l.fire(key)
		}
		sleep := idle
		if at, ok := l.timers.next(); ok {
			sleep = at.Sub(l.clock.Now())
		}
		wake.Reset(max(sleep, 0))
	}
}

// stop answers all who wait.
func (l *loop) stop() {
	left := l.box.close()
	for _, p := range slices.Sorted(maps.Keys(l.shards)) {
		l.unload(l.shards[p])
	}
	for _, m := range left {
		switch m := m.(type) {
		case request:
			m.done(group.Refuse(m.event, wire.CodeCoordinatorNotAvailable))
		case listing:
			m.done(group.ListReply{Code: wire.CodeCoordinatorNotAvailable})
		}
	}
}

func (l *loop) handle(m message) {
	switch m := m.(type) {
	case request:
		l.request(m)
	case listing:
		m.done(l.list(m.event))
	case lead:
		l.lead(m.partition, m.epoch)
	case resign:
		l.resign(m.partition, m.epoch)
	case appended:
		if s := l.shards[m.partition]; s != nil && s.life == m.life {
			l.step(s, m.result)
		}
	case loadEnd:
		l.loaded(m)
	case deletion:
		for _, p := range slices.Sorted(maps.Keys(l.shards)) {
			l.later(l.shards[p], m.event)
		}
	default:
		must.Bug("unknown message %T", m)
	}
}

// request steps a loaded shard, or says why there is none.
func (l *loop) request(r request) {
	s := l.shards[r.partition]
	_, marker := r.event.(group.TxnEnd)
	switch {
	case s == nil:
		code := wire.CodeNotCoordinator
		if marker {
			code = wire.CodeNone
		}
		r.done(group.Refuse(r.event, code))
	case s.machine == nil && !marker:
		r.done(group.Refuse(r.event, wire.CodeCoordinatorLoadInProgress))
	default:
		s.waiting[r.ticket] = r.done
		l.later(s, r.event)
	}
}

// later steps a shard now, or when it is loaded: what it reads may lie before
// or behind this event, which is harmless to apply twice but not to miss.
func (l *loop) later(s *shard, e group.Event) {
	if s.machine == nil {
		s.deferred = append(s.deferred, e)
		return
	}
	l.step(s, e)
}

func (l *loop) list(e group.List) group.ListReply {
	var all group.ListReply
	for _, p := range slices.Sorted(maps.Keys(l.shards)) {
		s := l.shards[p]
		if s.machine == nil {
			all.Code = wire.CodeCoordinatorLoadInProgress
			continue
		}
		fx := s.machine.Step(l.clock.Now(), e)
		all.Groups = append(all.Groups, fx.Replies[0].Body.(group.ListReply).Groups...)
	}
	return all
}

func (l *loop) fire(key timerKey) {
	s := l.shards[key.partition]
	if s == nil {
		return // left from a leadership that ended
	}
	switch {
	case key.kind == timerLoad && s.machine == nil:
		l.load(s)
	case key.kind == timerScan && s.machine != nil:
		l.timers.set(key, l.clock.Now().Add(l.cfg.RetentionCheck))
		l.step(s, group.Expire{})
	case key.kind == timerTick && s.machine != nil:
		l.step(s, group.Tick{Group: key.group})
	}
}

// step runs the machine and carries out what it wants, in order.
func (l *loop) step(s *shard, e group.Event) {
	fx := s.machine.Step(l.clock.Now(), e)
	for _, w := range fx.Writes {
		l.append(s, w)
	}
	for _, r := range fx.Replies {
		done := s.waiting[r.Ticket]
		must.Hold(done != nil, "a ticket is answered once")
		delete(s.waiting, r.Ticket)
		done(r.Body)
	}
	for _, w := range fx.Wakes {
		l.timers.set(timerKey{timerTick, s.partition, w.Group}, w.At)
	}
	for _, n := range fx.Notes {
		l.log.LogAttrs(context.Background(), slog.LevelInfo, n.Text,
			slog.String("group", n.Group), slog.Int("partition", int(s.partition)))
	}
}

// append builds and appends a batch of the machine.
func (l *loop) append(s *shard, w group.Write) {
	partition, life, id := s.partition, s.life, w.ID
	done := func(base int64, code wire.Code) {
		l.box.post(appended{partition, life, group.WriteDone{ID: id, Base: base, Code: code}})
	}
	batch, err := l.build(w)
	if err != nil {
		l.log.LogAttrs(context.Background(), slog.LevelError, "building a batch of group records",
			slog.Int("partition", int(partition)), slog.Any("error", err))
		done(-1, wire.CodeRecordListTooLarge)
		return
	}
	l.logs.Append(partition, s.epoch, batch, done)
}

func (l *loop) build(w group.Write) ([]byte, error) {
	l.builder.Reset(record.Spec{
		Codec: l.cfg.Codec, Level: record.DefaultLevel,
		HasProducer: w.ProducerID >= 0 || w.BaseSequence >= 0,
		ProducerID:  w.ProducerID, ProducerEpoch: w.ProducerEpoch, BaseSequence: w.BaseSequence,
		Transactional: w.ProducerID >= 0,
	})
	for _, r := range w.Records {
		l.builder.Append(w.Timestamp, r.Key, r.Value)
	}
	b, err := l.builder.Build()
	return slices.Clone(b), err // the builder keeps its buffer, the log gets its own
}
