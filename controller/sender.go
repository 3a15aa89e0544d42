package controller

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

const (
	// retryBackoff is how long a sender waits after an error, as Kafka does.
	retryBackoff = 100 * time.Millisecond
	// maxQueued is how many requests may wait for one broker. One that is so far
	// behind is stuck; it is cut off, and gets everything anew with its next
	// registration.
	maxQueued = 1 << 16
)

// sender brings requests to one broker, one after the other, each again and
// again until it is answered or the broker is gone.
type sender struct {
	id    int32
	peer  Peer
	clock env.Clock
	log   *slog.Logger
	queue *run.Inbox[message]
	done  func(decide.Event)
	// ctx ends with the sender.
	ctx  context.Context
	stop context.CancelFunc
}

// newSender starts a sender in a group; it ends with close or the group.
func newSender(g *run.Group, id int32, peer Peer, clock env.Clock, log *slog.Logger, done func(decide.Event)) *sender {
	s := &sender{id: id, peer: peer, clock: clock, log: log, done: done, queue: run.NewInbox[message](maxQueued)}
	s.ctx, s.stop = context.WithCancel(g.Context())
	g.Go("controller to broker "+strconv.Itoa(int(id)), func(context.Context) error {
		defer peer.Close()
		s.run()
		return nil
	})
	return s
}

func (s *sender) put(m message) {
	if err := s.queue.TryPut(m); err != nil {
		s.log.LogAttrs(s.ctx, slog.LevelError, "broker takes no control requests: cut off",
			slog.Int("broker", int(s.id)), slog.Any("error", err))
		s.close()
	}
}

// close ends the sender without waiting: its last request may take a while to
// notice.
func (s *sender) close() {
	s.queue.Clear()
	s.queue.Close()
	s.stop()
}

func (s *sender) run() {
	for {
		// One at a time: the others stay where they are counted.
		m, err := s.queue.Get(s.ctx)
		if err != nil || !s.deliver(s.ctx, m) {
			return
		}
	}
}

// deliver sends one request until it is answered; it reports false when the
// sender is to end.
func (s *sender) deliver(ctx context.Context, m message) bool {
	for {
		answer, err := s.peer.Ask(ctx, m.body, m.version)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			s.done(m.event(answer))
			return true
		}
		s.log.LogAttrs(ctx, slog.LevelWarn, "control request failed, trying again",
			slog.Int("broker", int(s.id)), slog.Any("error", err))
		if env.Sleep(ctx, s.clock, retryBackoff) != nil {
			return false
		}
	}
}
