package client

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/fetch"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk/session"
)

// live is the goroutine that owns the machine: it hands it what happens and does
// at once what can be done at once. Whatever waits for others is a job.
func (c *GroupConsumer) live(ctx context.Context) error {
	defer close(c.gone)
	for !c.left {
		select {
		case <-c.sub.Ready():
			news, ok, err := c.sub.Take()
			if err != nil {
				return nil // the connection is closed
			}
			if ok {
				c.heard(news)
			}
		case <-c.inbox.Ready():
			for _, ev := range c.inbox.TryDrain(nil) {
				c.step(ev)
			}
		case <-c.timer.C():
			c.step(member.Tick{})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// heard turns what happened to the session and to watched paths into events.
func (c *GroupConsumer) heard(news coord.News) {
	switch {
	case news.Renewed:
		c.enter(news.Session)
		c.step(member.SessionStarted{})
	case news.Session == nil:
		c.step(member.SessionEnded{})
	case len(news.Paths) == 0:
		c.step(member.Tick{}) // the connection came or went
	}
	changed := false
	for _, path := range news.Paths {
		if p, ok := c.roster.Freed(path); ok {
			c.step(member.Freed{Partition: p})
			continue
		}
		changed = true
	}
	if changed {
		c.step(member.Changed{})
	}
}

// enter begins a session. The machine has forgotten the last one by then, so that
// nothing goes on in its name.
func (c *GroupConsumer) enter(s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.session = s
}

func (c *GroupConsumer) step(ev member.Event) {
	for _, e := range c.machine.Step(c.opts.env.Clock.Now(), c.conn.AliveUntil(), ev) {
		c.carryOut(e)
	}
}

// carryOut does what the machine says.
func (c *GroupConsumer) carryOut(e member.Effect) {
	ctx := c.goroutines.Context()
	switch e := e.(type) {
	case member.Register, member.Read, member.Commit, member.Release, member.Find, member.Claim, member.Drop, member.Unregister:
		c.ask(e)
	case member.Start:
		c.start(ctx, e.Shares)
	case member.Stop:
		c.stop()
	case member.Pause, member.Resume: // Poll looks at the clock itself
		_, paused := e.(member.Pause)
		c.log.LogAttrs(ctx, slog.LevelWarn, "delivery", slog.Bool("paused", paused))
		run.Hint(c.ready)
	case member.Lost:
		c.lose(e.Owned)
	case member.Abort:
		c.abort(context.Canceled)
	case member.Wake:
		c.timer.Stop()
		if !e.At.IsZero() {
			c.timer.Reset(e.At.Sub(c.opts.env.Clock.Now()))
		}
	case member.Failed:
		level := slog.LevelWarn
		if e.Contested {
			level = slog.LevelInfo
		}
		c.log.LogAttrs(ctx, level, "rebalance failed, it is tried again", slog.Any("error", e.Err))
	case member.Report:
		c.report(e.Err)
	case member.Gone:
		c.left = true
	}
}

// start begins to fetch, and to deliver once the application was told.
func (c *GroupConsumer) start(ctx context.Context, shares []member.Share) {
	cfg := fetch.Config{
		Links: c.links, Picture: c.pict, Addr: c.addr, MaxBytes: c.opts.maxBytes, PartitionMaxBytes: c.opts.partitionMaxBytes,
		MinBytes: c.opts.minBytes, MaxWait: c.opts.maxWait, Begin: int64(c.opts.begin), Committed: c.opts.committed,
		Env: c.opts.env, Log: c.log, Ready: func() { run.Hint(c.ready) }, Report: c.report,
	}
	parts := make([]fetch.Share, len(shares))
	claims := make([]assign.Claim, len(shares))
	stored := make(map[assign.TopicPartition]int64, len(shares))
	for i, s := range shares {
		parts[i], claims[i], stored[s.TopicPartition] = fetch.Share{TopicPartition: s.TopicPartition, Offset: s.Offset}, s.Claim, s.Offset
	}
	owned := byTopic(claims)
	for topic := range owned {
		c.pict.Ask(topic)
	}
	for topic := range c.pict.Load().Topics {
		if owned[topic] == nil {
			c.pict.Drop(topic)
		}
	}
	t := &tenure{fetcher: fetch.Start(ctx, cfg, parts), stored: stored, aliases: aliases(claims)}
	t.over, t.end = context.WithCancelCause(context.WithoutCancel(ctx))
	c.mu.Lock()
	t.session = c.mu.session
	c.mu.tenure, c.mu.owned, c.mu.busy = t, owned, false
	c.mu.round++
	round := c.mu.round
	c.mu.Unlock()
	c.log.LogAttrs(ctx, slog.LevelInfo, "partitions assigned", slog.Any("partitions", owned))
	c.job(func() {
		c.opts.onAssigned(ctx, owned)
		c.open(round)
	})
}

// open begins to deliver, unless what was started has been stopped since.
func (c *GroupConsumer) open(round int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.open = c.mu.round == round
	run.Hint(c.ready)
}

// stop ends delivery at once and fetching soon; the positions stay for a commit.
func (c *GroupConsumer) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.open, c.mu.owned = false, nil
	c.mu.round++
	c.mu.tenure.halt()
}

// lose forgets what went with the session.
func (c *GroupConsumer) lose(owned []assign.Claim) {
	t := c.endTenure()
	t.halt()
	ctx := c.goroutines.Context()
	c.log.LogAttrs(ctx, slog.LevelWarn, "partitions lost with the zookeeper session", slog.Any("partitions", byTopic(owned)))
	c.job(func() {
		t.wait()
		c.opts.onLost(ctx, byTopic(owned))
	})
}

// report keeps an error for Poll.
func (c *GroupConsumer) report(err error) {
	c.log.LogAttrs(c.goroutines.Context(), slog.LevelError, "trouble in the group", slog.Any("error", err))
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.faults) == maxFaults {
		c.mu.faults = c.mu.faults[1:]
	}
	c.mu.faults = append(c.mu.faults, err)
	run.Hint(c.ready)
}

// job puts something behind the jobs that wait.
func (c *GroupConsumer) job(f func()) {
	if err := c.jobs.TryPut(f); err != nil {
		must.Bug("%d jobs of a consumer wait: %v", maxJobs, err)
	}
}

// work is the goroutine that does the jobs, one after the other.
func (c *GroupConsumer) work(ctx context.Context) error {
	for {
		f, err := c.jobs.Get(ctx)
		if err != nil {
			return ctx.Err()
		}
		f()
	}
}

// ask makes a job of an effect that is answered.
func (c *GroupConsumer) ask(e member.Effect) {
	ctx, cancel := context.WithCancelCause(c.goroutines.Context())
	c.abort = cancel
	c.mu.Lock()
	s := c.mu.session
	c.mu.Unlock()
	c.job(func() {
		defer cancel(nil)
		if err := c.inbox.TryPut(c.perform(ctx, s, e)); err != nil {
			must.Bug("%d events of a consumer wait: %v", maxEvents, err)
		}
	})
}

// byTopic returns the numbers of partitions in order, by their topics.
func byTopic(claims []assign.Claim) map[string][]int32 {
	out := map[string][]int32{}
	for _, c := range claims {
		out[c.Topic] = append(out[c.Topic], c.Partition)
	}
	for _, partitions := range out {
		slices.Sort(partitions)
	}
	return out
}

// autoCommit is the goroutine that commits now and then.
func (c *GroupConsumer) autoCommit(ctx context.Context) error {
	for {
		if err := env.Sleep(ctx, c.opts.env.Clock, c.opts.autoCommit); err != nil {
			return ctx.Err()
		}
		within, cancel := context.WithTimeout(ctx, max(c.opts.autoCommit, time.Second))
		if err := c.commit(within); err != nil && ctx.Err() == nil {
			c.log.LogAttrs(ctx, slog.LevelWarn, "commit failed, the next one is due as ever", slog.Any("error", err))
		}
		cancel()
	}
}
