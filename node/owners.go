package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/api"
	"github.com/gregor-mq/gregor/controller"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// roles tells the coordinators which partitions of their topics this broker
// leads.
type roles struct{ n *Node }

// BecameLeader implements replica.Listener.
func (r roles) BecameLeader(topic string, partition, leaderEpoch int32) {
	if topic == coordinator.Topic {
		r.n.groups.OnLeader(partition, leaderEpoch)
	}
	if r.n.offers != nil {
		r.n.offers.Lead(topic, partition, true)
	}
}

// Resigned implements replica.Listener.
func (r roles) Resigned(topic string, partition, leaderEpoch int32, _ bool) {
	if topic == coordinator.Topic {
		r.n.groups.OnResign(partition, leaderEpoch)
	}
	if r.n.offers != nil {
		r.n.offers.Lead(topic, partition, false)
	}
}

// coordinate makes the coordinator of groups.
func (n *Node) coordinate(ctx context.Context) error {
	b := n.settings.Broker()
	cfg := coordinator.DefaultConfig()
	cfg.Group.MinSession = b.Millis("group.min.session.timeout.ms")
	cfg.Group.MaxSession = b.Millis("group.max.session.timeout.ms")
	cfg.Group.MaxSize = int(b.Int("group.max.size"))
	cfg.Group.InitialDelay = b.Millis("group.initial.rebalance.delay.ms")
	cfg.Group.MaxMetadata = int(b.Int("offset.metadata.max.bytes"))
	cfg.Group.Retention = time.Duration(b.Int("offsets.retention.minutes")) * time.Minute
	cfg.RetentionCheck = b.Millis("offsets.retention.check.interval.ms")
	cfg.LoadBuffer = int(b.Int("offsets.load.buffer.size"))
	cfg.Codec = record.Codec(b.Int("offsets.topic.compression.codec"))
	var err error
	if cfg.Partitions, err = n.offsetsPartitions(ctx); err != nil {
		return err
	}
	logs := appender{replicas: n.replicas, topic: coordinator.Topic, timeout: b.Millis("offsets.commit.timeout.ms")}
	n.groups = coordinator.New(cfg, logs, n.env.Clock, n.env.Rand, n.levels.Logger("group"))
	return nil
}

// offsetsPartitions counts the partitions of __consumer_offsets: of the topic,
// or of the configuration while there is none.
func (n *Node) offsetsPartitions(ctx context.Context) (int32, error) {
	path := znode.TopicPath(coordinator.Topic)
	data, _, err := n.zk.Load().Retrying().Get(ctx, path, false)
	if isNoNode(err) {
		return n.settings.Broker().Int("offsets.topic.num.partitions"), nil
	}
	if err != nil {
		return 0, err
	}
	t, err := znode.DecodeTopic(path, data)
	return int32(len(t.Partitions)), err
}

func (n *Node) newController() *controller.Controller {
	b := n.settings.Broker()
	listener := b.ControlPlaneListener
	if listener == "" {
		listener = b.InterBrokerListener
	}
	var tell func(controller.Notice)
	if b.Has(metricsListener) {
		n.metrics = newMetrics(n)
		tell = n.metrics.event
	}
	return controller.New(controller.Config{
		Decide: decide.Config{
			BrokerID: b.ID, DeleteTopics: b.DeleteTopics,
			UncleanElection: b.Bool("unclean.leader.election.enable"), AutoBalance: b.Bool("auto.leader.rebalance.enable"),
			BalanceInterval: b.Seconds("leader.imbalance.check.interval.seconds"), BalancePercent: int(b.Int("leader.imbalance.per.broker.percentage")),
		},
		Protocol: b.Protocol, Listener: listener, ACL: n.acl,
		Dial: func(address string) controller.Peer {
			return rpc.New(n.group.Context(), rpc.Config{Address: address, ClientID: fmt.Sprint(b.ID), Timeout: b.Millis("request.timeout.ms")}, n.env)
		},
		OnEvent: tell, Log: n.levels.Logger("controller"), StateLog: n.levels.Logger("state-change"),
	}, n.env)
}

// newAPI joins the owners behind the request handlers.
func (n *Node) newAPI() *api.Broker {
	return api.New(api.Owners{
		ID: n.settings.Broker().ID, ClusterID: n.clusterID, Env: n.env, Log: n.levels.Logger("api"),
		Settings: n.settings, Metadata: n.cache, Replicas: n.replicas, Groups: n.groups,
		Topics: n.admin, Controller: n.controller, Run: n.runTask, Refresh: n.refreshTopics,
		Configs: configStore{n}, LogLevels: n.levels, OldOffsets: oldOffsets{n},
		ProducerIDs: n.producerIDs, FeatureEpoch: n.features.Load,
	})
}

// runTask starts work that waits for others on a goroutine of the node.
func (n *Node) runTask(name string, f func(ctx context.Context)) {
	n.tasks.Go(name, func(ctx context.Context) error {
		f(ctx)
		return nil
	})
}

// campaign enters the controller's election and follows the session's events,
// of which the first may be its end.
func (n *Node) campaign(ctx context.Context) error {
	n.follower = n.newFollower()
	z := n.zk.Load()
	n.follower.Attach(z.Retrying())
	if err := n.watchFeatures(ctx); err != nil && !errors.Is(err, zk.ErrSessionExpired) {
		return err
	}
	n.campaigning.Store(true)
	n.controller.Start(n.group.Context(), z)
	n.listen("config-changes", n.follower.Run)
	n.listen("zookeeper", n.follow)
	return nil
}

// listen starts a loop over ZooKeeper's events. A broker that hears nothing any
// more must not go on.
func (n *Node) listen(name string, loop func(context.Context) error) {
	n.hearing.Go(name, func(ctx context.Context) error {
		if err := loop(ctx); err != nil && ctx.Err() == nil {
			n.fail(fmt.Errorf("%s: %w", name, err))
		}
		return nil
	})
}

// hear hands one event of the session to those whom it may concern.
func (n *Node) hear(ev zk.Event) {
	n.controller.HandleWatch(ev)
	n.follower.HandleWatch(ev)
	if ev.Path == znode.FeaturePath && ev.Type != zk.EventNone {
		n.runTask("features", func(ctx context.Context) {
			if err := n.watchFeatures(ctx); err != nil {
				n.log.Error("cannot read the feature node", "error", err)
			}
		})
	}
}
