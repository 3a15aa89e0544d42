package link

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// logger hands franz-go's log lines on.
type logger struct{ to *slog.Logger }

// Level returns the least important level that somebody wants.
func (l logger) Level() kgo.LogLevel {
	for _, level := range []kgo.LogLevel{kgo.LogLevelDebug, kgo.LogLevelInfo, kgo.LogLevelWarn, kgo.LogLevelError} {
		if l.to.Enabled(context.Background(), levelOf(level)) {
			return level
		}
	}
	return kgo.LogLevelNone
}

// Log writes one line.
func (l logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	l.to.Log(context.Background(), levelOf(level), msg, keyvals...)
}

// levelOf puts franz-go's lines a level lower, errors and warnings excepted: they
// are about single connections.
func levelOf(level kgo.LogLevel) slog.Level {
	switch level {
	case kgo.LogLevelError:
		return slog.LevelError
	case kgo.LogLevelWarn:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
