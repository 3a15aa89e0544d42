package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/api"
	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/controller"
	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/metadata/notify"
	"github.com/gregor-mq/gregor/metadata/offers"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/server"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/zk/session"
)

// Options are what a node is started with.
type Options struct {
	Config *config.Broker
	Env    env.Env
	// Levels gives loggers; nil discards all lines.
	Levels *Levels
}

// Node is one broker process.
type Node struct {
	env       env.Env
	levels    *Levels
	log       *slog.Logger
	settings  *settings
	clusterID string
	epoch     atomic.Int64 // the broker epoch, -1 before the registration

	dirs        []*storage.Dir
	missing     []replica.MissingDir // entries of log.dirs that cannot be used
	keeper      *keeper.Keeper       // nil with an external ZooKeeper
	session     session.Config
	zk          atomic.Pointer[session.Session]
	features    atomic.Int64
	cache       *metadata.Cache
	replicas    *replica.Manager
	groups      *coordinator.Coordinator
	controller  *controller.Controller
	brain       *controllerClient // of whoever is controller
	producerIDs *producerIDs
	metrics     *metrics // nil unless they are served
	server      *server.Server
	bound       []server.Bound
	broker      *api.Broker
	follower    *notify.Follower
	offers      *offers.Offers // nil unless gregor.zookeeper.legacy.registration asks for them
	previous    atomic.Int64   // the session that registered this broker before
	campaigning atomic.Bool    // the controller runs
	// hearing holds the loops over ZooKeeper's events, tasks what waits for
	// ZooKeeper or metadata on behalf of a request, group the owners' loops.
	// They end in this order, for each starts work in those behind it.
	hearing, tasks, group *run.Group
}

// Start brings a broker up and returns when it is registered and serves. ctx
// bounds the start only. What was opened before a failure is closed again.
func Start(ctx context.Context, opt Options) (*Node, error) {
	if opt.Levels == nil {
		opt.Levels = NewLevels(discard{}, slog.LevelError)
	}
	n := &Node{env: opt.Env, levels: opt.Levels, log: opt.Levels.Logger("node"), cache: metadata.NewCache()}
	n.brain = &controllerClient{n: n}
	n.settings = newSettings(opt.Config, opt.Levels.Logger("config"))
	n.features.Store(-1)
	n.epoch.Store(-1)
	n.group = run.NewGroup(context.WithoutCancel(ctx))
	n.tasks = run.NewGroup(context.WithoutCancel(ctx))
	n.hearing = run.NewGroup(n.group.Context())
	// A part that dies while others start (the keeper's disk) ends the start.
	starting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.group.Context(), func() { cancel(context.Cause(n.group.Context())) })()
	if err := n.start(starting); err != nil {
		return nil, joinDistinct(err, n.abandon())
	}
	return n, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (n *Node) start(ctx context.Context) error {
	steps := []func(context.Context) error{
		n.refuseUnserved,
		n.openDirs,                  // locks first: two brokers never share a directory
		n.startKeeper,               //
		n.connect,                   // and end our own former session
		n.outliving(n.identify),     // cluster id, broker id, meta.properties
		n.outliving(n.loadSettings), // before logs are opened
		n.serveProfiles,             //
		n.bind,                      // ports are known before they are registered
		n.startReplicas,             //
		n.outliving(n.coordinate),   //
		n.startOwners,               //
		n.serveMetrics,              //
		n.outliving(n.register),     // before anybody is heard: what was meant for a former life is stale
		n.serve,                     // the controller talks to us over our own listener
		n.campaign,                  // from here on sessions are renewed by themselves
		n.awaitMetadata,             //
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) openDirs(context.Context) error {
	b := n.settings.Broker()
	var err error
	n.dirs, n.missing, err = openDirs(n.env, b.LogDirs, n.levels.Logger("storage"))
	return err
}

func (n *Node) bind(ctx context.Context) error {
	b := n.settings.Broker()
	cfg := server.Config{
		MaxFrame:       int(b.SocketRequestMax),
		MaxConnections: connections(b.Int("max.connections")), MaxConnectionsPerIP: connections(b.Int("max.connections.per.ip")),
		InterBroker: b.InterBrokerListener, IdleTimeout: b.Millis("connections.max.idle.ms"),
		SendBuffer: int(b.Int("socket.send.buffer.bytes")), ReceiveBuffer: int(b.Int("socket.receive.buffer.bytes")),
		FrameMemory: max(b.QueuedMaxBytes, 0),
	}
	overrides, err := b.ConnectionsPerIP()
	if err != nil {
		return err
	}
	cfg.IPOverrides = map[string]int{}
	for ip, limit := range overrides {
		cfg.IPOverrides[ip] = connections(limit)
	}
	for _, l := range b.Listeners {
		if l.Protocol != config.Plaintext {
			return fmt.Errorf("listeners=%s: security protocol %v is not served yet, only PLAINTEXT", l, l.Protocol)
		}
		cfg.Listeners = append(cfg.Listeners, server.Listener{
			Name: l.Listener, Protocol: l.Protocol.String(), Address: net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))),
			MaxConnections: connections(b.Listener(l.Listener).Int("max.connections"))})
	}
	n.server = server.New(cfg, lateHandler{n}, n.env, n.levels.Logger("server"))
	n.bound, err = n.server.Bind(ctx)
	return err
}

// connections is a limit in the server's words: 0 lets nobody in.
func connections(limit int32) int {
	if limit == 0 {
		return server.Nobody
	}
	return int(limit)
}

func (n *Node) startReplicas(ctx context.Context) error {
	b := n.settings.Broker()
	n.replicas = replica.New(replica.Config{
		BrokerID:          b.ID,
		SessionSlots:      int(b.Int("max.incremental.fetch.session.cache.slots")),
		RetentionInterval: b.Millis("log.retention.check.interval.ms"), TaskDelay: b.Millis("log.initial.task.delay.ms"),
		CheckpointInterval: b.Millis("log.flush.offset.checkpoint.interval.ms"),
		WatermarkInterval:  b.Millis("replica.high.watermark.checkpoint.interval.ms"),
		FlushInterval:      flushInterval(b),
		MaxLag:             b.ReplicaLagMax,
		RackAware:          b.Text("replica.selector.class") == "org.apache.kafka.common.replica.RackAwareReplicaSelector",
		Controller:         n.brain,
		Follow:             n.following(b),
		Throttle:           n.settings.throttles.leader,
		Moves:              replica.MoveConfig{Backoff: b.Millis("replica.fetch.backoff.ms"), Throttle: n.settings.throttles.moves},
		Topic:              n.settings.Replica, Missing: n.missing, DirFailed: n.dirFailed,
	}, n.dirs, n.cache, roles{n}, n.env, n.levels.Logger("replica"))
	return n.replicas.Load(ctx, int(b.Int("num.recovery.threads.per.data.dir")))
}

// flushInterval is log.flush.scheduler.interval.ms; its default, the largest
// number, is never.
func flushInterval(b *config.Broker) time.Duration {
	every := b.Millis("log.flush.scheduler.interval.ms")
	if every == math.MaxInt64 {
		return 0
	}
	return every
}

// startOwners starts the coordinator, makes the controller and the APIs.
func (n *Node) startOwners(context.Context) error {
	if b := n.settings.Broker(); b.Bool("gregor.zookeeper.legacy.registration") {
		n.offers = offers.New(b.ID, n.acl, n.levels.Logger("zookeeper"))
		n.group.Go("offers", n.offers.Run)
	}
	n.replicas.Start(n.group.Context())
	n.group.Go("group-coordinator", n.groups.Run)
	n.controller = n.newController()
	n.producerIDs = newProducerIDs(n)
	n.broker = n.newAPI()
	return nil
}

func (n *Node) serve(context.Context) error {
	n.server.Serve(n.group.Context())
	return nil
}

// lateHandler lets the server bind before the APIs exist; no connection is
// accepted until they do.
type lateHandler struct{ n *Node }

// Handle implements server.Handler.
func (h lateHandler) Handle(r *server.Request) { handler{h.n.broker}.Handle(r) }

// Listeners returns the bound listeners, with their real ports.
func (n *Node) Listeners() []server.Bound { return n.bound }

// KeeperAddrs returns where the embedded keeper listens.
func (n *Node) KeeperAddrs() []net.Addr {
	if n.keeper == nil {
		return nil
	}
	return n.keeper.Addrs()
}

// ClusterID returns the id in /cluster/id.
func (n *Node) ClusterID() string { return n.clusterID }

// Config returns the broker's configuration in force.
func (n *Node) Config() *config.Broker { return n.settings.Broker() }

// LogCount returns how many partitions this broker holds.
func (n *Node) LogCount() int { return n.replicas.LogCount() }

// fail ends the node because of an error that no part can live with.
func (n *Node) fail(err error) {
	n.group.Go("failure", func(context.Context) error { return err })
}

// Done is closed when the node cannot go on: its keeper or its ZooKeeper
// session ended for good. Err then says why.
func (n *Node) Done() <-chan struct{} { return n.group.Context().Done() }

// Err returns why Done was closed, nil after Stop.
func (n *Node) Err() error {
	if err := context.Cause(n.group.Context()); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
