package api

import (
	stdcontext "context"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// DeleteTopics v0-6, by name or, from version 6, by id: only the controller
// serves it. The answer waits until the topics are gone from this broker's
// metadata. With delete.topic.enable=false it is refused.

func (b *Broker) deleteTopics(c *context, req *wire.DeleteTopicsRequest) {
	asked := req.Topics
	for i := range req.TopicNames {
		asked = append(asked, wire.DeleteTopicsRequestDeleteTopicState{Name: &req.TopicNames[i]})
	}
	if code := b.deletable(c.version(), asked); code != wire.CodeNone {
		refuseDeletion(c, asked, code)
		return
	}
	resp := wire.NewDeleteTopicsResponse()
	image := b.Metadata.Image()
	var todo []int
	for _, t := range asked {
		out := wire.NewDeleteTopicsResponseDeletableTopicResult()
		out.Name, out.TopicID = t.Name, t.TopicID
		if out.ErrorCode = resolveDeletion(image, &out); out.ErrorCode == wire.CodeNone {
			todo = append(todo, len(resp.Responses))
		}
		resp.Responses = append(resp.Responses, out)
	}
	if len(todo) == 0 {
		c.Reply(resp)
		return
	}
	b.Run("delete-topics", func(ctx stdcontext.Context) {
		run.Each(len(todo), adminParallel, func(k int) {
			out := &resp.Responses[todo[k]]
			if err := b.Topics().DeleteTopic(ctx, *out.Name); err != nil {
				code, message := adminCode(err)
				out.ErrorCode, out.ErrorMessage = code, &message
			}
		})
		b.awaitGone(ctx, time.Duration(req.TimeoutMs)*time.Millisecond, resp, todo)
		c.Reply(resp)
	})
}

// refuseDeletion answers every topic with one code and no text.
func refuseDeletion(c *context, asked []wire.DeleteTopicsRequestDeleteTopicState, code wire.Code) {
	resp := wire.NewDeleteTopicsResponse()
	for _, t := range asked {
		out := wire.NewDeleteTopicsResponseDeletableTopicResult()
		out.Name, out.TopicID, out.ErrorCode = t.Name, t.TopicID, code
		resp.Responses = append(resp.Responses, out)
	}
	c.Reply(resp)
}

// deletable says why no topic at all can be deleted here. One that is named both
// ways spoils the request.
func (b *Broker) deletable(version int16, asked []wire.DeleteTopicsRequestDeleteTopicState) wire.Code {
	switch {
	case !b.Controller.Active():
		return wire.CodeNotController
	case !b.Settings.Broker().DeleteTopics && version < 3:
		return wire.CodeInvalidRequest
	case !b.Settings.Broker().DeleteTopics:
		return wire.CodeTopicDeletionDisabled
	case slices.ContainsFunc(asked, func(t wire.DeleteTopicsRequestDeleteTopicState) bool {
		return t.Name != nil && t.TopicID != (wire.UUID{})
	}):
		return wire.CodeInvalidRequest
	}
	return wire.CodeNone
}

// resolveDeletion finds the name behind an id, and topics that are not there.
func resolveDeletion(image *metadata.Image, out *wire.DeleteTopicsResponseDeletableTopicResult) wire.Code {
	if out.TopicID != (wire.UUID{}) {
		t := image.TopicByID(out.TopicID)
		if t == nil {
			return wire.CodeUnknownTopicID
		}
		out.Name = &t.Name
		return wire.CodeNone
	}
	if out.Name == nil || image.Topic(*out.Name) == nil {
		return wire.CodeUnknownTopicOrPartition
	}
	return wire.CodeNone
}

func (b *Broker) awaitGone(ctx stdcontext.Context, timeout time.Duration, resp *wire.DeleteTopicsResponse, todo []int) {
	waiting := func(image *metadata.Image) []int {
		var left []int
		for _, i := range todo {
			out := &resp.Responses[i]
			if out.ErrorCode == wire.CodeNone && (timeout <= 0 || image.Topic(*out.Name) != nil) {
				left = append(left, i)
			}
		}
		return left
	}
	for _, i := range b.await(ctx, timeout, waiting) {
		resp.Responses[i].ErrorCode = wire.CodeRequestTimedOut
	}
}
