package node

import (
	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/replica/follow"
)

// following says how this broker copies partitions from their leaders.
func (n *Node) following(b *config.Broker) replica.FollowConfig {
	return replica.FollowConfig{Listener: b.InterBrokerListener, Config: follow.Config{
		Protocol: b.Protocol, Fetchers: int(b.Int("num.replica.fetchers")),
		MaxWait: b.Millis("replica.fetch.wait.max.ms"), MinBytes: b.Int("replica.fetch.min.bytes"),
		MaxBytes: b.Int("replica.fetch.response.max.bytes"), PartitionBytes: b.Int("replica.fetch.max.bytes"),
		Backoff: b.Millis("replica.fetch.backoff.ms"), Throttle: n.settings.throttles.follower,
		Dial: func(address, clientID string) follow.Peer {
			return rpc.New(n.group.Context(), rpc.Config{
				Address: address, ClientID: clientID, Timeout: b.Millis("replica.socket.timeout.ms"),
				// One batch may exceed what was asked for.
				MaxResponse: max(rpc.DefaultMaxResponse, 2*int(b.Int("replica.fetch.response.max.bytes"))),
			}, n.env)
		},
	}}
}
