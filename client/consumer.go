package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/fetch"
	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/client/internal/offset"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/client/internal/roster"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk/session"
)

// Errors of consumers, which Poll returns or Close.
var (
	// ErrRebalance says that a rebalance failed RebalanceRetries times in a row. It
	// is tried again.
	ErrRebalance = member.ErrFailed
	// ErrTaken says that another session has registered a member of the same name.
	// It is tried again.
	ErrTaken = member.ErrTaken
	// ErrSlow says that the application held records for longer than HandOverWithin
	// while others waited for their partitions: it may see them again, or another.
	ErrSlow = errors.New("the application did not come back in time for a rebalance")
	// ErrLost says that what was to be committed is of partitions that the consumer
	// gave up or lost meanwhile. Whoever owns them now reads from the last commit on.
	ErrLost = errors.New("the partitions are owned no more")
	// ErrFenced says that the ZooKeeper session may be over, so that a commit could
	// overwrite that of another member. If the session lives, a later one works.
	ErrFenced = errors.New("the zookeeper session may be over")
)

const (
	// maxFaults bounds what waits to be told by Poll: the newest matter.
	maxFaults = 16
	// maxEvents and maxJobs bound what waits for the consumer's goroutines. One
	// question is on its way at a time, so a few are all there can be.
	maxEvents, maxJobs = 64, 64
	// recheck is the pause before Poll looks again whether a silent ZooKeeper has
	// spoken.
	recheck = 100 * time.Millisecond
	// farewell is the least time that Close gives a member to leave in order.
	farewell = time.Second
	// marginShare is the part of the session timeout that is kept as a distance to
	// the session's end: enough for the application to finish with a record or two,
	// and little enough that a ping a third of the timeout away leaves half a
	// timeout for an answer.
	marginShare = 6
)

// GroupConsumer is a member of a group of consumers that find each other and share
// partitions through ZooKeeper, by the rules of Kafka's consumer of 0.8.2: members
// of both kinds can share a group.
//
// Poll is for one goroutine at a time; all else may be called from any.
type GroupConsumer struct {
	opts   consumerOptions
	group  string
	log    *slog.Logger
	conn   *coord.Conn
	sub    *coord.Subscription
	pict   *picture.Picture
	links  *link.Set
	roster roster.Roster
	kafka  offset.Store
	// margin is how long before the session may end delivery stops.
	margin time.Duration

	goroutines *run.Group
	inbox      *run.Inbox[member.Event]
	jobs       *run.Inbox[func()]
	// ready gets a token when Poll should look again, idle when the application
	// came back from what Poll gave it.
	ready, idle chan struct{}
	// gone is closed when the consumer has left its group.
	gone chan struct{}
	// turn holds a token while nobody commits; see tenure.stored.
	turn chan struct{}

	// The loop's own.
	machine *member.Machine
	timer   env.Timer
	abort   context.CancelCauseFunc
	left    bool

	mu struct {
		sync.Mutex
		// session is the newest.
		session *session.Session
		// tenure is that of the partitions that are owned, nil without.
		tenure *tenure
		// owned is what Assignment tells.
		owned map[string][]int32
		// from is the tenure of what Poll returned last.
		from *tenure
		// open says that records may be delivered, round counts Starts and Stops.
		open  bool
		round int
		// busy says that the application works on what Poll gave it.
		busy   bool
		faults []error
		closed bool
	}
}

// tenure is the time between an assignment and its end.
type tenure struct {
	// session is that in which the partitions are owned.
	session *session.Session
	// fetcher reads them, or did until they are to be given up.
	fetcher *fetch.Fetcher
	// stored are the offsets as they were read or committed last. Who has the turn
	// to commit uses it.
	stored map[offset.Partition]int64
	// aliases are the names in the form of Kafka 0.7 that the partitions have.
	aliases map[offset.Partition]string
	// over ends with the tenure, and with it a commit that is under way.
	over context.Context
	end  context.CancelCauseFunc
	// given says that records were given up that the application still worked on.
	// GroupConsumer.mu guards it.
	given bool
}

// halt ends fetching, without waiting for what is under way.
func (t *tenure) halt() {
	if t != nil {
		t.fetcher.Halt()
	}
}

// wait waits until nothing is fetched any more.
func (t *tenure) wait() {
	if t != nil {
		t.fetcher.Wait()
	}
}

// NewGroupConsumer connects to ZooKeeper ("host:port,host:port/chroot") and begins
// to join a group; partitions come later, see OnAssigned. ctx bounds the
// connecting alone.
func NewGroupConsumer(ctx context.Context, zookeeper, group string, opts ...ConsumerOption) (*GroupConsumer, error) {
	o := consumerDefaults()
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("consumer of group %s: option %d is nil", group, i)
		}
		opt.consumer(&o)
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := &GroupConsumer{
		opts: o, group: group, log: o.log.With("group", group, "member", o.id), goroutines: run.NewGroup(context.WithoutCancel(ctx)),
		roster: roster.Roster{Group: group, ID: o.id, Subscription: o.subscription, OldNames: o.oldNames},
		inbox:  run.NewInbox[member.Event](maxEvents), jobs: run.NewInbox[func()](maxJobs),
		ready: make(chan struct{}, 1), idle: make(chan struct{}, 1), gone: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	c.turn <- struct{}{}
	if err := c.roster.Check(); err != nil {
		return nil, err
	}
	if err := c.connect(ctx, zookeeper); err != nil {
		return nil, fmt.Errorf("consumer of group %s: %w", group, err)
	}
	c.goroutines.Go("group consumer", c.live)
	c.goroutines.Go("group consumer jobs", c.work)
	if o.autoCommit > 0 {
		c.goroutines.Go("group consumer commits", c.autoCommit)
	}
	return c, nil
}

// connect makes what the consumer stands on.
func (c *GroupConsumer) connect(ctx context.Context, zookeeper string) (err error) {
	if c.conn, err = c.opts.dialZooKeeper(ctx, zookeeper); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = c.conn.Close(ctx) // what matters is why
		}
	}()
	s, err := c.conn.Session()
	if err != nil {
		return err
	}
	if c.pict, err = picture.New(ctx, c.conn, c.log, c.opts.env); err != nil {
		return err
	}
	c.links = link.NewSet(c.opts.brokers(-1))
	c.kafka = offset.Kafka(c.links, c.group, c.brokerAddrs, c.opts.env)
	c.sub = c.conn.Subscribe()
	c.roster.Watch = c.sub
	c.margin = s.Timeout() / marginShare
	c.machine = member.New(member.Config{
		ID: c.opts.id, Strategy: c.opts.strategy, Retries: c.opts.retries, Backoff: c.opts.backoff, Expiry: s.Timeout(), Margin: c.margin,
	})
	c.timer = c.opts.env.Clock.NewTimer(time.Hour)
	return nil
}

// addr returns where a broker listens.
func (c *GroupConsumer) addr(b *picture.Broker) (string, error) {
	return b.Addr(c.opts.protocol(), c.opts.listener)
}

// brokerAddrs returns where all brokers listen.
func (c *GroupConsumer) brokerAddrs() []string {
	var out []string
	for _, b := range c.pict.Load().Brokers {
		if addr, err := c.addr(b); err == nil {
			out = append(out, addr)
		}
	}
	return out
}

// Poll waits for records and returns some, those of a partition in order. Calling
// it says that the application is done with what the last call returned. It never
// returns a record of a partition that the consumer no longer owns, nor one at a
// time at which it cannot be sure to. The error is ErrClosed, why ctx ended, or
// trouble in the group or with a partition, after which Poll can go on: what can
// heal is tried again.
func (c *GroupConsumer) Poll(ctx context.Context) ([]*Record, error) {
	c.back()
	for {
		records, err := c.next()
		if err != nil || len(records) > 0 {
			return records, err
		}
		select {
		case <-c.ready:
		case <-c.gone:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// back notes that the application is done with what it was given.
func (c *GroupConsumer) back() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.busy = false
	if c.mu.tenure != nil {
		c.mu.tenure.fetcher.Settle()
	}
	run.Hint(c.idle)
}

// forget gives up what the application still works on: nobody says any more that
// it is done with that.
func (c *GroupConsumer) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.busy && c.mu.tenure != nil {
		c.mu.tenure.given = true
		c.mu.tenure.fetcher.Forget()
	}
}

// next returns what can be delivered now, if anything.
func (c *GroupConsumer) next() ([]*Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil, ErrClosed
	}
	if len(c.mu.faults) > 0 {
		err := c.mu.faults[0]
		c.mu.faults = c.mu.faults[1:]
		return nil, err
	}
	if !c.mu.open {
		return nil, nil
	}
	if clock := c.opts.env.Clock; !clock.Now().Before(c.mu.tenure.session.AliveUntil().Add(-c.margin)) {
		clock.AfterFunc(recheck, func() { run.Hint(c.ready) })
		return nil, nil
	}
	taken := c.mu.tenure.fetcher.Take(c.opts.pollRecords)
	if c.mu.busy = len(taken) > 0; c.mu.busy {
		c.mu.from = c.mu.tenure
	}
	return records(taken), nil
}

// records turns franz-go's records into ours.
func records(taken []*kgo.Record) []*Record {
	if len(taken) == 0 {
		return nil
	}
	slab, out := make([]Record, len(taken)), make([]*Record, len(taken))
	for i, r := range taken {
		slab[i] = Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
			Timestamp: r.Timestamp, LeaderEpoch: r.LeaderEpoch,
		}
		for _, h := range r.Headers {
			slab[i].Headers = append(slab[i].Headers, Header(h))
		}
		out[i] = &slab[i]
	}
	return out
}

// Assignment returns the partitions that the consumer owns and reads now, by topic.
func (c *GroupConsumer) Assignment() map[string][]int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string][]int32, len(c.mu.owned))
	for topic, partitions := range c.mu.owned {
		out[topic] = append([]int32(nil), partitions...)
	}
	return out
}

// Close leaves the group: with AutoCommit it commits all that Poll returned, then
// it gives up its partitions, deletes its node and ends its session. When ctx ends
// before, the rest ends with the session's timeout; so it does when ZooKeeper stays
// out of reach until the session may be over. With a ctx that has ended already
// what the last Poll returned counts as not done. It must not be called from a
// callback.
func (c *GroupConsumer) Close(ctx context.Context) error {
	if !c.closing() {
		select {
		case <-c.gone:
		case <-ctx.Done():
		}
		return nil
	}
	if ctx.Err() == nil {
		c.back()
	} else {
		c.forget()
	}
	err := c.inbox.TryPut(member.Leave{})
	if err == nil {
		err = c.parted(ctx)
	}
	c.goroutines.Stop()
	t := c.endTenure()
	t.halt()
	t.wait()
	err = errors.Join(err, c.goroutines.Wait(), c.trouble(), c.conn.Close(ctx))
	c.pict.Close()
	c.links.Close()
	c.timer.Stop()
	if err != nil {
		return fmt.Errorf("close consumer of group %s: %w", c.group, err)
	}
	return nil
}

// parted waits until the consumer has left its group, ctx ends, or the session may
// be over without a word from ZooKeeper: there is nothing left to be done in order
// then.
func (c *GroupConsumer) parted(ctx context.Context) error {
	clock := c.opts.env.Clock
	timer := clock.NewTimer(farewell)
	defer timer.Stop()
	for {
		select {
		case <-c.gone:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C():
		}
		until := c.conn.AliveUntil()
		left := until.Sub(clock.Now())
		if !until.IsZero() && left <= 0 {
			return fmt.Errorf("zookeeper is out of reach, what is left ends with the session: %w", ErrFenced)
		}
		timer.Reset(max(left, farewell))
	}
}

// closing notes that Close was called; it reports false when it was before.
func (c *GroupConsumer) closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.mu.closed
	c.mu.closed = true
	c.mu.faults = nil
	run.Hint(c.ready)
	return first
}

// trouble returns what went wrong since Close was called.
func (c *GroupConsumer) trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.mu.faults...)
}

// endTenure ends a commit that is under way, and the tenure with it. Its fetcher,
// which is returned with it, is its caller's to stop.
func (c *GroupConsumer) endTenure() *tenure {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.mu.tenure
	c.mu.tenure, c.mu.open, c.mu.owned = nil, false, nil
	c.mu.round++
	if t != nil {
		t.end(ErrLost)
	}
	return t
}
