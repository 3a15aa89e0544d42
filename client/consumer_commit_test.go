package client

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/offset"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/znode"
)

// coordinator is offsets in Kafka whose broker may take its time.
type coordinator struct {
	mu struct {
		sync.Mutex
		stored map[offset.Partition]int64
		// held keeps commits waiting until it is closed, nil for no wait.
		held chan struct{}
		// running is how many commits are under way, most how many there were.
		running, most, commits int
	}
}

func newCoordinator() *coordinator {
	s := &coordinator{}
	s.mu.stored = map[offset.Partition]int64{}
	return s
}

// hold makes commits wait until let is called.
func (s *coordinator) hold() (let func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.mu.held = held
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mu.held = nil
		close(held)
	}
}

func (s *coordinator) Find(_ context.Context, partitions []offset.Partition) (map[offset.Partition]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[offset.Partition]int64{}
	for _, p := range partitions {
		out[p] = -1
		if o, ok := s.mu.stored[p]; ok {
			out[p] = o
		}
	}
	return out, nil
}

func (s *coordinator) Commit(ctx context.Context, offsets map[offset.Partition]int64) error {
	s.mu.Lock()
	s.mu.commits++
	s.mu.running++
	s.mu.most = max(s.mu.most, s.mu.running)
	held := s.mu.held
	s.mu.Unlock()
	var err error
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			err = errors.New("gave up")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.running--
	if err == nil {
		maps.Copy(s.mu.stored, offsets)
	}
	return err
}

// offset returns what is stored of the one partition, -1 for nothing.
func (s *coordinator) offset() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.mu.stored[offset.Partition{Topic: "t"}]; ok {
		return o
	}
	return -1
}

func (s *coordinator) counts() (commits, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.commits, s.mu.most
}

// plain is a member that nobody polls; store, if there is one, keeps its offsets.
func (b *bubble) plain(id string, store offset.Store, w *wire, opts ...ConsumerOption) *GroupConsumer {
	b.t.Helper()
	zookeeper := func(ctx context.Context, connect string) (*coord.Conn, error) {
		return coord.Dial(ctx, connect, coord.Config{Timeout: 6 * time.Second, Dialer: w.dial}, b.env)
	}
	opts = append([]ConsumerOption{Topics("t"), ConsumerID(id), StartAt(Earliest), Dialer(b.net.Dial), ManualCommit(),
		consumerOption(func(o *consumerOptions) { o.dialZooKeeper, o.env = zookeeper, b.env })}, opts...)
	if store != nil {
		opts = append(opts, OffsetsInKafka())
	}
	c, err := NewGroupConsumer(b.t.Context(), "keeper", "g", opts...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = c.Close(ctx) // what it says is for the tests that ask
	})
	if store != nil {
		c.kafka = store
	}
	return c
}

// poll returns what the consumer gets next.
func (b *bubble) poll(c *GroupConsumer) []*Record {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	r, err := c.Poll(ctx)
	if err != nil || len(r) == 0 {
		b.t.Fatal(r, err)
	}
	return r
}

// data returns what a node holds, or why there is none.
func (b *bubble) data(path string) string {
	data, _, err := b.zk.Get(b.t.Context(), path, false)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// expire cuts a member off until its session is over.
func (b *bubble) expire(id string, w *wire) {
	w.cut()
	for b.registered(id) {
		time.Sleep(10 * time.Millisecond)
	}
}

// end ends a member's session, which is told at once.
func (b *bubble) end(c *GroupConsumer, w *wire) {
	b.t.Helper()
	w.cut() // it would attach to the session again meanwhile
	if err := c.ExpireSessionIn(b.t.Context(), b.keeper.Pipe); err != nil {
		b.t.Fatal(err)
	}
	w.mend()
}

// commitLater begins a commit.
func commitLater(c *GroupConsumer) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Commit(context.Background()) }()
	time.Sleep(time.Second)
	return done
}

// TestACommitUnderWayKeepsThePartition: the next owner could be overwritten by it.
func TestACommitUnderWayKeepsThePartition(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		st := newCoordinator()
		let := st.hold()
		m := b.plain("m", st, newWire(b))
		last := b.poll(m)
		done := commitLater(m)
		b.plain("a", nil, newWire(b))
		time.Sleep(10 * time.Second)
		if owner := b.data(znode.OwnerPath("g", "t", 0)); owner != "m-0" {
			t.Errorf("owner %q while the commit of m-0 is under way", owner)
		}
		let()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if end := last[len(last)-1].Offset + 1; st.offset() != end {
			t.Errorf("stored %d, want %d", st.offset(), end)
		}
		time.Sleep(10 * time.Second)
		if owner := b.data(znode.OwnerPath("g", "t", 0)); owner != "a-0" {
			t.Errorf("owner %q", owner)
		}
	})
}

// TestNothingIsCommittedAfterRelease: neither what the application comes back with
// when its time is over, nor anything else.
func TestNothingIsCommittedAfterRelease(t *testing.T) {
	for name, opt := range map[string]ConsumerOption{"by hand": ManualCommit(), "by itself": AutoCommit(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				st := newCoordinator()
				var revoked atomic.Int32
				var m *GroupConsumer
				m = b.plain("m", st, newWire(b), opt, HandOverWithin(300*time.Millisecond), OnRevoked(func(ctx context.Context, _ map[string][]int32) {
					revoked.Add(1)
					if err := m.Commit(ctx); !errors.Is(err, ErrLost) {
						t.Errorf("commit of what the application works on: %v", err)
					}
				}))
				b.poll(m)
				b.plain("a", nil, newWire(b))
				time.Sleep(20 * time.Second)
				if revoked.Load() != 1 || b.data(znode.OwnerPath("g", "t", 0)) != "a-0" {
					t.Errorf("revoked %d times, owner %q", revoked.Load(), b.data(znode.OwnerPath("g", "t", 0)))
				}
				if err := m.Commit(t.Context()); !errors.Is(err, ErrLost) {
					t.Errorf("commit after the hand-over: %v", err)
				}
				// Where it began may have been stored; no record was done with.
				if at := st.offset(); at > 0 {
					t.Errorf("stored %d, nothing was done with", at)
				}
				if _, err := m.Poll(t.Context()); !errors.Is(err, ErrSlow) {
					t.Errorf("Poll: %v", err)
				}
			})
		})
	}
}

// TestWhatIsNotCommittedInTimeIsLost: the application came back in time, and commits
// too late.
func TestWhatIsNotCommittedInTimeIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		st := newCoordinator()
		m := b.plain("m", st, newWire(b))
		b.poll(m)
		b.plain("a", nil, newWire(b))
		time.Sleep(time.Second)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := m.Poll(short); err == nil {
			t.Errorf("%d records of what is given up", len(got))
		}
		time.Sleep(5 * time.Second)
		if owner := b.data(znode.OwnerPath("g", "t", 0)); owner != "a-0" {
			t.Fatalf("owner %q", owner)
		}
		if err := m.Commit(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("commit after the hand-over: %v", err)
		}
		if commits, _ := st.counts(); commits != 0 {
			t.Errorf("stored %d", st.offset())
		}
	})
}

// TestACommitEndsWithTheSession: what the coordinator has not been asked by then it
// is not asked any more.
func TestACommitEndsWithTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w, st := newWire(b), newCoordinator()
		let := st.hold()
		m := b.plain("m", st, w)
		b.poll(m)
		// As long as ZooKeeper answers, a commit may take its time.
		done := commitLater(m)
		time.Sleep(20 * time.Second)
		select {
		case err := <-done:
			t.Fatal(err)
		default:
		}
		b.expire("m", w)
		select {
		case err := <-done:
			if !errors.Is(err, ErrFenced) {
				t.Errorf("cut off: %v", err)
			}
		default:
			t.Error("the session is over, the commit is not")
		}
		let()
		w.mend()
		// What is cut short by a session that is known to be over is lost.
		b.poll(m)
		let = st.hold()
		done = commitLater(m)
		b.end(m, w)
		if err := <-done; !errors.Is(err, ErrLost) {
			t.Errorf("expired: %v", err)
		}
		let()
	})
}

// TestCommitTellsWhatItDidNotStore: nil means that all that Poll returned is stored.
func TestCommitTellsWhatItDidNotStore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := newWire(b)
		m := b.plain("m", nil, w)
		if err := m.Commit(t.Context()); err != nil {
			t.Errorf("nothing to store: %v", err)
		}
		last := b.poll(m)
		b.expire("m", w)
		time.Sleep(time.Second)
		w.mend()
		time.Sleep(20 * time.Second)
		if err := m.Commit(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("%v, but stored is %q", err, b.data(znode.OffsetPath("g", "t", 0)))
		}
		// What was stored in time is not lost with the partition.
		b.poll(m)
		if err := m.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.expire("m", w)
		w.mend()
		time.Sleep(20 * time.Second)
		if err := m.Commit(t.Context()); err != nil {
			t.Errorf("all of it is stored: %v", err)
		}
		if again := b.poll(m); again[0].Offset <= last[len(last)-1].Offset {
			t.Errorf("began again at %d", again[0].Offset)
		}
	})
}

// TestWhatIsLostIsNotRevoked: OnRevoked means that there is time for a commit.
func TestWhatIsLostIsNotRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := newWire(b)
		var revoked, lost atomic.Int32
		m := b.plain("m", nil, w, HandOverWithin(time.Minute), OnRevoked(func(context.Context, map[string][]int32) { revoked.Add(1) }),
			OnLost(func(context.Context, map[string][]int32) { lost.Add(1) }))
		b.poll(m)
		b.plain("a", nil, newWire(b))
		time.Sleep(5 * time.Second)
		b.expire("m", w)
		w.mend()
		time.Sleep(20 * time.Second)
		if revoked.Load() != 0 || lost.Load() != 1 {
			t.Errorf("revoked %d times, lost %d times", revoked.Load(), lost.Load())
		}
	})
}

// TestCommitsTakeTurns: an older one cannot overwrite a newer.
func TestCommitsTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		st := newCoordinator()
		let := st.hold()
		m := b.plain("m", st, newWire(b))
		b.poll(m)
		first := commitLater(m)
		b.poll(m)
		second := commitLater(m)
		let()
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
		if commits, most := st.counts(); commits != 2 || most != 1 {
			t.Errorf("%d commits, %d at once", commits, most)
		}
	})
}

// TestCloseWithoutTimeSettlesNothing: with a context that has ended the application
// says that it is not done.
func TestCloseWithoutTimeSettlesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		m := b.plain("m", nil, newWire(b), AutoCommit(time.Hour))
		done := b.poll(m)
		b.poll(m)
		if err := m.commit(t.Context()); err != nil { // as if the hour were over
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("close: %v", err)
		}
		if at, want := b.data(znode.OffsetPath("g", "t", 0)), string(znode.EncodeNumber(done[len(done)-1].Offset+1)); at != want {
			t.Errorf("stored %s, want %s", at, want)
		}
		m.mu.from.fetcher.Settle()
		if at := m.mu.from.fetcher.Settled()[offset.Partition{Topic: "t"}]; at != done[len(done)-1].Offset+1 {
			t.Errorf("settled %d", at)
		}
	})
}

// TestCloseOutOfReach: without ZooKeeper nothing can be done in order once the
// session may be over, however patient the caller is.
func TestCloseOutOfReach(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := newWire(b)
		m := b.plain("m", nil, w)
		b.poll(m)
		w.cut()
		began := time.Now()
		if err := m.Close(context.Background()); !errors.Is(err, ErrFenced) || time.Since(began) > 7*time.Second {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
		w.mend()
	})
}

// leaping is a clock that can jump ahead, as it does for a process that was
// suspended.
type leaping struct {
	env.Clock
	by *atomic.Int64
}

func (l leaping) Now() time.Time { return l.Clock.Now().Add(time.Duration(l.by.Load())) }

// TestNothingIsDeliveredAfterASleep: a process that was suspended looks at the clock
// before it looks at anything else.
func TestNothingIsDeliveredAfterASleep(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		by := new(atomic.Int64)
		b.env.Clock = leaping{b.env.Clock, by}
		m := b.plain("m", nil, newWire(b))
		b.poll(m)
		time.Sleep(time.Second) // more is fetched
		by.Store(int64(7 * time.Second))
		if got, err := m.next(); len(got) > 0 || err != nil {
			t.Errorf("delivered %d records, %v", len(got), err)
		}
		// When the doubt is over nobody needs to tell.
		got := make(chan error, 1)
		go func() {
			_, err := m.Poll(t.Context())
			got <- err
		}()
		synctest.Wait()
		by.Store(0)
		time.Sleep(2 * recheck)
		select {
		case err := <-got:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("nothing is delivered in time")
		}
	})
}

// TestAssignedTooLate: the partitions are lost before the application has been told
// of them, and nothing is delivered.
func TestAssignedTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		told := make(chan struct{})
		w := newWire(b)
		assigned := 0
		m := b.plain("m", nil, w, OnAssigned(func(context.Context, map[string][]int32) {
			if assigned++; assigned > 1 {
				return
			}
			select {
			case <-told:
			case <-t.Context().Done():
			}
		}))
		time.Sleep(2 * time.Second)
		b.end(m, w)
		time.Sleep(2 * time.Second)
		w.cut() // it cannot join again yet
		close(told)
		time.Sleep(time.Second)
		if got, err := m.next(); len(got) > 0 || err != nil {
			t.Errorf("delivered %d records, %v", len(got), err)
		}
		w.mend()
		b.poll(m)
	})
}

// TestAnOwnerNodeIsMadeAgain that somebody deleted, and no record is missed or seen
// twice.
func TestAnOwnerNodeIsMadeAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		m := b.plain("m", nil, newWire(b), AutoCommit(time.Hour))
		path := znode.OwnerPath("g", "t", 0)
		next := int64(0)
		read := func(n int) {
			t.Helper()
			for range n {
				for _, r := range b.poll(m) {
					if r.Offset != next {
						t.Errorf("read %d, want %d", r.Offset, next)
					}
					next = r.Offset + 1
				}
			}
		}
		read(3)
		if err := b.zk.Delete(t.Context(), path, -1); err != nil {
			t.Fatal(err)
		}
		read(3)
		if owner := b.data(path); owner != "m-0" {
			t.Errorf("the owner is %q", owner)
		}
	})
}
