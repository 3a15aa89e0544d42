package fetch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/znode"
)

const (
	// backoff is the pause before a partition is asked for again after an error
	// that time or another leader heals (refresh.leader.backoff.ms).
	backoff = 200 * time.Millisecond
	// longBackoff is that after errors which somebody has to heal.
	longBackoff = 2 * time.Second
)

// Config says what to read and how. All fields but the last two are needed.
type Config struct {
	Links   *link.Set
	Picture *picture.Picture
	// Addr returns where to reach a broker.
	Addr func(*picture.Broker) (string, error)
	// MaxBytes and PartitionMaxBytes bound an answer and a partition's part of it;
	// a batch larger than both comes all the same, alone.
	MaxBytes, PartitionMaxBytes int32
	// MinBytes is how much a broker gathers before it answers, MaxWait for how long;
	// neither counts while records of other partitions that it leads wait for Take.
	MinBytes int32
	MaxWait  time.Duration
	// Begin is where to begin without an offset, or with one that the log does not
	// have: Earliest or Latest.
	Begin int64
	Env   env.Env
	Log   *slog.Logger
	// Ready is called when Take may return more. It must not block.
	Ready func()
	// Report is told of errors that somebody has to heal. It must not block.
	Report func(error)
	// Committed leaves out the records of transactions that did not commit.
	Committed bool
}

// Where to begin: the timestamps that ListOffsets has for it.
const (
	Earliest int64 = -2
	Latest   int64 = -1
)

// Share is a partition to read and the offset to begin at, -1 for Config.Begin.
type Share struct {
	assign.TopicPartition
	Offset int64
}

// Fetcher reads a set of partitions. All methods may be called from many
// goroutines.
type Fetcher struct {
	cfg        Config
	group      *run.Group
	decompress kgo.Decompressor

	mu struct {
		sync.Mutex
		// parts are looked at for Take in turn, from next on.
		parts []*part
		next  int
		// handed are those of which Take returned records since Settle.
		handed []*part
		loops  map[int32]*loop
	}
}

// part is one partition. Fetcher.mu guards it.
type part struct {
	assign.TopicPartition
	// ask is the offset to fetch from next, -1 until that is known.
	ask int64
	// taken is the offset after all that was taken, settled that after what was
	// taken before the last Settle; -1 until they are known.
	taken, settled int64
	// delivered is the offset after the last record that Take returned, -1 for none.
	delivered int64
	// records are those fetched and not taken.
	records []*kgo.Record
	// busy is whether a request for it is on its way; none is begun before retry.
	busy  bool
	retry time.Time
}

// loop is the goroutine that reads from one broker.
type loop struct {
	wake   chan struct{}
	cancel context.CancelCauseFunc
}

// Start begins to read.
func Start(ctx context.Context, cfg Config, shares []Share) *Fetcher {
	f := &Fetcher{cfg: cfg, group: run.NewGroup(context.WithoutCancel(ctx)), decompress: kgo.DefaultDecompressor()}
	f.mu.loops = map[int32]*loop{}
	for _, s := range shares {
		f.mu.parts = append(f.mu.parts, &part{TopicPartition: s.TopicPartition, ask: s.Offset, taken: s.Offset, settled: s.Offset, delivered: -1})
	}
	f.group.Go("fetch leaders", f.follow)
	return f
}

// Halt ends reading, without waiting for what is under way.
func (f *Fetcher) Halt() { f.group.Stop() }

// Wait waits for the end after Halt.
func (f *Fetcher) Wait() {
	// The goroutines end by the context and in no other way.
	_ = f.group.Wait()
}

// Take returns up to limit records, those of a partition in order, and counts them
// as taken; nil when there are none.
func (f *Fetcher) Take(limit int) []*kgo.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*kgo.Record
	for range f.mu.parts {
		p := f.mu.parts[f.mu.next]
		n := min(limit-len(out), len(p.records))
		out = append(out, p.records[:n]...)
		if n > 0 {
			p.taken = p.records[n-1].Offset + 1
			p.delivered = p.taken
			f.mu.handed = append(f.mu.handed, p)
		}
		p.records = p.records[n:]
		if len(p.records) > 0 {
			break // the limit is reached: next time it goes on here
		}
		f.mu.next = (f.mu.next + 1) % len(f.mu.parts)
		if n > 0 {
			p.records, p.taken = nil, p.ask // past what the log holds but does not deliver
			f.wakeLocked()
		}
	}
	return out
}

// Settle says that whoever called Take is done with all that it returned.
func (f *Fetcher) Settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.mu.handed {
		p.settled = p.taken
	}
	clear(f.mu.handed)
	f.mu.handed = f.mu.handed[:0]
}

// Forget says that nobody will be done with what Take returned since Settle.
func (f *Fetcher) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.mu.handed)
	f.mu.handed = f.mu.handed[:0]
}

// Delivered returns the offset after the last record that Take returned, for each
// partition of which it did.
func (f *Fetcher) Delivered() map[assign.TopicPartition]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[assign.TopicPartition]int64, len(f.mu.parts))
	for _, p := range f.mu.parts {
		if p.delivered >= 0 {
			out[p.TopicPartition] = p.delivered
		}
	}
	return out
}

// Settled returns for each partition the offset after all that is done with,
// leaving out those where that is not known yet.
func (f *Fetcher) Settled() map[assign.TopicPartition]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[assign.TopicPartition]int64, len(f.mu.parts))
	for _, p := range f.mu.parts {
		if p.settled >= 0 {
			out[p.TopicPartition] = p.settled
		}
	}
	return out
}

// skip moves a partition on past what the log does not deliver, or to where it
// begins.
func (p *part) skip(to int64) {
	if p.settled == p.taken {
		p.settled = to
	}
	p.taken = to
}

// follow keeps one loop for each broker that leads a partition.
func (f *Fetcher) follow(ctx context.Context) error {
	changed, stop := f.cfg.Picture.Changes()
	defer stop()
	for {
		c := f.cfg.Picture.Load()
		f.lead(ctx, c)
		f.cfg.Links.Keep(func(addr string) bool { return f.listens(c, addr) })
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listens reports whether a registered broker has an address.
func (f *Fetcher) listens(c *picture.Cluster, addr string) bool {
	for _, b := range c.Brokers {
		if slices.ContainsFunc(b.Endpoints, func(e znode.Endpoint) bool { return e.Addr() == addr }) {
			return true
		}
	}
	return false
}

// lead starts and ends loops.
func (f *Fetcher) lead(ctx context.Context, c *picture.Cluster) {
	f.mu.Lock()
	defer f.mu.Unlock()
	leaders := map[int32]bool{}
	for _, p := range f.mu.parts {
		if b := c.Leader(p.Topic, p.Partition); b != nil {
			leaders[b.ID] = true
		}
	}
	for id, l := range f.mu.loops {
		if !leaders[id] {
			l.cancel(context.Canceled)
			delete(f.mu.loops, id)
		}
	}
	for id := range leaders {
		if f.mu.loops[id] != nil {
			continue
		}
		ctx, cancel := context.WithCancelCause(ctx)
		l := &loop{wake: make(chan struct{}, 1), cancel: cancel}
		f.mu.loops[id] = l
		f.group.Go("fetch from broker", func(context.Context) error {
			defer cancel(nil)
			return f.serve(ctx, id, l)
		})
	}
	f.wakeLocked()
}

func (f *Fetcher) wakeLocked() {
	for _, l := range f.mu.loops {
		run.Hint(l.wake)
	}
}
