package controller

import (
	"context"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// Ask puts a request into the queue and returns its answer. with gets the tag
// to put into the event. The answer is decide.Failed where the request failed
// as a whole: with CodeNotController when this broker is not the controller or
// stops being it meanwhile, with CodeRequestTimedOut when ctx ends first.
func (c *Controller) Ask(ctx context.Context, with func(tag uint64) decide.Event) decide.Answer {
	answer := make(chan decide.Answer, 1)
	tag := c.Request(with, func(a decide.Answer) { answer <- a })
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		c.forget(tag)
		return decide.Failed{Err: wire.CodeRequestTimedOut}
	}
}

// Request is Ask without waiting: done is called once, on the controller's
// goroutine or the caller's, and must not block.
func (c *Controller) Request(with func(tag uint64) decide.Event, done func(decide.Answer)) uint64 {
	c.mu.Lock()
	c.mu.tag++
	tag := c.mu.tag
	c.mu.waiting[tag] = done
	c.mu.Unlock()
	e := entry{event: with(tag)}
	if c.queue.Len() >= maxWaiting {
		c.drop(e)
	} else {
		c.put(e)
	}
	return tag
}

func (c *Controller) forget(tag uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.waiting, tag)
}

func (c *Controller) reply(r decide.Reply) {
	c.mu.Lock()
	done := c.mu.waiting[r.Tag]
	delete(c.mu.waiting, r.Tag)
	c.mu.Unlock()
	if done != nil {
		done(r.Answer)
	}
}
