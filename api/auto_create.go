package api

import (
	stdcontext "context"
	"strconv"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/wire"
)

// creator is the Admin of this package.
type creator struct{ b *Broker }

// AutoCreate makes topics with default settings. Made or there already: the
// client is told LEADER_NOT_AVAILABLE and asks again.
func (a creator) AutoCreate(topics []string, done func(map[string]wire.Code)) {
	a.b.Run("auto-create", func(ctx stdcontext.Context) {
		codes := make([]wire.Code, len(topics))
		run.Each(len(topics), adminParallel, func(i int) { codes[i] = a.create(ctx, topics[i]) })
		out := map[string]wire.Code{}
		for i, name := range topics {
			out[name] = codes[i]
		}
		done(out)
	})
}

func (a creator) create(ctx stdcontext.Context, name string) wire.Code {
	_, err := a.b.Topics().CreateTopic(ctx, byDefault(a.b.Settings.Broker(), name), a.b.liveBrokers())
	switch code, message := adminCode(err); code {
	case wire.CodeNone, wire.CodeTopicAlreadyExists:
		return wire.CodeLeaderNotAvailable
	default:
		a.b.Log.Warn("cannot create a topic that a client asked for", "topic", name, "error", message)
		return code
	}
}

// byDefault is a topic that nobody said anything about. Those of coordinators
// have settings of their own, which every broker of the cluster must agree on:
// whichever is asked first makes them.
func byDefault(cfg *config.Broker, name string) admin.NewTopic {
	t := admin.NewTopic{Name: name, Partitions: int(cfg.NumPartitions), Factor: int(cfg.ReplicationFactor)}
	switch name {
	case offsetsTopic:
		t.Partitions, t.Factor = int(cfg.Int("offsets.topic.num.partitions")), int(cfg.Short("offsets.topic.replication.factor"))
		t.Config = coordinator.TopicConfigs(int(cfg.Int("offsets.topic.segment.bytes")))
	case transactionsTopic:
		t.Partitions, t.Factor = int(cfg.Int("transaction.state.log.num.partitions")), int(cfg.Short("transaction.state.log.replication.factor"))
		t.Config = map[string]string{
			"unclean.leader.election.enable": "false", "compression.type": "uncompressed", "cleanup.policy": "compact",
			"min.insync.replicas": strconv.Itoa(int(cfg.Int("transaction.state.log.min.isr"))),
			"segment.bytes":       strconv.Itoa(int(cfg.Int("transaction.state.log.segment.bytes"))),
		}
	}
	return t
}
