package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/bench/proc"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// stage is one run of one scenario against one server.
type stage struct {
	*proc.Ensemble
	sizes  sizes
	report reporter
}

// reporter takes the figures of a run.
type reporter func(metric string, value float64)

const (
	// sessionTimeout is what sessions ask for: longer than any scenario leaves them
	// alone.
	sessionTimeout = 2 * time.Minute
	// atOnce is how many sessions connect at a time where that is not what is
	// measured: fewer than Java's default backlog of 50.
	atOnce = 40
	// knockPatience is longer than a server that works needs for an answer.
	knockPatience = 5 * time.Second
)

func (s *stage) addr() string { return s.Addrs()[0] }

// ready waits for the first answer to a read, which the whole start is over for.
func ready(ctx context.Context, addr string) error {
	return load.KnockUntil(ctx, addr, &zk.ExistsRequest{Path: "/"}, knockPatience)
}

// prepare starts the server and makes the nodes of a load.
func (s *stage) prepare(ctx context.Context, nodes int) error {
	if _, err := s.Start(ctx, ready); err != nil {
		return err
	}
	paths := []string{"/load"}
	for i := range nodes {
		paths = append(paths, node(i))
	}
	return makeNodes(ctx, s.addr(), paths)
}

// makeNodes creates nodes with data.
func makeNodes(ctx context.Context, addr string, paths []string) (err error) {
	c, err := session.Dial(ctx, session.Config{Servers: []string{addr}, Timeout: sessionTimeout}, env.Real())
	if err != nil {
		return err
	}
	defer func() {
		if closing := c.Close(ctx); err == nil {
			err = closing
		}
	}()
	reqs := make([]zk.Request, len(paths))
	for i, path := range paths {
		reqs[i] = &zk.CreateRequest{Path: path, Data: make([]byte, dataSize), ACL: zk.OpenACL()}
	}
	for i, resp := range c.Do(ctx, reqs) {
		if resp.Err != nil {
			return fmt.Errorf("create %s: %w", paths[i], resp.Err)
		}
	}
	return nil
}

// crowd opens sessions with the only server.
func (s *stage) crowd(ctx context.Context, n int) (*load.Crowd, error) {
	return load.OpenCrowd(ctx, s.addr(), n, atOnce, sessionTimeout)
}

// measured runs something and returns the server's CPU time for it.
func (s *stage) measured(f func() error) (time.Duration, error) {
	before, err := s.Usage()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := s.Usage()
	return after.CPU - before.CPU, err
}

// resident leaves the server alone for a while and returns what it holds, in MB.
func (s *stage) resident(ctx context.Context) (float64, error) {
	if err := wait(ctx, s.sizes.settle); err != nil {
		return 0, err
	}
	u, err := s.Usage()
	return float64(u.RSS) / 1e6, err
}

// fsyncs returns how many records of dataSize the disk takes per second when each
// is appended to a file beside the server's data and synced.
func (s *stage) fsyncs() (perSecond float64, err error) {
	name := filepath.Join(s.Dir(), "floor")
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer os.Remove(name)
	defer f.Close()
	record := make([]byte, dataSize)
	began, n := time.Now(), 0
	for time.Since(began) < s.sizes.floor {
		if _, err := f.Write(record); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

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
