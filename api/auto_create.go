package api

import (
	stdcontext "context"

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
	cfg := a.b.Settings.Broker()
	t := admin.NewTopic{Name: name, Partitions: int(cfg.NumPartitions), Factor: int(cfg.ReplicationFactor)}
	if name == offsetsTopic {
		t.Partitions, t.Factor = int(cfg.Int("offsets.topic.num.partitions")), int(cfg.Short("offsets.topic.replication.factor"))
		t.Config = coordinator.TopicConfigs(int(cfg.Int("offsets.topic.segment.bytes")))
	}
	_, err := a.b.Topics().CreateTopic(ctx, t, a.b.liveBrokers())
	switch code, message := adminCode(err); code {
	case wire.CodeNone, wire.CodeTopicAlreadyExists:
		return wire.CodeLeaderNotAvailable
	default:
		a.b.Log.Warn("cannot create a topic that a client asked for", "topic", name, "error", message)
		return code
	}
}
