package controller

import (
	"context"
	"log/slog"

	"github.com/gregor-mq/gregor/controller/decide"
)

// logChange writes what Kafka has in state-change.log.
func logChange(log *slog.Logger, c decide.Change) {
	ctx := context.Background()
	if !log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	where := slog.Group("", "topic", c.Topic, "partition", c.Partition)
	if c.Replica >= 0 {
		log.LogAttrs(ctx, slog.LevelDebug, "replica changed state", where, slog.Int("replica", int(c.Replica)),
			slog.String("from", c.From), slog.String("to", c.To))
		return
	}
	log.LogAttrs(ctx, slog.LevelDebug, "partition changed state", where,
		slog.String("from", c.From), slog.String("to", c.To), slog.Int("leader", int(c.Leader)), slog.Any("isr", c.ISR))
}
