package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/bench/proc"
	"github.com/gregor-mq/gregor/bench/table"
)

const (
	mb = 1_000_000
	gb = 1000 * mb

	// A run writes 3 GB at most, warm-up included, so that the page cache of a
	// small machine holds it and the disk is not what is measured.
	warmBytes    = 800 * mb
	measureBytes = 2200 * mb

	warmTime    = 5 * time.Second
	measureTime = 8 * time.Second

	// settle is how long a server is left alone before its memory is read.
	settle = 3 * time.Second

	partitions     = 4
	connections    = 4
	inFlight       = 8
	batchSize      = 100_000 // bytes
	fetchSize      = 1 << 20 // bytes
	singles        = 16      // connections of single-record requests
	manyPartitions = 2000
	idle           = 10_000 // connections
	topic          = "load"
	warmTopic      = "warm"
)

// workload is one kind of load and what it tells. Exactly one of run and
// cluster is set.
type workload struct {
	name    string
	about   string
	run     func(context.Context, *stage) error
	cluster func(context.Context, *clusterStage) error
	metrics []table.Metric
}

// alone are the workloads of one broker.
var alone = []workload{
	{name: "start", about: "start-up with keeper, then idle", run: startUp, metrics: []table.Metric{
		{Key: "start", Title: "to the first Metadata answer", Unit: "s", Target: table.RatioAtMost(1.0 / 30).AndAtMost(0.1)},
		{Key: "rss", Title: "resident, idle", Unit: "MB", Target: table.AtMost(40)},
		{Key: "idle cpu", Title: "CPU while idle", Unit: "% of a core"},
	}},
	{name: "produce-1k", about: "raw produce, 100 KB batches of 1 KB records, acks=all, 4 connections with 8 in flight", run: produce(1000), metrics: byteMetrics(table.RatioAtMost(1.0/3), table.RatioAtLeast(2))},
	{name: "produce-100b", about: "raw produce, 100 KB batches of 100-byte records, otherwise the same", run: produce(100), metrics: byteMetrics(table.RatioAtMost(1.0/4), table.Target{})},
	{name: "single", about: "single-record requests, acks=all, 16 connections with 1 in flight", run: single, metrics: []table.Metric{
		{Key: "cpu", Title: "CPU per request", Unit: "us", Target: table.RatioAtMost(1.0 / 5)},
		{Key: "rate", Title: "requests", Unit: "/s", Target: table.RatioAtLeast(5)},
		{Key: "load cpu", Title: "CPU of the load program per request", Unit: "us"},
		{Key: "p50", Title: "p50", Unit: "ms"}, {Key: "p99", Title: "p99", Unit: "ms"}, {Key: "p999", Title: "p999", Unit: "ms"},
	}},
	{name: "fetch", about: "raw fetch of 1 MiB, 4 connections", run: fetch, metrics: byteMetrics(table.RatioAtMost(1), table.Target{})},
	{name: "client-in", about: "franz-go produces 1 KB records, its defaults, uncompressed", run: clientIn, metrics: throughputMetrics(table.Target{}, table.Target{})},
	{name: "client-out", about: "franz-go consumes 1 KB records, its defaults", run: clientOut, metrics: throughputMetrics(table.RatioAtMost(1.0/2), table.Target{})},
	{name: "latency-1k", about: "end to end through franz-go, 1,000 records/s of 512 B", run: latency(1000), metrics: latencyMetrics},
	{name: "latency-20k", about: "end to end through franz-go, 20,000 records/s of 512 B", run: latency(20_000), metrics: latencyMetrics},
	{name: "partitions", about: "2,000 partitions with a record each", run: manyPartitionsRun, metrics: []table.Metric{
		{Key: "create", Title: "to create", Unit: "s", Target: table.RatioAtMost(1.0 / 5)},
		{Key: "stop", Title: "to stop", Unit: "s"},
		{Key: "clean", Title: "restart after a clean stop", Unit: "s", Target: table.RatioAtMost(1.0 / 10)},
		{Key: "crash", Title: "restart after kill -9", Unit: "s", Target: table.RatioAtMost(1.0 / 10)},
	}},
	{name: "idle-connections", about: "10,000 idle connections", run: idleConnections, metrics: []table.Metric{
		{Key: "each", Title: "resident for each", Unit: "KB", Target: table.AtMost(10)},
		{Key: "all", Title: "resident in all", Unit: "MB", Target: table.AtMost(150)},
	}},
}

var workloads = slices.Concat(alone, clusters)

func names() []string {
	var out []string
	for _, w := range workloads {
		out = append(out, w.name)
	}
	return out
}

// sections are what the table shows.
func sections() []table.Section {
	var out []table.Section
	for _, w := range workloads {
		out = append(out, table.Section{Name: w.name, About: w.about, Metrics: w.metrics})
	}
	return out
}

func byteMetrics(cpu, throughput table.Target) []table.Metric {
	return append(throughputMetrics(cpu, throughput),
		table.Metric{Key: "p50", Title: "p50 of a request", Unit: "ms"}, table.Metric{Key: "p99", Title: "p99 of a request", Unit: "ms"},
		table.Metric{Key: "p999", Title: "p999 of a request", Unit: "ms"})
}

func throughputMetrics(cpu, throughput table.Target) []table.Metric {
	return []table.Metric{
		{Key: "cpu", Title: "broker CPU per GB", Unit: "s", Target: cpu},
		{Key: "throughput", Title: "throughput", Unit: "MB/s", Target: throughput},
		{Key: "records", Title: "records", Unit: "/s"},
		{Key: "load cpu", Title: "CPU of the load program per GB", Unit: "s"},
		{Key: "peak rss", Title: "resident at most", Unit: "MB"},
	}
}

var latencyMetrics = []table.Metric{
	{Key: "p50", Title: "p50", Unit: "ms"}, {Key: "p99", Title: "p99", Unit: "ms", Target: table.RatioAtMost(1.0 / 5)}, {Key: "p999", Title: "p999", Unit: "ms"},
	{Key: "cpu", Title: "broker CPU", Unit: "% of a core"},
}

func startUp(ctx context.Context, s *stage) error {
	took, err := s.Start(ctx, proc.Ready)
	if err != nil {
		return err
	}
	s.report("start", took.Seconds())
	if err := wait(ctx, settle); err != nil {
		return err
	}
	before, err := s.Usage()
	if err != nil {
		return err
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	after, err := s.Usage()
	s.report("rss", float64(after.RSS)/1e6)
	s.report("idle cpu", 100*(after.CPU-before.CPU).Seconds()/settle.Seconds())
	return err
}

// prepare starts the server and creates the topics of a load.
func (s *stage) prepare(ctx context.Context, partitions int32) error {
	if _, err := s.Start(ctx, proc.Ready); err != nil {
		return err
	}
	return load.CreateTopics(ctx, s.Addr(), partitions, warmTopic, topic)
}

func produce(valueSize int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		if err := s.prepare(ctx, partitions); err != nil {
			return err
		}
		p := load.Produce{Topic: warmTopic, Partitions: partitions, Connections: connections, InFlight: inFlight, Acks: -1,
			Batch: load.BatchOf(batchSize, valueSize), Limit: load.Limit{Bytes: warmBytes, Time: warmTime}}
		if _, err := p.Run(ctx, s.Addr()); err != nil {
			return err
		}
		p.Topic, p.Limit = topic, load.Limit{Bytes: measureBytes, Time: measureTime}
		c, err := s.measure(ctx, func() (*load.Result, error) { return p.Run(ctx, s.Addr()) })
		if err != nil {
			return err
		}
		s.report.perGB(c)
		s.report.latency(&c.Latency)
		return nil
	}
}

func single(ctx context.Context, s *stage) error {
	if err := s.prepare(ctx, singles); err != nil {
		return err
	}
	p := load.Produce{Topic: warmTopic, Partitions: singles, Connections: singles, InFlight: 1, Acks: -1,
		Batch: load.Batch{Records: 1, ValueSize: 100}, Limit: load.Limit{Bytes: gb, Time: warmTime}}
	if _, err := p.Run(ctx, s.Addr()); err != nil {
		return err
	}
	p.Topic, p.Limit.Time = topic, measureTime
	c, err := s.measure(ctx, func() (*load.Result, error) { return p.Run(ctx, s.Addr()) })
	if err != nil {
		return err
	}
	n := float64(c.Requests)
	s.report("cpu", c.CPU.Seconds()*1e6/n)
	s.report("load cpu", c.Result.CPU.Seconds()*1e6/n)
	s.report("rate", n/c.Elapsed.Seconds())
	s.report.latency(&c.Latency)
	return nil
}

// fetch reads what fits into the page cache, over and over.
func fetch(ctx context.Context, s *stage) error {
	if err := s.prepare(ctx, partitions); err != nil {
		return err
	}
	batch := load.BatchOf(batchSize, 1000)
	if err := fill(ctx, s, batch); err != nil {
		return err
	}
	f := load.Fetch{Topic: topic, Partitions: partitions, Connections: connections, MaxBytes: fetchSize, Batch: batch,
		Limit: load.Limit{Bytes: 4 * gb, Time: warmTime}}
	if _, err := f.Run(ctx, s.Addr()); err != nil {
		return err
	}
	f.Limit = load.Limit{Bytes: 12 * gb, Time: measureTime}
	c, err := s.measure(ctx, func() (*load.Result, error) { return f.Run(ctx, s.Addr()) })
	if err != nil {
		return err
	}
	s.report.perGB(c)
	s.report.latency(&c.Latency)
	return nil
}

// fill writes 1 GB for reading; it is not measured.
func fill(ctx context.Context, s *stage, batch load.Batch) error {
	_, err := load.Produce{Topic: topic, Partitions: partitions, Connections: connections, InFlight: inFlight, Acks: -1,
		Batch: batch, Limit: load.Limit{Bytes: gb, Time: 4 * measureTime}}.Run(ctx, s.Addr())
	return err
}

func clientIn(ctx context.Context, s *stage) error {
	if err := s.prepare(ctx, partitions); err != nil {
		return err
	}
	c := load.Client{Topic: warmTopic, Partitions: partitions, ValueSize: 1000, Limit: load.Limit{Bytes: warmBytes, Time: warmTime}}
	if _, err := c.Produce(ctx, s.Addr()); err != nil {
		return err
	}
	c.Topic, c.Limit = topic, load.Limit{Bytes: measureBytes, Time: measureTime}
	r, err := s.measure(ctx, func() (*load.Result, error) { return c.Produce(ctx, s.Addr()) })
	if err != nil {
		return err
	}
	s.report.perGB(r)
	return nil
}

func clientOut(ctx context.Context, s *stage) error {
	if err := s.prepare(ctx, partitions); err != nil {
		return err
	}
	if err := fill(ctx, s, load.BatchOf(batchSize, 1000)); err != nil {
		return err
	}
	c := load.Client{Topic: topic, Partitions: partitions, ValueSize: 1000, Limit: load.Limit{Bytes: 9 * gb / 10, Time: measureTime}}
	if _, err := c.Consume(ctx, s.Addr()); err != nil {
		return err
	}
	r, err := s.measure(ctx, func() (*load.Result, error) { return c.Consume(ctx, s.Addr()) })
	if err != nil {
		return err
	}
	s.report.perGB(r)
	return nil
}

func latency(rate int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		if err := s.prepare(ctx, partitions); err != nil {
			return err
		}
		l := load.Latency{Topic: warmTopic, Partitions: partitions, ValueSize: 512, Rate: rate, Time: warmTime}
		if _, err := l.Run(ctx, s.Addr()); err != nil {
			return err
		}
		// The clients are new, too: their first second is not counted.
		l.Topic, l.WarmUp, l.Time = topic, time.Second, 10*time.Second
		c, err := s.measure(ctx, func() (*load.Result, error) { return l.Run(ctx, s.Addr()) })
		if err != nil {
			return err
		}
		s.report.latency(&c.Latency)
		s.report("cpu", 100*c.CPU.Seconds()/(l.WarmUp+l.Time).Seconds())
		return nil
	}
}

func manyPartitionsRun(ctx context.Context, s *stage) error {
	if _, err := s.Start(ctx, proc.Ready); err != nil {
		return err
	}
	began := time.Now()
	if err := load.CreateTopics(ctx, s.Addr(), manyPartitions, topic); err != nil {
		return err
	}
	s.report("create", time.Since(began).Seconds())
	if err := load.Touch(ctx, s.Addr(), topic, manyPartitions); err != nil {
		return err
	}
	began = time.Now()
	if err := s.Stop(); err != nil {
		return err
	}
	s.report("stop", time.Since(began).Seconds())
	ready := proc.Leaders(manyPartitions, topic)
	took, err := s.Start(ctx, ready)
	if err != nil {
		return err
	}
	s.report("clean", took.Seconds())
	s.Kill()
	if took, err = s.Start(ctx, ready); err != nil {
		return err
	}
	s.report("crash", took.Seconds())
	return nil
}

func idleConnections(ctx context.Context, s *stage) error {
	if _, err := s.Start(ctx, proc.Ready); err != nil {
		return err
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	before, err := s.Usage()
	if err != nil {
		return err
	}
	held, err := load.Hold(ctx, s.Addr(), idle)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := wait(ctx, settle); err != nil {
		return err
	}
	after, err := s.Usage()
	if err != nil {
		return err
	}
	if n := held.Alive(); n != idle {
		return fmt.Errorf("%d of %d connections are still open", n, idle)
	}
	s.report("each", float64(after.RSS-before.RSS)/1e3/idle)
	s.report("all", float64(after.RSS)/1e6)
	return nil
}
