package api

import (
	stdcontext "context"
	"log/slog"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/wire"
)

// Broker answers the requests of one broker.
type Broker struct {
	Owners
	table map[wire.Key]serve
}

// New returns a broker that serves everything in the registry.
func New(o Owners) *Broker {
	b := &Broker{Owners: o, table: registry()}
	if b.Admin == nil {
		b.Admin = creator{b}
	}
	return b
}

// Owners are those who own what requests are about; all fields are set.
type Owners struct {
	ID        int32
	ClusterID string
	Env       env.Env
	Log       *slog.Logger
	Settings  Settings
	Metadata  *metadata.Cache
	Replicas  *replica.Manager
	Groups    Groups
	// Admin makes topics on demand; nil for this package's own, over Topics.
	Admin Admin
	// Topics writes topics and configurations over the session in use.
	Topics func() *admin.Admin
	// Controller is this broker's.
	Controller Controller
	// Run starts what must wait (for ZooKeeper, for metadata) on a goroutine of
	// the node; its context ends when the broker stops.
	Run func(name string, f func(ctx stdcontext.Context))
	// Refresh reads the settings of topics that are about to be opened.
	Refresh func(topics []string)
	// Configs keeps what topics and brokers override.
	Configs ConfigStore
	// LogLevels are those of this broker.
	LogLevels LogLevels
	// OldOffsets keeps the offsets of OffsetCommit and OffsetFetch v0.
	OldOffsets OldOffsets
	// ProducerIDs hands out producer ids for InitProducerId.
	ProducerIDs ProducerIDs
	// FeatureEpoch returns the dataVersion of /feature, -1 before it is known.
	FeatureEpoch func() int64
}

// Settings gives the configuration in force at the moment of the call.
type Settings interface {
	// Broker returns the broker's own.
	Broker() *config.Broker
	// Topic returns a topic's effective settings, from /config/topics.
	Topic(name string) *config.Topic
}

// ProducerIDs hands out ids that no other producer of the cluster has.
type ProducerIDs interface {
	// Next calls done with a new id, or with COORDINATOR_LOAD_IN_PROGRESS
	// while a block of ids is being fetched from the controller.
	Next(done func(id int64, err error))
}

// Admin is what changes topics and configurations.
type Admin interface {
	// AutoCreate makes topics with default settings because a client asked for
	// their metadata; done gets what to answer for each.
	AutoCreate(topics []string, done func(map[string]wire.Code))
}

// Controller is what handlers ask this broker's controller.
type Controller interface {
	// Active reports whether this broker is the controller.
	Active() bool
	// Ask puts an event into the controller's queue and waits for its answer.
	Ask(ctx stdcontext.Context, with func(tag uint64) decide.Event) decide.Answer
}

// The internal topics of Kafka: hidden from deletion and marked in Metadata.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

func isInternal(topic string) bool { return topic == offsetsTopic || topic == transactionsTopic }
