package roster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// maxName bounds the name of a group, a member or a topic in bytes.
const maxName = 1 << 10

// checkName refuses what is no part of a path.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxName:
		return fmt.Errorf("is longer than %d bytes", maxName)
	case strings.Contains(name, "/"):
		return errors.New("holds a slash")
	}
	return zk.ValidatePath("/" + name)
}

// Read reads the members of the group and the partitions of the topics that this
// member reads, after setting watches on all of it. The number is that of brokers.
// Errors name the znode that cannot be read as what it is.
func (r *Roster) Read(ctx context.Context, s *session.Session) (assign.Group, int, error) {
	ids, err := r.children(ctx, s, znode.ConsumerIDsPath(r.Group))
	if err != nil {
		return assign.Group{}, 0, err
	}
	brokers, err := r.children(ctx, s, znode.BrokerIDsPath)
	if err != nil {
		return assign.Group{}, 0, err
	}
	regs, err := r.registrations(ctx, s, ids)
	if err != nil {
		return assign.Group{}, 0, err
	}
	var topics []string
	for _, c := range regs {
		if c.Pattern == znode.StaticPattern {
			continue
		}
		if topics, err = r.children(ctx, s, znode.TopicsPath); err != nil {
			return assign.Group{}, 0, err
		}
		break
	}
	g := assign.Group{}
	mine := assign.Member{}
	for _, id := range slices.Sorted(maps.Keys(regs)) {
		m, err := assign.Resolve(id, regs[id], topics)
		if err != nil {
			return assign.Group{}, 0, err
		}
		g.Members = append(g.Members, m)
		if id == r.ID {
			mine = m
		}
	}
	err = r.partitions(ctx, s, slices.Sorted(maps.Keys(mine.Streams)), &g)
	return g, len(brokers), err
}

// children lists the children of a node and sets a watch on them; of one that is
// missing, on its coming.
func (r *Roster) children(ctx context.Context, s *session.Session, path string) ([]string, error) {
	r.Watch.Watch(path)
	for {
		names, _, err := s.Retrying().Children(ctx, path, true)
		if !errors.Is(err, zk.ErrNoNode) {
			return names, err
		}
		if _, err = s.Retrying().Exists(ctx, path, true); errors.Is(err, zk.ErrNoNode) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// registrations reads members. One that has gone since is left out: the watch on
// the list tells of it once more.
func (r *Roster) registrations(ctx context.Context, s *session.Session, ids []string) (map[string]znode.Consumer, error) {
	reqs := make([]zk.Request, len(ids))
	for i, id := range ids {
		reqs[i] = &zk.GetDataRequest{Path: znode.ConsumerIDPath(r.Group, id)}
	}
	out := make(map[string]znode.Consumer, len(ids))
	for i, resp := range s.DoRetry(ctx, reqs) {
		if errors.Is(resp.Err, zk.ErrNoNode) {
			continue
		}
		path := znode.ConsumerIDPath(r.Group, ids[i])
		data, err := dataOf(path, resp)
		if err != nil {
			return nil, err
		}
		if out[ids[i]], err = znode.DecodeConsumer(path, data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// partitions reads the partitions of topics, with watches; a missing topic has
// none, and a watch on its coming.
func (r *Roster) partitions(ctx context.Context, s *session.Session, topics []string, g *assign.Group) error {
	r.follow(topics)
	g.Partitions = make(map[string][]int32, len(topics))
	for left := topics; len(left) > 0; {
		reqs := make([]zk.Request, len(left))
		for i, topic := range left {
			reqs[i] = &zk.GetDataRequest{Path: znode.TopicPath(topic), Watch: true}
		}
		var missing []string
		for i, resp := range s.DoRetry(ctx, reqs) {
			if errors.Is(resp.Err, zk.ErrNoNode) {
				missing = append(missing, left[i])
				continue
			}
			path := znode.TopicPath(left[i])
			data, err := dataOf(path, resp)
			if err != nil {
				return err
			}
			t, err := znode.DecodeTopic(path, data)
			if err != nil {
				return err
			}
			g.Partitions[left[i]] = slices.Collect(maps.Keys(t.Partitions))
			if r.OldNames {
				prefer(g, left[i], t)
			}
		}
		var err error
		if left, err = r.await(ctx, s, missing); err != nil {
			return err
		}
	}
	return nil
}

// prefer notes the preferred replicas of a topic.
func prefer(g *assign.Group, topic string, t znode.Topic) {
	if g.Preferred == nil {
		g.Preferred = make(map[assign.TopicPartition]int32, len(t.Partitions))
	}
	for number, p := range t.Partitions {
		if len(p.Replicas) > 0 {
			g.Preferred[assign.TopicPartition{Topic: topic, Partition: number}] = p.Replicas[0]
		}
	}
}

// await sets watches on the coming of topics and returns those that have come.
func (r *Roster) await(ctx context.Context, s *session.Session, topics []string) ([]string, error) {
	reqs := make([]zk.Request, len(topics))
	for i, topic := range topics {
		reqs[i] = &zk.ExistsRequest{Path: znode.TopicPath(topic), Watch: true}
	}
	var here []string
	for i, resp := range s.DoRetry(ctx, reqs) {
		switch {
		case resp.Err == nil:
			here = append(here, topics[i])
		case !errors.Is(resp.Err, zk.ErrNoNode):
			return nil, fmt.Errorf("watch %s: %w", znode.TopicPath(topics[i]), resp.Err)
		}
	}
	return here, nil
}

// follow takes interest in the nodes of topics and loses it in those of others.
func (r *Roster) follow(topics []string) {
	now := make(map[string]bool, len(topics))
	for _, topic := range topics {
		now[topic] = true
		r.Watch.Watch(znode.TopicPath(topic))
	}
	for topic := range r.watched {
		if !now[topic] {
			r.Watch.Unwatch(znode.TopicPath(topic))
		}
	}
	r.watched = now
}

// dataOf returns what a node holds.
func dataOf(path string, resp session.Response) ([]byte, error) {
	if resp.Err != nil {
		return nil, fmt.Errorf("read %s: %w", path, resp.Err)
	}
	body, ok := resp.Body.(*zk.GetDataResponse)
	if !ok {
		return nil, fmt.Errorf("read %s: no data in the answer", path)
	}
	return body.Data, nil
}
