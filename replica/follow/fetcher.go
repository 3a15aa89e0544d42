package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// fetcher copies partitions from one broker. All but what stands first belongs
// to its goroutine.
type fetcher struct {
	set    *Fetchers
	source source
	name   string
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // holds a token when there are orders
	// orders are what to do with each partition, nil to leave it; count is how
	// many are assigned. Both are guarded by Fetchers.mu.
	orders map[Partition]*assigned
	count  int

	log   *slog.Logger
	clock env.Clock

	peer    Peer // nil before the first request and after a failure
	address string
	look    bool // the broker may be at another address now
	failing bool // the last request failed
	// quiet is until when nothing is asked after a failure.
	quiet time.Time

	parts parts
	// truncating partitions wait for their logs to be cut, paused ones for their
	// time, oldest first. Both may hold partitions that went another way since.
	truncating, paused []*part
	held               int  // partitions over the quota
	cut                bool // a log was cut since Settle

	session session
	// Reused by every round.
	request  wire.FetchRequest
	response wire.FetchResponse
	buffer   []byte
	found    []*part
	lost     []*part // those out of the leader's range
}

// order is what to do with a partition.
type order struct {
	name Partition
	to   *assigned
}

func newFetcher(ctx context.Context, set *Fetchers, s source) *fetcher {
	t := &fetcher{set: set, source: s, clock: set.env.Clock, done: make(chan struct{}), wake: make(chan struct{}, 1), orders: map[Partition]*assigned{}}
	t.name = fmt.Sprintf("replica-fetcher-%d-%d", s.number, s.broker)
	t.log = set.log.With("source", s.broker, "fetcher", s.number)
	t.ctx, t.stop = context.WithCancel(ctx)
	t.parts = newParts()
	t.request.Reset()
	return t
}

// order tells the fetcher what to do with a partition; Fetchers.mu is held.
func (t *fetcher) order(name Partition, to *assigned) {
	t.orders[name] = to
	run.Hint(t.wake)
}

// run is the goroutine: it copies until the fetcher is stopped.
func (t *fetcher) run(context.Context) error {
	defer close(t.done)
	defer t.hangUp()
	for t.ctx.Err() == nil {
		t.obey()
		t.resume()
		t.truncateDue()
		t.throttle()
		switch wait, idle := t.idle(); {
		case idle:
			t.sleep(wait)
		case t.busy():
			t.fetch()
		}
	}
	return nil
}

// obey takes over what changed in the assignments.
func (t *fetcher) obey() {
	for _, o := range t.set.take(t) {
		t.look, t.quiet = true, time.Time{}
		switch old := t.parts.byName[o.name]; {
		case o.to != nil:
			t.admit(o.to, old)
		case old != nil:
			t.remove(old)
		}
	}
}

// forever is a wait that only orders end.
const forever time.Duration = -1

// busy reports that there is something to tell the leader.
func (t *fetcher) busy() bool { return t.parts.fetching > 0 || t.session.mustForget() }

// idle reports that there is nothing to ask, and for how long.
func (t *fetcher) idle() (time.Duration, bool) {
	now := t.clock.Now()
	if wait := t.quiet.Sub(now); wait > 0 {
		return wait, true
	}
	if t.busy() || len(t.truncating) > 0 {
		return 0, false
	}
	wait := forever
	if len(t.paused) > 0 {
		wait = max(t.paused[0].until.Sub(now), 0)
	}
	if t.held > 0 && (wait == forever || wait > t.set.cfg.Backoff) {
		wait = t.set.cfg.Backoff
	}
	return wait, true
}

// sleep waits for a time or for orders.
func (t *fetcher) sleep(d time.Duration) {
	var due <-chan time.Time
	if d != forever {
		timer := t.clock.NewTimer(d)
		defer timer.Stop()
		due = timer.C()
	}
	select {
	case <-due:
	case <-t.wake:
	case <-t.ctx.Done():
	}
}

// ask sends one request to the source, over a new connection if need be.
func (t *fetcher) ask(call *rpc.Call) error {
	err := t.connect()
	if err == nil {
		err = t.peer.Do(t.ctx, call)
	}
	switch {
	case t.ctx.Err() != nil:
		return context.Cause(t.ctx)
	case err == nil && t.failing:
		t.failing = false
		t.log.Info("source answers again", "address", t.address)
	case err != nil && !t.failing:
		t.failing = true
		t.log.Warn("source does not answer, trying again", "address", t.address, "error", err)
	}
	if t.look = err != nil; t.look {
		t.session.lost()
	}
	return err
}

// answerOf is ask for an answer of one type.
func answerOf[R wire.Body](t *fetcher, req wire.Body, version int16) (R, error) {
	call := rpc.Call{Request: req, Version: version}
	err := t.ask(&call)
	answer, ok := call.Response.(R)
	if err == nil && !ok {
		err = fmt.Errorf("source answered a %T to %v", call.Response, req.Key())
	}
	return answer, err
}

// connect makes a client of the source's address; one of an address where the
// source is no more is closed.
func (t *fetcher) connect() error {
	if t.peer != nil && !t.look {
		return nil
	}
	address, err := t.set.cfg.Address(t.source.broker)
	if err != nil {
		return err
	}
	if t.peer != nil && address == t.address {
		return nil
	}
	if t.peer != nil {
		t.session.lost()
		t.hangUp()
	}
	t.address = address
	t.peer = t.set.cfg.Dial(address, fmt.Sprintf("broker-%d-fetcher-%d", t.set.cfg.BrokerID, t.source.number))
	return nil
}

func (t *fetcher) hangUp() {
	if t.peer == nil {
		return
	}
	if err := t.peer.Close(); err != nil && !errors.Is(err, context.Canceled) {
		t.log.Debug("connection to the source ended with an error", "error", err)
	}
	t.peer = nil
}

// rest keeps the source quiet for a while after a request failed.
func (t *fetcher) rest() { t.quiet = t.clock.Now().Add(t.set.cfg.Backoff) }
