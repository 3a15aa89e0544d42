package load

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limit ends a load at whichever comes first. Both are needed: bytes so that
// the page cache holds what a fast broker takes, time for a slow one.
type Limit struct {
	Bytes int64
	Time  time.Duration
}

// Result is what a load did.
type Result struct {
	Requests int64
	Records  int64
	Bytes    int64 // of record batches, without the requests around them
	Elapsed  time.Duration
	CPU      time.Duration // user and system time of the load program itself
	Latency  Histogram     // of each request; through a client, of each record
}

// MBPerSecond is the throughput in 10⁶ bytes of batches per second.
func (r *Result) MBPerSecond() float64 { return float64(r.Bytes) / 1e6 / r.Elapsed.Seconds() }

// add merges what one connection did; Elapsed and CPU are the whole run's.
func (r *Result) add(o *Result) {
	r.Requests += o.Requests
	r.Records += o.Records
	r.Bytes += o.Bytes
	r.Latency.Merge(&o.Latency)
}

// grace is how long answers may take after the last request was sent.
const grace = 30 * time.Second

// budget is what the connections of one run share.
type budget struct {
	left  atomic.Int64
	until time.Time
}

func newBudget(l Limit) *budget {
	b := &budget{until: time.Now().Add(l.Time)}
	b.left.Store(l.Bytes)
	return b
}

// claim takes up to want requests of size bytes each, none when the bytes are
// used up or the time is over.
func (b *budget) claim(want, size int, now time.Time) int {
	if want == 0 || !now.Before(b.until) || b.left.Load() <= 0 {
		return 0
	}
	return b.take(want, size)
}

// take claims without asking: what a connection begins with, so that none is
// left out because the others were faster.
func (b *budget) take(want, size int) int {
	b.left.Add(-int64(want) * int64(size))
	return want
}

// runAll runs one connection's work on each of n goroutines and adds up.
// Connection i goes to address i, round and round. The first error ends the
// others.
func runAll(ctx context.Context, addrs []string, n int, l Limit, work func(i int, nc net.Conn, b *budget) (*Result, error)) (*Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]net.Conn, n)
	for i := range conns {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addrs[i%len(addrs)])
		if err != nil {
			return nil, err
		}
		defer nc.Close()
		defer context.AfterFunc(ctx, func() { nc.Close() })()
		if err := nc.SetDeadline(time.Now().Add(l.Time + grace)); err != nil {
			return nil, err
		}
		conns[i] = nc
	}
	results := make([]*Result, n)
	started, cpu, b := time.Now(), selfCPU(), newBudget(l)
	var wg sync.WaitGroup
	for i, nc := range conns {
		wg.Go(func() {
			r, err := work(i, nc, b)
			if err != nil {
				cancel(err)
			}
			results[i] = r
		})
	}
	wg.Wait()
	total := &Result{Elapsed: time.Since(started), CPU: selfCPU() - cpu}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	for _, r := range results {
		total.add(r)
	}
	return total, nil
}

// selfCPU is the user and system time that this process has used.
func selfCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
