package controller

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

const (
	// maxEvents bounds the queue. Watches fire once and brokers answer what was
	// asked, so only requests could fill it.
	maxEvents = 1 << 20
	// maxWaiting is how many events may wait before requests are turned away:
	// enough for every broker of the largest clusters to ask for several things.
	maxWaiting = 100_000
	// countInterval bounds how often the numbers of a Snapshot are counted.
	countInterval = time.Second
)

// Controller is this broker's controller. Methods are safe for concurrent use.
type Controller struct {
	cfg   Config
	env   env.Env
	log   *slog.Logger
	group *run.Group
	queue *run.Inbox[entry]

	// Owned by the goroutine "controller".
	state    *decide.State
	versions versions
	senders  map[int32]*sender
	timers   map[string]env.Timer // by decide.Kind
	refused  []decide.Refused
	counted  time.Time

	// counting says that the numbers will be counted: an entry without an event
	// is due, or in the queue.
	counting atomic.Bool
	// leader is who is controller as far as this broker knows.
	leader  atomic.Int32
	current atomic.Pointer[Snapshot]
	mu      struct {
		sync.Mutex
		zookeeper Zookeeper // nil between sessions
		tag       uint64
		waiting   map[uint64]func(decide.Answer)
		requests  map[int32]*run.Inbox[message] // those of senders
	}
}

// entry is one element of the queue: an event, or something to do in its place.
type entry struct {
	event decide.Event
	since time.Time
	// started is called when the entry's turn comes; may be nil.
	started func()
	// before runs first; an error drops the event. May be nil.
	before func(context.Context) error
}

// Snapshot is what metrics and the console show.
type Snapshot struct {
	decide.Numbers
	// ControllerID is who is controller, -1 when unknown; Epoch is this broker's
	// controller epoch, 0 unless active.
	ControllerID, Epoch int32
	// Queued is how many events wait.
	Queued int
	// Requests is how many requests wait for each broker, on the controller.
	Requests map[int32]int
	// Event is the kind of the event in work, empty between two, State the
	// number that Kafka's metric ControllerState shows for it; Since is when it
	// began.
	Event string
	State int8
	Since time.Time
}

// New returns a controller that waits for Start.
func New(cfg Config, e env.Env) *Controller {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Decide.NewTopicID == nil {
		cfg.Decide.NewTopicID = func() wire.UUID { return admin.NewTopicID(e.Rand) }
	}
	if cfg.StateLog != nil {
		cfg.Decide.Changed = func(c decide.Change) { logChange(cfg.StateLog, c) }
	}
	cfg.Decide.FeatureVersion = featureVersion(cfg.Protocol)
	cfg.Decide.LeaderRecovery = cfg.Protocol.AtLeast("3.2-IV0")
	c := &Controller{
		cfg: cfg, env: e, log: cfg.Log, queue: run.NewInbox[entry](maxEvents),
		state: decide.New(cfg.Decide), versions: versionsOf(cfg.Protocol), senders: map[int32]*sender{}, timers: map[string]env.Timer{},
	}
	c.leader.Store(-1)
	c.mu.waiting = map[uint64]func(decide.Answer){}
	c.mu.requests = map[int32]*run.Inbox[message]{}
	c.current.Store(&Snapshot{ControllerID: -1})
	return c
}

// Start begins to campaign over a session. The broker must be registered. The
// caller hands every event of the session to HandleWatch, and its end to
// SessionExpired.
func (c *Controller) Start(ctx context.Context, z Zookeeper) {
	c.group = run.NewGroup(ctx)
	c.setSession(z)
	c.put(entry{event: decide.Startup{}})
	c.group.Go("controller", c.loop)
}

// Stop resigns, ends all goroutines and answers what still waits. The event in
// work may end first, until ctx does. The session is the caller's to close: that
// is what frees /controller.
func (c *Controller) Stop(ctx context.Context) error {
	if c.group == nil {
		return nil
	}
	started := make(chan struct{})
	c.preempt()
	c.put(entry{event: decide.Shutdown{}, started: func() { close(started) }})
	c.queue.Close()
	select {
	case <-started:
	case <-c.group.Context().Done():
	case <-ctx.Done():
	}
	c.group.Stop()
	err := c.group.Wait()
	c.preempt()
	return err
}

// HandleWatch takes a fired watch; events that mean nothing to a controller are
// dropped. It does not block.
func (c *Controller) HandleWatch(ev zk.Event) {
	if e, ok := decide.FromWatch(ev); ok {
		c.put(entry{event: e})
	}
}

// SessionExpired drops all that is queued and resigns. It returns when the event
// in work is done, so that no request of the old session runs on; no znode can
// be written from then until SessionRenewed.
func (c *Controller) SessionExpired(ctx context.Context) error {
	c.setSession(nil)
	started := make(chan struct{})
	c.preempt()
	c.put(entry{event: decide.Expire{}, started: func() { close(started) }})
	select {
	case <-started:
		return nil
	case <-c.group.Context().Done():
		return context.Cause(c.group.Context())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// SessionRenewed takes a new session. register registers the broker again; then
// the controller campaigns.
func (c *Controller) SessionRenewed(z Zookeeper, register func(context.Context) error) {
	c.put(entry{event: decide.Reelect{}, before: func(ctx context.Context) error {
		c.setSession(z)
		return register(ctx)
	}})
}

// UncleanDefault tells of a changed unclean.leader.election.enable of the broker.
func (c *Controller) UncleanDefault(enabled bool) {
	c.put(entry{event: decide.UncleanDefault{Enabled: enabled}})
}

// UncleanTopic tells that a topic's configuration now allows unclean elections.
func (c *Controller) UncleanTopic(topic string) {
	c.put(entry{event: decide.UncleanTopic{Topic: topic}})
}

// ID returns who is controller as far as this broker's watch on /controller
// tells, -1 when unknown.
func (c *Controller) ID() int32 { return c.leader.Load() }

// Active reports whether this broker is the controller.
func (c *Controller) Active() bool { return c.ID() == c.cfg.Decide.BrokerID }

// Snapshot returns the numbers as of the last event, and the lengths of the
// queues now.
func (c *Controller) Snapshot() Snapshot {
	s := *c.current.Load()
	s.Queued, s.Requests = c.queue.Len(), map[int32]int{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, q := range c.mu.requests {
		s.Requests[id] = q.Len()
	}
	return s
}

func (c *Controller) put(e entry) {
	e.since = c.env.Clock.Now()
	if err := c.queue.TryPut(e); err != nil {
		c.drop(e)
	}
}

// preempt empties the queue.
func (c *Controller) preempt() {
	for _, e := range c.queue.Clear() {
		c.drop(e)
	}
}

// drop answers a request whose turn will not come.
func (c *Controller) drop(e entry) {
	if e.event == nil {
		c.counting.Store(false) // the next event counts
		return
	}
	if r, ok := decide.Preempt(e.event); ok {
		c.reply(r)
	}
	if e.started != nil {
		e.started()
	}
}

func (c *Controller) session() Zookeeper {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.zookeeper
}

func (c *Controller) setSession(z Zookeeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.zookeeper = z
}

// loop steps one event after the other.
func (c *Controller) loop(ctx context.Context) error {
	defer c.closeSenders()
	for {
		// One at a time: the others stay in the queue, where preempt finds them.
		e, err := c.queue.Get(ctx)
		if err != nil {
			return nil
		}
		if e.event == nil {
			c.count()
			continue
		}
		c.handle(ctx, e)
	}
}

func (c *Controller) handle(ctx context.Context, e entry) {
	if e.started != nil {
		e.started()
	}
	began := c.env.Clock.Now()
	c.publish(decide.Kind(e.event), decide.MetricState(e.event), began)
	if e.before != nil {
		if err := e.before(ctx); err != nil {
			c.log.LogAttrs(ctx, slog.LevelError, "controller event dropped", slog.String("event", decide.Kind(e.event)), slog.Any("error", err))
			c.drop(e)
			return
		}
	}
	c.refused = nil
	c.step(ctx, e.event)
	now := c.env.Clock.Now()
	c.publish("", 0, now)
	c.countSoon(now)
	if c.cfg.OnEvent != nil {
		c.cfg.OnEvent(Notice{Event: e.event, Took: now.Sub(began), Waited: began.Sub(e.since), Refused: c.refused})
	}
}

// publish shows what the goroutine is at; the numbers stay as they were counted.
func (c *Controller) publish(event string, state int8, since time.Time) {
	c.current.Store(&Snapshot{
		Numbers: c.current.Load().Numbers, ControllerID: c.leader.Load(), Epoch: c.state.Epoch(), Event: event, State: state, Since: since,
	})
}

// countSoon counts at once when that was not done lately, else in a while: the
// count walks over all partitions, which one event need not.
func (c *Controller) countSoon(now time.Time) {
	switch {
	case c.counting.Load():
	case now.Sub(c.counted) >= countInterval:
		c.count()
	default:
		c.counting.Store(true)
		c.env.Clock.AfterFunc(countInterval, func() { c.put(entry{}) })
	}
}

func (c *Controller) count() {
	c.counting.Store(false)
	c.counted = c.env.Clock.Now()
	s := *c.current.Load()
	s.Numbers, s.ControllerID, s.Epoch = c.state.Numbers(), c.leader.Load(), c.state.Epoch()
	c.current.Store(&s)
}

// step carries one event to its end.
func (c *Controller) step(ctx context.Context, ev decide.Event) {
	for ev != nil {
		effects := c.state.Step(c.env.Clock.Now(), ev)
		ev = nil
		for _, e := range effects {
			if z, ok := e.(decide.Znodes); ok {
				ev = decide.ZnodesDone{Results: c.znodes(ctx, z.Ops)}
				break
			}
			c.effect(ctx, e)
		}
	}
}
