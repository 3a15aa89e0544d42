package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/bench/proc"
)

// stage is one run of one workload against one server.
type stage struct {
	proc.Server
	report  reporter
	label   string
	profile string // directory, "" for none
}

// reporter takes the figures of a run.
type reporter func(metric string, value float64)

// cost is what a measured load cost the server.
type cost struct {
	*load.Result
	CPU time.Duration
	RSS int64 // bytes at most
}

// measure runs a load and takes the server's CPU time around it.
func (s *stage) measure(ctx context.Context, f func() (*load.Result, error)) (cost, error) {
	profiled := s.startProfile(ctx)
	before, err := s.Usage()
	if err != nil {
		return cost{}, err
	}
	r, err := f()
	if err != nil {
		return cost{}, err
	}
	after, err := s.Usage()
	<-profiled
	return cost{Result: r, CPU: after.CPU - before.CPU, RSS: after.Peak}, err
}

// perGB reports what every load by bytes has: throughput, cost and latency.
func (r reporter) perGB(c cost) {
	gb := float64(c.Bytes) / 1e9
	r("throughput", c.MBPerSecond())
	r("records", float64(c.Records)/c.Elapsed.Seconds())
	r("cpu", c.CPU.Seconds()/gb)
	r("load cpu", c.Result.CPU.Seconds()/gb)
	r("peak rss", float64(c.RSS)/1e6)
}

// latency reports the percentiles in milliseconds.
func (r reporter) latency(h *load.Histogram) {
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}} {
		r(q.name, ms(h.Quantile(q.q)))
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// profileTime is shorter than every measured load that is not over in a
// moment.
const profileTime = 4 * time.Second

// startProfile fetches a CPU profile where the server offers one; the channel
// closes when it is written. A benchmark goes on without.
func (s *stage) startProfile(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	if s.profile == "" || s.Debug() == "" {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.Debug(), int(profileTime.Seconds()))
		if err := download(ctx, url, filepath.Join(s.profile, s.label+".pprof")); err != nil {
			log.Printf("no profile of %s: %v", s.label, err)
		}
	}()
	return done
}

func download(ctx context.Context, url, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*profileTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// wait lets the server be, unless the context ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
