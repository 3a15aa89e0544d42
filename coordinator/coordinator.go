package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// Coordinator coordinates the consumer groups of the partitions of
// __consumer_offsets that this broker leads. Its methods never wait: they call
// done once, at once or later from a loop, where done must not wait either.
type Coordinator struct {
	cfg     Config
	rand    env.Rand
	loops   []*loop
	loads   *loadQueue
	tickets atomic.Uint64
}

// New returns a coordinator that begins to work with Run.
func New(cfg Config, logs Appender, clock env.Clock, rand env.Rand, log *slog.Logger) *Coordinator {
	c := &Coordinator{cfg: cfg, rand: rand, loads: newLoadQueue()}
	for range loops {
		c.loops = append(c.loops, newLoop(cfg, logs, c.loads, clock, log))
	}
	return c
}

// Run works until ctx ends, then answers all who wait and refuses what comes
// after with COORDINATOR_NOT_AVAILABLE.
func (c *Coordinator) Run(ctx context.Context) error {
	g := run.NewGroup(ctx)
	for i, l := range c.loops {
		g.Go(fmt.Sprintf("group-coordinator-%d", i), l.run)
	}
	for i := range loaders {
		g.Go(fmt.Sprintf("group-loader-%d", i), c.loads.run)
	}
	err := g.Wait()
	g.Stop()
	return err
}

// PartitionFor returns the partition of __consumer_offsets that holds a group;
// its leader is the group's coordinator (FindCoordinator).
func (c *Coordinator) PartitionFor(name string) int32 {
	return group.Partition(name, c.cfg.Partitions)
}

// loopOf returns the loop that owns a partition.
func (c *Coordinator) loopOf(partition int32) *loop {
	return c.loops[uint32(partition)%uint32(len(c.loops))]
}

// OnLeader says that this broker became leader of a partition of
// __consumer_offsets; epochs older than one already seen are ignored.
func (c *Coordinator) OnLeader(partition, epoch int32) {
	c.loopOf(partition).box.post(lead{partition, epoch})
}

// OnResign says that this broker stopped leading a partition of
// __consumer_offsets by epoch, or for good with epoch -1.
func (c *Coordinator) OnResign(partition, epoch int32) {
	c.loopOf(partition).box.post(resign{partition, epoch})
}

// OnPartitionsDeleted says that partitions of topics no longer exist; their
// offsets are removed from all groups. The slice is not to be changed after.
func (c *Coordinator) OnPartitionsDeleted(topics []group.TopicPartitions) {
	if len(topics) == 0 {
		return
	}
	for _, l := range c.loops {
		l.box.post(deletion{group.PartitionsDeleted{Topics: topics}})
	}
}
