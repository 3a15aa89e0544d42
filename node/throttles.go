package node

import (
	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/quota"
)

// throttles are the limits of what replication may take (KIP-73), and moves
// between log directories (KIP-113). Their windows are fixed at the start, the
// rest changes with the configuration.
type throttles struct{ leader, follower, moves *quota.Replication }

func newThrottles(b *config.Broker) throttles {
	replication := quota.Window{Samples: int(b.Int("replication.quota.window.num")), Length: b.Seconds("replication.quota.window.size.seconds")}
	moves := quota.Window{Samples: int(b.Int("alter.log.dirs.replication.quota.window.num")), Length: b.Seconds("alter.log.dirs.replication.quota.window.size.seconds")}
	return throttles{quota.NewReplication(replication), quota.NewReplication(replication), quota.NewReplication(moves)}
}

// limit takes the rates from the broker's settings.
func (t throttles) limit(b *config.Broker) {
	t.leader.SetLimit(b.Long("leader.replication.throttled.rate"))
	t.follower.SetLimit(b.Long("follower.replication.throttled.rate"))
	t.moves.SetLimit(b.Long("replica.alter.log.dirs.io.max.bytes.per.second"))
}

// topic takes from a topic's settings which of its replicas on this broker are
// throttled.
func (t throttles) topic(name string, c *config.Topic, broker int32) {
	t.leader.SetTopic(name, quota.ParseReplicas(c.LeaderThrottled, broker))
	t.follower.SetTopic(name, quota.ParseReplicas(c.FollowerThrottled, broker))
}

// forget drops a topic that says nothing.
func (t throttles) forget(name string) {
	t.leader.SetTopic(name, quota.Replicas{})
	t.follower.SetTopic(name, quota.Replicas{})
}
