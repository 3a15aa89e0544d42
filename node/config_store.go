package node

import (
	"context"
	"strconv"

	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/znode"
)

// admin returns the writer of topics and configurations over the session in
// use.
func (n *Node) admin() *admin.Admin {
	return admin.New(n.zk.Load().Retrying(), admin.Config{ACL: n.acl, Rand: n.env.Rand})
}

// configStore implements api.ConfigStore in ZooKeeper.
type configStore struct{ n *Node }

func brokerEntity(id *int32) znode.Entity {
	if id == nil {
		return znode.Entity{Broker: znode.Defaults()}
	}
	return znode.Entity{Broker: znode.Named(strconv.Itoa(int(*id)))}
}

func (s configStore) get(e znode.Entity, done func(map[string]string, error)) {
	s.n.runTask("read-config", func(ctx context.Context) { done(s.n.admin().Config(ctx, e)) })
}

func (s configStore) set(e znode.Entity, values map[string]string, done func(error)) {
	s.n.runTask("write-config", func(ctx context.Context) { done(s.n.admin().SetConfig(ctx, e, values)) })
}

// Topic implements api.ConfigStore.
func (s configStore) Topic(name string, done func(map[string]string, error)) {
	s.get(znode.Entity{Topic: znode.Named(name)}, done)
}

// SetTopic implements api.ConfigStore.
func (s configStore) SetTopic(name string, overrides map[string]string, done func(error)) {
	s.set(znode.Entity{Topic: znode.Named(name)}, overrides, done)
}

// Broker implements api.ConfigStore.
func (s configStore) Broker(id *int32, done func(map[string]string, error)) {
	s.get(brokerEntity(id), done)
}

// SetBroker implements api.ConfigStore.
func (s configStore) SetBroker(id *int32, values map[string]string, done func(error)) {
	s.set(brokerEntity(id), values, done)
}
