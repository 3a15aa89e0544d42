package picture

import (
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/znode"
)

// Cluster is what was known at one moment. It is never changed.
type Cluster struct {
	// Brokers are those registered, by id. One whose registration cannot be read
	// keeps the address it had, or is left out if it never had one.
	Brokers map[int32]*Broker
	// Topics are those asked for whose state was read at least once; see
	// Topic.Exists.
	Topics map[string]*Topic
	// Faults name the znodes that cannot be read as what they are, by path.
	Faults map[string]error
}

// Broker is a registered broker.
type Broker struct {
	ID        int32
	Endpoints []znode.Endpoint
}

// Addr returns where a broker listens, host:port, for a security protocol
// (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL). listener, if not empty, names the
// one listener to use instead.
func (b *Broker) Addr(protocol, listener string) (string, error) {
	i := slices.IndexFunc(b.Endpoints, func(e znode.Endpoint) bool {
		if listener != "" {
			return e.Listener == listener
		}
		return e.Protocol == protocol
	})
	switch {
	case i >= 0:
		return b.Endpoints[i].Addr(), nil
	case listener != "":
		return "", fmt.Errorf("broker %d has no listener %s", b.ID, listener)
	}
	return "", fmt.Errorf("broker %d has no listener with protocol %s", b.ID, protocol)
}

// Topic is a topic as it is assigned.
type Topic struct {
	Name string
	// Exists is false for a topic that is not there, or not any more.
	Exists bool
	// Created is the zxid that created the topic: another one is another topic of
	// the same name.
	Created int64
	// Partitions are in the order of their numbers, from 0 on without a gap.
	Partitions []Partition
	// Err says why the topic's node cannot be read; the rest is then as it was
	// before.
	Err error
}

// Partition is the state of one partition.
type Partition struct {
	Number int32
	// Replicas are the brokers that hold it, the preferred leader first.
	Replicas []int32
	// Leader is -1 while there is none, or none is known.
	Leader int32
	// LeaderEpoch counts leaders, -1 while none is known.
	LeaderEpoch int32
	ISR         []int32
	// Err says why the state's node cannot be read; leader and ISR are then as
	// they were before.
	Err error
}

// Partition returns a partition of a topic, nil if none is known.
func (c *Cluster) Partition(topic string, number int32) *Partition {
	t := c.Topics[topic]
	if t == nil || number < 0 || int(number) >= len(t.Partitions) {
		return nil
	}
	return &t.Partitions[number]
}

// Leader returns the broker that leads a partition, nil while that is not known
// or the broker is not registered.
func (c *Cluster) Leader(topic string, number int32) *Broker {
	p := c.Partition(topic, number)
	if p == nil || p.Leader < 0 {
		return nil
	}
	return c.Brokers[p.Leader]
}
