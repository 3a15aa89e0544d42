package follow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// Fetchers copies all partitions that this broker follows.
type Fetchers struct {
	cfg      Config
	versions versions
	env      env.Env
	log      *slog.Logger

	// moves orders Start, Resize and Stop, which wait for goroutines.
	moves sync.Mutex
	mu    struct {
		sync.Mutex
		// group is nil while nothing runs: before Start, during Resize, after Stop.
		group    *run.Group
		count    int // num.replica.fetchers
		running  map[source]*fetcher
		assigned map[Partition]*assigned
	}
}

// source is what one fetcher copies from: a broker, and which of the fetchers
// for that broker it is.
type source struct {
	broker int32
	number int
}

// assigned is an assignment and who carries it out.
type assigned struct {
	Assignment
	by *fetcher // nil while nothing runs; guarded by Fetchers.mu
	// lag is how many records below the leader's high watermark are missing,
	// unknownLag before the first answer.
	lag    atomic.Int64
	parked atomic.Bool
}

const unknownLag int64 = -1

// minBackoff keeps a fetcher from turning in circles when the configured
// back-off is 0, which Kafka allows.
const minBackoff = time.Millisecond

// New returns fetchers that wait for Start.
func New(cfg Config, e env.Env, log *slog.Logger) *Fetchers {
	f := &Fetchers{cfg: cfg, versions: versionsOf(cfg.Protocol), env: e, log: log}
	f.cfg.Backoff = max(cfg.Backoff, minBackoff)
	f.mu.count = max(cfg.Fetchers, 1)
	f.mu.running, f.mu.assigned = map[source]*fetcher{}, map[Partition]*assigned{}
	return f
}

// Start begins to copy; cancelling ctx ends it.
func (f *Fetchers) Start(ctx context.Context) {
	f.moves.Lock()
	defer f.moves.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.group = run.NewGroup(ctx)
	f.routeAllLocked()
}

// Stop ends all fetchers and waits for them: no Replica is called afterwards.
func (f *Fetchers) Stop() {
	f.moves.Lock()
	defer f.moves.Unlock()
	f.mu.Lock()
	group := f.mu.group
	f.mu.group = nil
	f.mu.Unlock()
	if group != nil {
		group.Stop()
		_ = group.Wait() // fetchers return no errors
	}
}

// Follow begins or goes on copying partitions, each as its assignment says; an
// older assignment of the same partition is replaced. A partition that is moved
// to another leader must come with another leader epoch: the older Replica
// stays in use for a moment, and must refuse.
func (f *Fetchers) Follow(list []Assignment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left []*fetcher
	for i := range list {
		a := &assigned{Assignment: list[i]}
		a.lag.Store(unknownLag)
		old := f.mu.assigned[a.Partition]
		f.mu.assigned[a.Partition] = a
		f.routeLocked(a)
		if old == nil || old.by == nil {
			continue
		}
		old.by.count--
		if old.by != a.by {
			old.by.order(a.Partition, nil)
			left = append(left, old.by)
		}
	}
	f.retireLocked(left)
}

// Unfollow ends copying partitions. It does not wait: what comes for them
// meanwhile is for their Replicas to refuse.
func (f *Fetchers) Unfollow(list []Partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left []*fetcher
	for _, name := range list {
		a := f.mu.assigned[name]
		if a == nil {
			continue
		}
		delete(f.mu.assigned, name)
		if a.by != nil {
			a.by.count--
			a.by.order(name, nil)
			left = append(left, a.by)
		}
	}
	f.retireLocked(left)
}

// Resize changes the number of fetchers per source broker (num.replica.fetchers).
// It waits until nothing is copied, because partitions go to other fetchers in
// the same leader epoch. The caller must not hold what a Replica waits for.
func (f *Fetchers) Resize(n int) {
	f.moves.Lock()
	defer f.moves.Unlock()
	f.mu.Lock()
	group, old := f.mu.group, f.mu.running
	if f.mu.count == max(n, 1) {
		f.mu.Unlock()
		return
	}
	f.mu.count = max(n, 1)
	if group == nil {
		f.mu.Unlock()
		return
	}
	f.mu.group, f.mu.running = nil, map[source]*fetcher{}
	for _, a := range f.mu.assigned {
		a.by = nil
	}
	f.mu.Unlock()
	for _, t := range old {
		t.stop()
	}
	for _, t := range old {
		<-t.done
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.group = group
	f.routeAllLocked()
}

// routeAllLocked gives every assignment to its fetcher, in the order of names.
func (f *Fetchers) routeAllLocked() {
	all := make([]*assigned, 0, len(f.mu.assigned))
	for _, a := range f.mu.assigned {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *assigned) int { return a.compare(b.Partition) })
	for _, a := range all {
		f.routeLocked(a)
	}
}

// routeLocked hands an assignment to its fetcher, which is started if need be.
func (f *Fetchers) routeLocked(a *assigned) {
	if f.mu.group == nil {
		return // Start or Resize will
	}
	key := source{a.Leader, a.fetcherNumber(f.mu.count)}
	t := f.mu.running[key]
	if t == nil {
		t = newFetcher(f.mu.group.Context(), f, key)
		f.mu.running[key] = t
		f.mu.group.Go(t.name, t.run)
	}
	a.by = t
	a.parked.Store(false)
	t.count++
	t.order(a.Partition, a)
}

// retireLocked ends those fetchers that have nothing left to copy.
func (f *Fetchers) retireLocked(list []*fetcher) {
	for _, t := range list {
		if t.count == 0 && f.mu.running[t.source] == t {
			delete(f.mu.running, t.source)
			t.stop()
		}
	}
}

// take returns the orders for a fetcher, in the order of names.
func (f *Fetchers) take(t *fetcher) []order {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(t.orders) == 0 {
		return nil
	}
	out := make([]order, 0, len(t.orders))
	for name, a := range t.orders {
		out = append(out, order{name, a})
	}
	clear(t.orders)
	slices.SortFunc(out, func(a, b order) int { return a.name.compare(b.name) })
	return out
}

// Stats describes the fetchers for metrics.
type Stats struct {
	// Fetchers, Partitions and Parked count; parked partitions are among the
	// partitions.
	Fetchers, Partitions, Parked int
	// MaxLag is the largest number of records that a partition lacks of what its
	// leader has committed.
	MaxLag int64
}

// Stats looks at all partitions.
func (f *Fetchers) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Stats{Fetchers: len(f.mu.running), Partitions: len(f.mu.assigned)}
	for _, a := range f.mu.assigned {
		s.MaxLag = max(s.MaxLag, a.lag.Load())
		if a.parked.Load() {
			s.Parked++
		}
	}
	return s
}

// String returns the name as Kafka writes it.
func (p Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Index) }

func (p Partition) compare(q Partition) int {
	return cmp.Or(cmp.Compare(p.Topic, q.Topic), cmp.Compare(p.Index, q.Index))
}

// fetcherNumber is which of n fetchers copies the partition: Kafka's choice, so
// that its tools and metrics find it where they look. Topic names are ASCII, so
// bytes are Java's characters.
func (p Partition) fetcherNumber(n int) int {
	var hash int32
	for i := range len(p.Topic) {
		hash = 31*hash + int32(p.Topic[i])
	}
	hash = 31*hash + p.Index
	if hash == math.MinInt32 {
		return 0
	}
	return int(max(hash, -hash)) % n
}
