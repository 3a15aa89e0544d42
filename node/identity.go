package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/metadata/registry"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// registry returns the registry over the session in use.
func (n *Node) registry() *registry.Registry {
	return registry.New(n.zk.Load().Retrying(), n.acl, n.env)
}

// identify finds out which cluster and which broker this is, and makes the log
// directories say so. A directory of another cluster or broker is an error,
// and nothing in it is changed.
func (n *Node) identify(ctx context.Context) error {
	r := n.registry()
	if err := n.expectCluster(ctx, r); err != nil {
		return err
	}
	if err := r.CreatePaths(ctx, znode.PersistentPaths()); err != nil {
		return err
	}
	var err error
	if n.clusterID, err = r.ClusterID(ctx); err != nil {
		return err
	}
	b := n.settings.Broker()
	meta, err := storage.ClaimDirs(n.dirs, storage.Meta{BrokerID: b.ID, ClusterID: n.clusterID})
	if err != nil {
		return err
	}
	if meta.BrokerID < 0 {
		if meta.BrokerID, err = r.GenerateBrokerID(ctx, b.Int("reserved.broker.max.id")); err != nil {
			return err
		}
	}
	n.settings.setID(meta.BrokerID)
	for _, d := range n.dirs {
		if err := d.WriteMeta(meta); err != nil {
			return err
		}
	}
	return nil
}

// expectCluster refuses a ZooKeeper that knows no cluster when the log
// directories belong to one: its data is gone, or it is another one. A new
// cluster begun there would hide what is left.
func (n *Node) expectCluster(ctx context.Context, r *registry.Registry) error {
	known, err := storage.ClaimDirs(n.dirs, storage.Meta{BrokerID: n.settings.Broker().ID})
	if err != nil || known.ClusterID == "" {
		return err
	}
	_, err = r.ExistingClusterID(ctx)
	if errors.Is(err, registry.ErrNoCluster) {
		where, mend := n.settings.Broker().ZooKeeperConnect, "check zookeeper.connect"
		if n.keeper != nil {
			where, mend = n.settings.Broker().Keeper.DataDir, "check gregor.keeper.data.dir"
		}
		return fmt.Errorf("%s says cluster.id=%s, but %s holds no cluster (%w): %s or restore its data; to begin a new cluster, choose empty log.dirs",
			n.dirs[0].Path(), known.ClusterID, where, err, mend)
	}
	return err
}

// register makes this broker's ephemeral node under the session in use.
func (n *Node) register(ctx context.Context) error {
	b := n.settings.Broker()
	endpoints, err := n.advertised()
	if err != nil {
		return err
	}
	r, z := n.registry(), n.zk.Load()
	if err := r.CheckEndpoints(ctx, b.ID, endpoints); err != nil {
		return err
	}
	self := znode.Broker{Version: registrationVersion(b.Protocol), Endpoints: endpoints, JMXPort: -1, Timestamp: n.env.Clock.Now().UnixMilli()}
	if b.Rack != "" {
		self.Rack = &b.Rack
	}
	epoch, err := r.Register(ctx, registry.Registration{
		ID: b.ID, Broker: self, Session: z.ID(), Previous: n.previous.Load(), Wait: z.Timeout() + registrationGrace,
		Waiting: func(who string, limit time.Duration) {
			n.levels.screen("node").Info("the broker id is taken: waiting for who has it to go", "broker", b.ID, "taken", who, "limit", limit)
		},
	})
	if err != nil {
		return err
	}
	n.previous.Store(z.ID())
	n.epoch.Store(epoch)
	n.replicas.SetBrokerEpoch(epoch)
	if n.offers != nil {
		n.offers.Attach(z)
	}
	n.log.Info("registered", "broker", b.ID, "epoch", epoch, "cluster", n.clusterID)
	return nil
}

// registrationGrace is added to the session timeout when a former registration
// is waited for: servers expire sessions a tick late.
const registrationGrace = 3 * time.Second

// registrationVersion is that of /brokers/ids/N by inter.broker.protocol.version.
func registrationVersion(p config.ProtocolVersion) int32 {
	switch {
	case p.AtLeast("2.7-IV0"):
		return 5
	case p.AtLeast("0.10.0-IV1"):
		return 4
	}
	return 2
}

// advertised returns the endpoints to register: advertised.listeners with ports
// that were bound and hosts that were left out filled in.
func (n *Node) advertised() ([]znode.Endpoint, error) {
	var out []znode.Endpoint
	for _, e := range n.settings.Broker().Advertised {
		host := e.Host
		if host == "" {
			name, err := n.hostname()
			if err != nil {
				return nil, fmt.Errorf("advertised.listeners=%s has no host, and this machine has no name: %w", e, err)
			}
			host = name
		}
		port := e.Port
		for _, bound := range n.bound {
			if tcp, ok := bound.Addr.(*net.TCPAddr); ok && bound.Name == e.Listener && port == 0 {
				port = int32(tcp.Port)
			}
		}
		out = append(out, znode.Endpoint{Listener: e.Listener, Protocol: e.Protocol.String(), Host: host, Port: port})
	}
	return out, nil
}

// hostname is what this machine calls itself.
func (n *Node) hostname() (string, error) {
	name, err := n.env.FS.ReadFile("/proc/sys/kernel/hostname")
	if err != nil {
		return "", err
	}
	return cmp.Or(strings.TrimSpace(string(name)), "localhost"), nil
}

// watchFeatures reads the version of /feature and watches it: its dataVersion
// is the epoch that ApiVersions tells.
func (n *Node) watchFeatures(ctx context.Context) error {
	stat, err := n.zk.Load().Retrying().Exists(ctx, znode.FeaturePath, true)
	switch {
	case err == nil:
		n.features.Store(int64(stat.Version))
	case errors.Is(err, zk.ErrNoNode):
		n.features.Store(-1)
	default:
		return err
	}
	return nil
}
