package controller

import (
	"context"
	"log/slog"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// Zookeeper is what the controller needs of a session; *session.Session is one.
type Zookeeper interface {
	// DoRetry pipelines requests, sending again those that met a lost connection,
	// and returns their responses in order.
	DoRetry(ctx context.Context, reqs []zk.Request) []session.Response
}

// Peer sends requests to one broker. *rpc.Client is one.
type Peer interface {
	// Ask sends one request in that version and waits for its answer.
	Ask(ctx context.Context, req wire.Body, version int16) (wire.Body, error)
	// Close ends what is in flight.
	Close() error
}

// Config is what a controller is made with.
type Config struct {
	// Decide configures the machine. Its FeatureVersion and LeaderRecovery are
	// set from Protocol, its NewTopicID may be left nil.
	Decide decide.Config
	// Protocol is inter.broker.protocol.version.
	Protocol config.ProtocolVersion
	// Listener names the listener to reach brokers at: control.plane.listener.name,
	// else inter.broker.listener.name.
	Listener string
	// ACL returns the ACL of a node that is made; nil for world:anyone.
	ACL func(path string) []zk.ACL
	// Dial makes a connection to a broker's listener. It connects lazily: errors
	// come from Ask.
	Dial func(address string) Peer
	// OnEvent is told what the controller did, for logs, metrics and the console;
	// nil for nobody. It runs on the controller's goroutine and must not block.
	OnEvent func(Notice)
	// Log gets what the machine reports; nil for none.
	Log *slog.Logger
	// StateLog gets every step of the partition and replica machines, at DEBUG;
	// nil for none.
	StateLog *slog.Logger
}

// Notice is one thing that happened on the controller.
type Notice struct {
	// Event is what was handled, Took for how long it was in work, Waited how
	// long it stood in the queue.
	Event        decide.Event
	Took, Waited time.Duration
	// Refused are the state changes that were illegal or failed.
	Refused []decide.Refused
}

// versions are those of the control requests, by inter.broker.protocol.version.
type versions struct{ leaderAndISR, updateMetadata, stopReplica int16 }

// gate is one line of Kafka's table: from a release on, a version.
type gate struct {
	release string
	version int16
}

var (
	leaderAndISRGates   = []gate{{"3.4-IV0", 7}, {"3.2-IV0", 6}, {"2.8-IV1", 5}, {"2.4-IV1", 4}, {"2.4-IV0", 3}, {"2.2-IV0", 2}, {"1.0-IV0", 1}}
	updateMetadataGates = []gate{{"3.4-IV0", 8}, {"2.8-IV1", 7}, {"2.4-IV1", 6}, {"2.2-IV0", 5}, {"1.0-IV0", 4}, {"0.10.2-IV0", 3}, {"0.10.0-IV1", 2}, {"0.9.0", 1}}
	stopReplicaGates    = []gate{{"3.4-IV0", 4}, {"2.6-IV0", 3}, {"2.4-IV1", 2}, {"2.2-IV0", 1}}
)

func pick(p config.ProtocolVersion, gates []gate) int16 {
	for _, g := range gates {
		if p.AtLeast(g.release) {
			return g.version
		}
	}
	return 0
}

func versionsOf(p config.ProtocolVersion) versions {
	return versions{pick(p, leaderAndISRGates), pick(p, updateMetadataGates), pick(p, stopReplicaGates)}
}

// featureVersion is the version of /feature, 0 where it is disabled.
func featureVersion(p config.ProtocolVersion) int {
	switch {
	case p.AtLeast("3.3-IV0"):
		return 2
	case p.AtLeast("2.7-IV0"):
		return 1
	}
	return 0
}
