package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gregor-mq/gregor/metadata/notify"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// loadSettings reads the dynamic configuration of the broker and the overrides
// of all topics, before any log is opened.
func (n *Node) loadSettings(ctx context.Context) error {
	if err := n.reloadBroker(ctx); err != nil {
		return err
	}
	return n.reloadAllTopics(ctx)
}

// settingsAnew reads all settings again in a new session: the notifications of
// changes meanwhile may be gone, and those of a topic that was made meanwhile could
// not be read.
func (n *Node) settingsAnew(ctx context.Context) error {
	if err := n.reloadAllTopics(ctx); err != nil {
		return err
	}
	return n.brokerChanged(ctx) // gives replicas those of topics, too
}

// reloadAllTopics reads the overrides of all topics that have or had some.
func (n *Node) reloadAllTopics(ctx context.Context) error {
	topics, _, err := n.zk.Load().Retrying().Children(ctx, znode.ConfigTypePath(znode.Topics), false)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	topics = slices.Sorted(slices.Values(append(topics, n.settings.overridden()...)))
	return n.reloadTopics(ctx, slices.Compact(topics))
}

// reloadTopics reads the overrides of topics, pipelined. What was read before
// something newer was taken over by another reader is read again.
func (n *Node) reloadTopics(ctx context.Context, topics []string) error {
	for len(topics) > 0 {
		z := n.zk.Load()
		reqs := make([]zk.Request, len(topics))
		for i, t := range topics {
			reqs[i] = &zk.GetDataRequest{Path: znode.EntityConfigPath(znode.Entity{Topic: znode.Named(t)})}
		}
		var late []string
		for i, r := range z.DoRetry(ctx, reqs) {
			overrides, err := n.overridesOf(topics[i], r)
			if err != nil {
				return err
			}
			if !n.settings.setTopic(topics[i], overrides, moment{z.ID(), r.Zxid}) {
				late = append(late, topics[i])
			}
		}
		topics = late
	}
	return nil
}

// overridesOf takes the answer to reading a topic's node; without one there are
// no overrides.
func (n *Node) overridesOf(topic string, r session.Response) (map[string]string, error) {
	path := znode.EntityConfigPath(znode.Entity{Topic: znode.Named(topic)})
	switch {
	case errors.Is(r.Err, zk.ErrNoNode):
		return nil, nil
	case r.Err != nil:
		return nil, fmt.Errorf("read %s: %w", path, r.Err)
	}
	data, ok := r.Body.(*zk.GetDataResponse)
	if !ok {
		return nil, fmt.Errorf("read %s: reply is a %T", path, r.Body)
	}
	overrides, err := znode.DecodeConfig(path, data.Data)
	if err != nil {
		n.log.Error("topic settings cannot be read: going on with the defaults", "error", err)
	}
	return overrides, nil
}

// reloadBroker reads /config/brokers/<default> and /config/brokers/N.
func (n *Node) reloadBroker(ctx context.Context) error {
	var layers [2]map[string]string
	own := strconv.Itoa(int(n.settings.Broker().ID))
	for i, name := range []*znode.Name{znode.Defaults(), znode.Named(own)} {
		var err error
		if layers[i], err = n.admin().Config(ctx, znode.Entity{Broker: name}); err != nil {
			return err
		}
	}
	if err := n.settings.setBroker(layers[0], layers[1]); err != nil {
		n.log.Error("dynamic broker settings break a rule: the former ones stay in force", "error", err)
	}
	return nil
}

// newFollower follows the notifications of changed configurations.
func (n *Node) newFollower() *notify.Follower {
	return notify.New(notify.Config{
		Prefix: znode.ConfigChangePrefix, Handle: n.configChanged, Renewed: n.settingsAnew, Log: n.levels.Logger("config"),
	}, n.env)
}

// configChanged applies one notification: it says what changed, and the new
// content is read.
func (n *Node) configChanged(ctx context.Context, data []byte) error {
	e, err := znode.DecodeConfigChange(znode.ConfigChangePrefix, data)
	if err != nil {
		return err
	}
	switch {
	case e.Topic != nil:
		return n.topicChanged(ctx, e.Topic.Text)
	case e.Broker != nil && (e.Broker.Default || e.Broker.Text == strconv.Itoa(int(n.settings.Broker().ID))):
		return n.brokerChanged(ctx)
	}
	return nil
}

// brokerChanged takes over the dynamic configuration of this broker.
func (n *Node) brokerChanged(ctx context.Context) error {
	before := n.settings.Broker().Bool("unclean.leader.election.enable")
	if err := n.reloadBroker(ctx); err != nil {
		return err
	}
	n.replicas.UpdateAll()
	n.replicas.SetFetchers(int(n.settings.Broker().Int("num.replica.fetchers")))
	if after := n.settings.Broker().Bool("unclean.leader.election.enable"); after != before {
		n.controller.UncleanDefault(after)
	}
	return nil
}

func (n *Node) topicChanged(ctx context.Context, topic string) error {
	before := n.settings.Topic(topic).UncleanLeaderElection
	if err := n.reloadTopics(ctx, []string{topic}); err != nil {
		return err
	}
	n.replicas.UpdateTopic(topic)
	if !before && n.settings.Topic(topic).UncleanLeaderElection {
		n.controller.UncleanTopic(topic)
	}
	return nil
}

// refreshTopics reads the settings of topics that are about to be opened.
func (n *Node) refreshTopics(topics []string) {
	if err := n.reloadTopics(n.tasks.Context(), topics); err != nil {
		n.log.Error("cannot read topic settings: going on with those known", "error", err)
	}
}
