package controller

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"

	"github.com/gregor-mq/gregor/controller/decide"
)

// effect does one thing that the machine asks for.
func (c *Controller) effect(ctx context.Context, e decide.Effect) {
	switch e := e.(type) {
	case decide.Connect:
		c.connect(ctx, e.Broker)
	case decide.Disconnect:
		c.disconnect(e.ID)
	case decide.Send:
		c.send(ctx, e)
	case decide.Reply:
		c.reply(e)
	case decide.After:
		c.after(e)
	case decide.Enqueue:
		c.put(entry{event: e.Event})
	case decide.Elected:
		c.log.LogAttrs(ctx, slog.LevelInfo, "elected as controller", slog.Int("epoch", int(e.Epoch)))
	case decide.Resigned:
		c.closeSenders()
		c.stopTimers()
		c.log.LogAttrs(ctx, slog.LevelInfo, "resigned as controller")
	case decide.Leader:
		c.leader.Store(e.ID)
	case decide.Refused:
		c.refused = append(c.refused, e)
		c.log.LogAttrs(ctx, slog.LevelError, "state change refused", slog.String("of", e.Subject),
			slog.String("from", e.From), slog.String("to", e.To), slog.String("why", e.Why))
	case decide.Note:
		level := slog.LevelInfo
		if e.Warn {
			level = slog.LevelWarn
		}
		c.log.LogAttrs(ctx, level, e.Text)
	case decide.Znodes:
		// step does them.
	}
}

func (c *Controller) connect(ctx context.Context, b decide.Broker) {
	c.disconnect(b.ID)
	e, ok := endpoint(b, c.cfg.Listener)
	if !ok {
		c.log.LogAttrs(ctx, slog.LevelError, "broker has no listener to control it by",
			slog.Int("broker", int(b.ID)), slog.String("listener", c.cfg.Listener))
		return
	}
	peer := c.cfg.Dial(net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
	sender := newSender(c.group, b.ID, peer, c.env.Clock, c.log, func(ev decide.Event) {
		if ev != nil {
			c.put(entry{event: ev})
		}
	})
	c.senders[b.ID] = sender
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.requests[b.ID] = sender.queue
}

func (c *Controller) disconnect(id int32) {
	if s := c.senders[id]; s != nil {
		s.close()
		delete(c.senders, id)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.mu.requests, id)
	}
}

func (c *Controller) send(ctx context.Context, s decide.Send) {
	to := c.senders[s.Broker]
	if to == nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "no channel to broker", slog.Int("broker", int(s.Broker)))
		return
	}
	for _, m := range c.versions.messages(s, c.cfg.Listener) {
		to.put(m)
	}
}

func (c *Controller) closeSenders() {
	for _, id := range slices.Sorted(maps.Keys(c.senders)) {
		c.disconnect(id)
	}
}

// after sets the timer of an event; there is one per kind.
func (c *Controller) after(a decide.After) {
	kind := decide.Kind(a.Event)
	if t := c.timers[kind]; t != nil {
		t.Stop()
	}
	c.timers[kind] = c.env.Clock.AfterFunc(a.Delay, func() { c.put(entry{event: a.Event}) })
}

func (c *Controller) stopTimers() {
	for kind, t := range c.timers {
		t.Stop()
		delete(c.timers, kind)
	}
}
