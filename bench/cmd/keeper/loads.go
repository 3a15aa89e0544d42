package main

import (
	"context"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
)

// run lets sessions send for a while: first to warm up, then measured.
func (s *stage) load(ctx context.Context, sessions int, req request) (*load.Result, time.Duration, error) {
	if err := s.prepare(ctx, sessions); err != nil {
		return nil, 0, err
	}
	c, err := s.crowd(ctx, sessions)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	w := load.Crowding{Request: req(sessions), Window: 1, Time: s.sizes.warm}
	if _, err := c.Run(ctx, w); err != nil {
		return nil, 0, err
	}
	w.Time = s.sizes.measure
	var r *load.Result
	cpu, err := s.measured(func() error {
		r, err = c.Run(ctx, w)
		return err
	})
	return r, cpu, err
}

// tell reports what every load has.
func (r reporter) tell(res *load.Result, cpu time.Duration) {
	per100k := 100_000 / float64(res.Requests)
	r("rate", float64(res.Requests)/res.Elapsed.Seconds())
	r("cpu", cpu.Seconds()*per100k)
	r("load cpu", res.CPU.Seconds()*per100k)
	r("p50", ms(res.Latency.Quantile(0.5)))
	r("p99", ms(res.Latency.Quantile(0.99)))
	r("p999", ms(res.Latency.Quantile(0.999)))
}

func load64(req request) func(context.Context, *stage) error {
	return loadOf(func(sizes) int { return few }, req)
}

func loadMany(req request) func(context.Context, *stage) error {
	return loadOf(func(z sizes) int { return z.sessions }, req)
}

func loadOf(sessions func(sizes) int, req request) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		res, cpu, err := s.load(ctx, sessions(s.sizes), req)
		if err != nil {
			return err
		}
		s.report.tell(res, cpu)
		return nil
	}
}

// load1 is the load of one session, between two looks at what the disk can do.
func load1(req request) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		before, err := s.fsyncs()
		if err != nil {
			return err
		}
		res, cpu, err := s.load(ctx, 1, req)
		if err != nil {
			return err
		}
		after, err := s.fsyncs()
		if err != nil {
			return err
		}
		floor := (before + after) / 2
		s.report.tell(res, cpu)
		s.report("floor", floor)
		s.report("share", 100*float64(res.Requests)/res.Elapsed.Seconds()/floor)
		return nil
	}
}
