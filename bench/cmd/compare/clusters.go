package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/bench/proc"
	"github.com/gregor-mq/gregor/bench/table"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// clusters are the workloads of three brokers, every partition on all of them.
var clusters = []workload{
	{name: "cluster-create", about: "2,000 partitions of 3 replicas, 3 brokers", cluster: clusterCreate, metrics: []table.Metric{
		{Key: "create", Title: "to create, until all brokers show all leaders", Unit: "s", Target: table.RatioAtMost(1.0 / 5)},
		{Key: "cpu", Title: "CPU of all brokers", Unit: "s"},
		{Key: "keeper cpu", Title: "CPU of the keeper or ZooKeeper", Unit: "s"},
	}},
	{name: "cluster-failover", about: "the same, the controller's broker killed", cluster: clusterFailover, metrics: []table.Metric{
		{Key: "failover", Title: "from the new controller's election to its last new leader in another's Metadata", Unit: "s", Target: table.RatioAtMost(1.0 / 5)},
		{Key: "detect", Title: "from the kill to that election", Unit: "s"},
	}},
	{name: "cluster-produce", about: "raw produce, 100 KB batches of 1 KB records, acks=all, 6 partitions of 3 replicas, 6 connections with 8 in flight", cluster: clusterProduce, metrics: byteMetrics(table.RatioAtMost(1.0/4), table.RatioAtLeast(3))},
	{name: "cluster-latency", about: "end to end through franz-go, 3 replicas, 1,000 records/s of 512 B", cluster: clusterLatency, metrics: latencyMetrics},
	{name: "cluster-idle", about: "2,000 idle partitions of 3 replicas, 3 brokers", cluster: clusterIdle, metrics: []table.Metric{
		{Key: "idle cpu", Title: "CPU of all brokers", Unit: "% of a core", Target: table.RatioAtMost(1.0 / 5)},
		{Key: "keeper cpu", Title: "CPU of the keeper or ZooKeeper", Unit: "% of a core"},
		{Key: "rss", Title: "resident, each broker", Unit: "MB", Target: table.RatioAtMost(1.0 / 4)},
	}},
}

const (
	replicas          = proc.ClusterSize
	clusterPartitions = 2 * proc.ClusterSize

	// Every byte is written once per replica: the page cache has to hold them all.
	clusterWarmBytes    = warmBytes / replicas
	clusterMeasureBytes = measureBytes / replicas

	// idleTime is long enough to hold what brokers do every few seconds.
	idleTime = 20 * time.Second
)

// clusterStage is one run of one workload against one cluster.
type clusterStage struct {
	*proc.Cluster
	report reporter
}

// prepare starts the cluster and creates the topics of a load.
func (s *clusterStage) prepare(ctx context.Context, partitions int32, topics ...string) error {
	if err := s.Start(ctx); err != nil {
		return err
	}
	return load.CreateReplicated(ctx, s.Addrs(), partitions, replicas, topics...)
}

// spent is what a cluster used up in a span of time.
type spent struct {
	brokers, keeper time.Duration // of CPU
	rss, peak       int64         // bytes, of all brokers, at its end
}

// measure runs something and takes the CPU time of all processes around it.
func (s *clusterStage) measure(f func() error) (spent, error) {
	before, keeperBefore, err := s.Usage()
	if err != nil {
		return spent{}, err
	}
	if err := f(); err != nil {
		return spent{}, err
	}
	after, keeperAfter, err := s.Usage()
	if err != nil {
		return spent{}, err
	}
	if len(after) != len(before) {
		return spent{}, fmt.Errorf("%d brokers ran before, %d after", len(before), len(after))
	}
	out := spent{keeper: keeperAfter.CPU - keeperBefore.CPU}
	for i := range after {
		out.brokers += after[i].CPU - before[i].CPU
		out.rss += after[i].RSS
		out.peak += after[i].Peak
	}
	return out, nil
}

// of makes the cost of a load of what the brokers spent.
func (c spent) of(r *load.Result) cost { return cost{Result: r, CPU: c.brokers, RSS: c.peak} }

func clusterCreate(ctx context.Context, s *clusterStage) error {
	if err := s.Start(ctx); err != nil {
		return err
	}
	began := time.Now()
	used, err := s.measure(func() error { return load.CreateReplicated(ctx, s.Addrs(), manyPartitions, replicas, topic) })
	if err != nil {
		return err
	}
	s.report("create", time.Since(began).Seconds())
	s.report("cpu", used.brokers.Seconds())
	s.report("keeper cpu", used.keeper.Seconds())
	return nil
}

func clusterFailover(ctx context.Context, s *clusterStage) error {
	if err := s.prepare(ctx, manyPartitions, topic); err != nil {
		return err
	}
	zk, err := session.Dial(ctx, session.Config{Servers: []string{s.ZooKeeper()}}, env.Real())
	if err != nil {
		return err
	}
	defer zk.Close(context.WithoutCancel(ctx))
	controller, err := load.Controller(ctx, s.Addrs()[0])
	if err != nil {
		return err
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	killed := time.Now()
	s.Kill(int(controller))
	witness := s.Addrs()[(controller+1)%replicas]
	if err := load.WaitOtherLeaders(ctx, witness, controller, manyPartitions, topic); err != nil {
		return err
	}
	visible := time.Now()
	// The ensemble notes when the winner made the node; all run on one clock.
	data, stat, err := zk.Retrying().Get(ctx, znode.ControllerPath, false)
	if err != nil {
		return err
	}
	now, err := znode.DecodeController(znode.ControllerPath, data)
	if err != nil {
		return err
	}
	if now.BrokerID == controller {
		return fmt.Errorf("broker %d is still the controller after it was killed", controller)
	}
	elected := time.UnixMilli(stat.Ctime)
	s.report("failover", visible.Sub(elected).Seconds())
	s.report("detect", elected.Sub(killed).Seconds())
	return nil
}

func clusterProduce(ctx context.Context, s *clusterStage) error {
	if err := s.prepare(ctx, clusterPartitions, warmTopic, topic); err != nil {
		return err
	}
	p := load.Produce{Topic: warmTopic, Partitions: clusterPartitions, Connections: clusterPartitions, InFlight: inFlight, Acks: -1,
		Batch: load.BatchOf(batchSize, 1000), Limit: load.Limit{Bytes: clusterWarmBytes, Time: warmTime}}
	run := func() (*load.Result, error) {
		leaders, err := load.LeaderAddrs(ctx, s.Addrs()[0], p.Topic)
		if err != nil {
			return nil, err
		}
		return p.RunAt(ctx, leaders)
	}
	if _, err := run(); err != nil {
		return err
	}
	p.Topic, p.Limit = topic, load.Limit{Bytes: clusterMeasureBytes, Time: measureTime}
	var r *load.Result
	used, err := s.measure(func() (err error) {
		r, err = run()
		return err
	})
	if err != nil {
		return err
	}
	s.report.perGB(used.of(r))
	s.report.latency(&r.Latency)
	return nil
}

func clusterLatency(ctx context.Context, s *clusterStage) error {
	if err := s.prepare(ctx, clusterPartitions, warmTopic, topic); err != nil {
		return err
	}
	l := load.Latency{Topic: warmTopic, Partitions: clusterPartitions, ValueSize: 512, Rate: 1000, Time: warmTime}
	if _, err := l.Run(ctx, s.Addrs()[0]); err != nil {
		return err
	}
	l.Topic, l.WarmUp, l.Time = topic, time.Second, 10*time.Second
	var r *load.Result
	used, err := s.measure(func() (err error) {
		r, err = l.Run(ctx, s.Addrs()[0])
		return err
	})
	if err != nil {
		return err
	}
	s.report.latency(&r.Latency)
	s.report("cpu", 100*used.brokers.Seconds()/(l.WarmUp+l.Time).Seconds())
	return nil
}

func clusterIdle(ctx context.Context, s *clusterStage) error {
	if err := s.prepare(ctx, manyPartitions, topic); err != nil {
		return err
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	used, err := s.measure(func() error { return wait(ctx, idleTime) })
	if err != nil {
		return err
	}
	s.report("idle cpu", 100*used.brokers.Seconds()/idleTime.Seconds())
	s.report("keeper cpu", 100*used.keeper.Seconds()/idleTime.Seconds())
	s.report("rss", float64(used.rss)/replicas/1e6)
	return nil
}
