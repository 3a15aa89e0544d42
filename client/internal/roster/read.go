package roster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/client/internal/picture"
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
// member reads, after setting watches on all of it, and looks after the owner nodes
// of what it owns. Errors name the znode that cannot be read as what it is. A topic
// of which that is true fails a member that named it; who found it by a filter goes
// on without.
func (r *Roster) Read(ctx context.Context, s *session.Session, owned []assign.TopicPartition) (seen member.Seen) {
	var ids, brokers []string
	if ids, seen.Err = r.children(ctx, s, znode.ConsumerIDsPath(r.Group)); seen.Err != nil {
		return seen
	}
	if brokers, seen.Err = r.children(ctx, s, znode.BrokerIDsPath); seen.Err != nil {
		return seen
	}
	seen.Brokers = len(brokers)
	var mine assign.Member
	if seen.Group.Members, mine, seen.Err = r.members(ctx, s, ids); seen.Err != nil {
		return seen
	}
	if seen.Faults, seen.Err = r.partitions(ctx, s, slices.Sorted(maps.Keys(mine.Streams)), &seen.Group); seen.Err != nil {
		return seen
	}
	seen.Gone, seen.Err = r.hold(ctx, s, owned)
	return seen
}

// members reads the members of the group, of which mine is this one.
func (r *Roster) members(ctx context.Context, s *session.Session, ids []string) (all []assign.Member, mine assign.Member, err error) {
	regs, err := r.registrations(ctx, s, ids)
	if err != nil {
		return nil, mine, err
	}
	var topics []string
	for _, c := range regs {
		if c.Pattern == znode.StaticPattern {
			continue
		}
		if topics, err = r.children(ctx, s, znode.TopicsPath); err != nil {
			return nil, mine, err
		}
		break
	}
	for _, id := range slices.Sorted(maps.Keys(regs)) {
		m, err := assign.Resolve(id, regs[id], topics)
		if err != nil {
			return nil, mine, fmt.Errorf("znode %s: %w", znode.ConsumerIDPath(r.Group, id), err)
		}
		all = append(all, m)
		if id == r.ID {
			mine = m
		}
	}
	return all, mine, nil
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
// none, and a watch on its coming. Faults are those of topics that a filter found:
// they are taken to have no partitions.
func (r *Roster) partitions(ctx context.Context, s *session.Session, topics []string, g *assign.Group) (faults []error, err error) {
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
			t, err := topicOf(znode.TopicPath(left[i]), resp)
			switch {
			case err != nil && r.Subscription.Pattern != znode.StaticPattern && ofTheNode(err):
				faults = append(faults, err)
				continue
			case err != nil:
				return nil, err
			}
			g.Partitions[left[i]] = slices.Collect(maps.Keys(t.Partitions))
			if r.OldNames {
				prefer(g, left[i], t)
			}
		}
		if left, err = r.await(ctx, s, missing); err != nil {
			return nil, err
		}
	}
	return faults, nil
}

// topicOf reads an answer as a topic's node.
func topicOf(path string, resp session.Response) (znode.Topic, error) {
	data, err := dataOf(path, resp)
	if err != nil {
		return znode.Topic{}, err
	}
	t, err := znode.DecodeTopic(path, data)
	if err == nil {
		err = picture.Whole(path, t)
	}
	return t, err
}

// ofTheNode reports whether an error is about one znode and not about the session.
func ofTheNode(err error) bool {
	var malformed *znode.Error
	return errors.As(err, &malformed) || errors.Is(err, zk.ErrNoAuth)
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
