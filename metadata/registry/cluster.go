package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// Registry writes over one session.
type Registry struct {
	calls session.Calls
	acl   func(path string) []zk.ACL
	env   env.Env
}

// New returns a Registry over a session's calls, best those of Session.Retrying.
func New(calls session.Calls, acl func(path string) []zk.ACL, e env.Env) *Registry {
	return &Registry{calls: calls, acl: acl, env: e}
}

// CreatePaths makes persistent nodes that are missing, with null data.
func (r *Registry) CreatePaths(ctx context.Context, paths []string) error {
	for _, path := range paths {
		_, _, err := r.calls.CreateRecursive(ctx, path, nil, r.acl, zk.Persistent)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
	return nil
}

// ErrNoCluster says that ZooKeeper has no cluster, though there should be one.
var ErrNoCluster = errors.New("no cluster id in ZooKeeper")

// ExistingClusterID returns the cluster's id, or ErrNoCluster, and writes
// nothing.
func (r *Registry) ExistingClusterID(ctx context.Context) (string, error) {
	data, _, err := r.calls.Get(ctx, znode.ClusterIDPath, false)
	if errors.Is(err, zk.ErrNoNode) {
		return "", ErrNoCluster
	}
	if err != nil {
		return "", err
	}
	return znode.DecodeClusterID(znode.ClusterIDPath, data)
}

// ClusterID returns the cluster's id, which the first broker draws.
func (r *Registry) ClusterID(ctx context.Context) (string, error) {
	for {
		data, _, err := r.calls.Get(ctx, znode.ClusterIDPath, false)
		if err == nil {
			return znode.DecodeClusterID(znode.ClusterIDPath, data)
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return "", err
		}
		id := wire.UUID(env.RandomUUID(r.env.Rand))
		_, _, err = r.calls.CreateRecursive(ctx, znode.ClusterIDPath, znode.EncodeClusterID(id.String()), r.acl, zk.Persistent)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return "", err
		}
	}
}

// GenerateBrokerID draws an id above reservedMax (reserved.broker.max.id) for a
// broker with broker.id=-1.
func (r *Registry) GenerateBrokerID(ctx context.Context, reservedMax int32) (int32, error) {
	for {
		stat, err := r.calls.Set(ctx, znode.BrokerSeqIDPath, []byte{}, -1)
		if err == nil {
			return stat.Version + reservedMax, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return 0, err
		}
		if err := r.CreatePaths(ctx, []string{znode.BrokerSeqIDPath}); err != nil {
			return 0, err
		}
	}
}

// CheckEndpoints refuses a broker that advertises a host and port which another
// registered broker advertises.
func (r *Registry) CheckEndpoints(ctx context.Context, id int32, endpoints []znode.Endpoint) error {
	brokers, err := r.Brokers(ctx)
	if err != nil {
		return err
	}
	for other, b := range brokers {
		if other == id {
			continue
		}
		for _, theirs := range b.Endpoints {
			for _, mine := range endpoints {
				if mine.Addr() == theirs.Addr() {
					return fmt.Errorf("endpoint %s of broker %d is in use by broker %d", mine.Addr(), id, other)
				}
			}
		}
	}
	return nil
}

// Brokers reads all registrations. Those that cannot be read are left out.
func (r *Registry) Brokers(ctx context.Context) (map[int32]znode.Broker, error) {
	names, _, err := r.calls.Children(ctx, znode.BrokerIDsPath, false)
	if err != nil {
		return nil, ignoreNoNode(err)
	}
	out := map[int32]znode.Broker{}
	for _, name := range names {
		var id int32
		if _, err := fmt.Sscan(name, &id); err != nil {
			continue
		}
		data, _, err := r.calls.Get(ctx, znode.BrokerPath(id), false)
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if b, err := znode.DecodeBroker(znode.BrokerPath(id), data); err == nil {
			out[id] = b
		}
	}
	return out, nil
}

func ignoreNoNode(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}
