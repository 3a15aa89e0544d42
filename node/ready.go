package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// topicsPatience bounds the wait for topics that ZooKeeper lists: one that the
// controller cannot read never comes, and must not keep the others away.
const topicsPatience = 2 * time.Second

// awaitMetadata waits until the controller has told this broker of itself and
// of all topics: a client that connects from now on gets a whole answer, and
// does not believe that a topic is unknown.
func (n *Node) awaitMetadata(ctx context.Context) error {
	id := n.settings.Broker().ID
	if err := n.awaitImage(ctx, nil, func(m *metadata.Image) bool { return m.ControllerID >= 0 && m.Alive(id) }); err != nil {
		return err
	}
	topics, err := n.listTopics(ctx)
	for errors.Is(err, zk.ErrSessionExpired) { // it is being renewed
		if err := env.Sleep(ctx, n.env.Clock, renewPause); err != nil {
			return err
		}
		topics, err = n.listTopics(ctx)
	}
	if err != nil {
		return err
	}
	limit := n.env.Clock.NewTimer(topicsPatience)
	defer limit.Stop()
	return n.awaitImage(ctx, limit, func(m *metadata.Image) bool {
		topics = slices.DeleteFunc(topics, func(name string) bool { return m.Topic(name) != nil })
		return len(topics) == 0
	})
}

// listTopics returns the topics that are there to stay.
func (n *Node) listTopics(ctx context.Context) ([]string, error) {
	z := n.zk.Load().Retrying()
	leaving, _, err := z.Children(ctx, znode.DeleteTopicsPath, false)
	if err != nil && !isNoNode(err) {
		return nil, fmt.Errorf("list topics to delete: %w", err)
	}
	topics, _, err := z.Children(ctx, znode.TopicsPath, false)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	slices.Sort(leaving)
	return slices.DeleteFunc(topics, func(name string) bool {
		_, found := slices.BinarySearch(leaving, name)
		return found
	}), nil
}

// awaitImage waits for an image of the cluster that will do, or until limit,
// which is no error, if there is one.
func (n *Node) awaitImage(ctx context.Context, limit env.Timer, enough func(*metadata.Image) bool) error {
	var over <-chan time.Time
	if limit != nil {
		over = limit.C()
	}
	for {
		image, changed := n.cache.Changed()
		if enough(image) {
			return nil
		}
		select {
		case <-changed:
		case <-over:
			n.log.Warn("serving, though the controller has not told of all topics yet", "known", image.TopicCount())
			return nil
		case <-ctx.Done():
			return fmt.Errorf("waiting for the controller: %w", context.Cause(ctx))
		case <-n.group.Context().Done():
			return context.Cause(n.group.Context())
		}
	}
}
