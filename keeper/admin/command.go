package admin

import (
	"context"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// Command is one that can be given over HTTP.
type Command struct {
	// Names are those it goes by, the one that is listed first.
	Names []string
	// Idle is set for what is answered where no leader is heard.
	Idle bool
	// Protected wants every permission on the root node.
	Protected bool
	// Get or Post answers; the other is nil.
	Get  func(ctx context.Context, args url.Values) Answer
	Post func(ctx context.Context, body io.Reader) Answer
}

// Answer is what a command says.
type Answer struct {
	// Fields come before those that every answer has, command and error. One
	// that is called error takes that place.
	Fields Object
	// Status is of HTTP, 0 for 200.
	Status int
	// Headers go with it.
	Headers Object
	// Stream is sent instead of JSON when it is not nil, and closed. It has Size
	// bytes.
	Stream io.ReadCloser
	Size   int64
}

// appendAnswer writes an answer's JSON.
func appendAnswer(dst []byte, command string, fields Object, fault any) []byte {
	all := append(Object{}, fields...)
	all = append(all, Field{"command", command})
	for _, f := range fields {
		if f.Name == "error" {
			return appendJSON(dst, all, 0)
		}
	}
	return appendJSON(dst, append(all, Field{"error", fault}), 0)
}

// Limiter lets something happen once in a while.
type Limiter struct {
	clock env.Clock
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

// NewLimiter returns a limiter; with every 0 or less there is no limit.
func NewLimiter(clock env.Clock, every time.Duration) *Limiter {
	return &Limiter{clock: clock, every: every}
}

// Allow reports whether it may happen now, and takes note.
func (l *Limiter) Allow() bool {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next) {
		return false
	}
	l.next = now.Add(l.every)
	return true
}
