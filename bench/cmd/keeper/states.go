package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/zk"
)

func startUp(ctx context.Context, s *stage) error {
	took, err := s.Start(ctx, ready)
	if err != nil {
		return err
	}
	s.report("start", ms(took))
	rss, err := s.resident(ctx)
	s.report("rss", rss)
	return err
}

// nodes makes many nodes and starts the server again with them.
func nodes(ctx context.Context, s *stage) error {
	if err := s.prepare(ctx, few); err != nil {
		return err
	}
	each := (s.sizes.nodes + few - 1) / few
	c, err := s.crowd(ctx, few)
	if err != nil {
		return err
	}
	const window = 16
	r, err := c.Run(ctx, load.Crowding{Request: create(few), Window: window, Each: each})
	c.Close()
	if err != nil {
		return err
	}
	s.report("rate", float64(r.Requests)/r.Elapsed.Seconds())
	rss, err := s.resident(ctx)
	if err != nil {
		return err
	}
	s.report("rss", rss)
	began := time.Now()
	if err := s.Stop(); err != nil {
		return err
	}
	s.report("stop", time.Since(began).Seconds())
	took, err := s.Start(ctx, ready)
	if err != nil {
		return err
	}
	s.report("start", took.Seconds())
	if rss, err = s.resident(ctx); err != nil {
		return err
	}
	s.report("rss after", rss)
	// Nothing was lost: the last node of the last session is there.
	last := fmt.Sprintf("%s/%08d", node(few-1), each-1)
	return load.Knock(ctx, s.addr(), &zk.ExistsRequest{Path: last})
}

// watchers have many sessions look at one node that changes.
func watchers(ctx context.Context, s *stage) error {
	if err := s.prepare(ctx, 1); err != nil {
		return err
	}
	c, err := s.crowd(ctx, s.sizes.watchers)
	if err != nil {
		return err
	}
	defer c.Close()
	writer, err := s.crowd(ctx, 1)
	if err != nil {
		return err
	}
	defer writer.Close()
	arm := load.Crowding{Request: watch(0), Window: 1, Each: 1}
	change := load.Crowding{Request: set(1), Window: 1, Each: 1}
	// The first change is the warm-up.
	for i := range 1 + s.sizes.changes {
		if _, err := c.Run(ctx, arm); err != nil {
			return err
		}
		var took time.Duration
		cpu, err := s.measured(func() error {
			began := time.Now()
			written := make(chan error, 1)
			go func() {
				_, err := writer.Run(ctx, change)
				written <- err
			}()
			last, err := c.Events(ctx)
			took = last.Sub(began)
			if failed := <-written; err == nil {
				err = failed
			}
			return err
		})
		if err != nil {
			return err
		}
		if i > 0 {
			s.report("all", ms(took))
			s.report("cpu", ms(cpu))
		}
	}
	return nil
}

// open opens many sessions at once. A server that has just started is given a few
// before.
func open(ctx context.Context, s *stage) error {
	if _, err := s.Start(ctx, ready); err != nil {
		return err
	}
	for range s.sizes.opened / 2 {
		if err := ready(ctx, s.addr()); err != nil {
			return err
		}
	}
	var took time.Duration
	cpu, err := s.measured(func() error {
		began := time.Now()
		c, err := load.OpenCrowd(ctx, s.addr(), s.sizes.opened, s.sizes.opened, sessionTimeout)
		if err == nil {
			took = time.Since(began)
			c.Close()
		}
		return err
	})
	s.report("all", took.Seconds())
	s.report("cpu", ms(cpu))
	return err
}

// idle opens sessions that do nothing.
func idle(ctx context.Context, s *stage) error {
	if _, err := s.Start(ctx, ready); err != nil {
		return err
	}
	none, err := s.resident(ctx)
	if err != nil {
		return err
	}
	c, err := s.crowd(ctx, s.sizes.idle)
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := s.resident(ctx)
	if err != nil {
		return err
	}
	s.report("rss", all)
	s.report("each", 1000*(all-none)/float64(s.sizes.idle))
	return nil
}
