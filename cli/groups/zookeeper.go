package groups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// zkStore is the groups of old consumers below /consumers.
type zkStore struct{ s *session.Session }

func (zkStore) kind() string { return inZooKeeper }

// The states of a group in ZooKeeper, with the names that Kafka's have.
const (
	withMembers = "Stable"
	noMembers   = "Empty"
	notKnown    = "Unknown"
)

// list implements store.
func (z zkStore) list(ctx context.Context) ([]listed, error) {
	names, err := z.children(ctx, znode.ConsumersPath)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = znode.ConsumerIDsPath(name)
	}
	var denied []string
	ids, err := z.childrenOf(ctx, paths, &denied)
	if err != nil {
		return nil, err
	}
	var members []string
	for i, name := range names {
		for _, id := range ids[i] {
			members = append(members, znode.ConsumerIDPath(name, id))
		}
	}
	live, err := z.ephemeral(ctx, members)
	if err != nil {
		return nil, err
	}
	var out []listed
	for i, name := range names {
		state := noMembers
		if slices.Contains(denied, paths[i]) {
			state = notKnown
		}
		if slices.ContainsFunc(ids[i], func(id string) bool { return live[znode.ConsumerIDPath(name, id)] }) {
			state = withMembers
		}
		out = append(out, listed{name, inZooKeeper, state})
	}
	return out, reach.Unreadable(denied)
}

// ephemeral returns which of some nodes end with a session, as members' nodes do.
// No ACL hides that.
func (z zkStore) ephemeral(ctx context.Context, paths []string) (map[string]bool, error) {
	reqs := make([]zk.Request, len(paths))
	for i, path := range paths {
		reqs[i] = &zk.ExistsRequest{Path: path}
	}
	out := map[string]bool{}
	for i, r := range z.s.Do(ctx, reqs) {
		if errors.Is(r.Err, zk.ErrNoNode) {
			continue
		}
		if r.Err != nil {
			return nil, fmt.Errorf("look at %s: %w", paths[i], r.Err)
		}
		stat, ok := r.Body.(*zk.StatResponse)
		if !ok {
			must.Bug("stat of %s is a %T", paths[i], r.Body)
		}
		out[paths[i]] = stat.Stat.EphemeralOwner != 0
	}
	return out, nil
}

// children returns names in order, none for a node that is not there.
func (z zkStore) children(ctx context.Context, path string) ([]string, error) {
	all, err := z.childrenOf(ctx, []string{path}, nil)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// childrenOf is children of many nodes. Those that may not be read are added to
// denied, and are an error when that is nil.
func (z zkStore) childrenOf(ctx context.Context, paths []string, denied *[]string) ([][]string, error) {
	reqs := make([]zk.Request, len(paths))
	for i, path := range paths {
		reqs[i] = &zk.GetChildrenRequest{Path: path}
	}
	out := make([][]string, len(paths))
	for i, r := range z.s.Do(ctx, reqs) {
		if errors.Is(r.Err, zk.ErrNoNode) {
			continue
		}
		if errors.Is(r.Err, zk.ErrNoAuth) && denied != nil {
			*denied = append(*denied, paths[i])
			continue
		}
		if r.Err != nil {
			return nil, fmt.Errorf("list %s: %w", paths[i], r.Err)
		}
		names, ok := r.Body.(*zk.GetChildrenResponse)
		if !ok {
			must.Bug("children of %s are a %T", paths[i], r.Body)
		}
		slices.Sort(names.Children)
		out[i] = names.Children
	}
	return out, nil
}

// read implements store.
func (z zkStore) read(ctx context.Context, name string) (*group, error) {
	_, err := z.s.Exists(ctx, znode.GroupPath(name), false)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g := &group{
		name: name, kind: inZooKeeper, state: noMembers,
		offsets: map[part]int64{}, owners: map[part]string{}, versions: map[part]int32{},
	}
	if err := z.readMembers(ctx, g); err != nil {
		return nil, err
	}
	err = z.readParts(ctx, g, "owners", func(p part, path string, data []byte, stat zk.Stat) {
		g.owners[p] = string(data)
		if stat.EphemeralOwner == 0 {
			g.litter = append(g.litter, path)
		}
	})
	if err != nil {
		return nil, err
	}
	written := map[part]int64{}
	err = z.readParts(ctx, g, "offsets", func(p part, path string, data []byte, stat zk.Stat) {
		g.versions[p], written[p] = stat.Version, stat.Mzxid
		offset, err := znode.DecodeOffset(path, data)
		if err == nil && offset < 0 {
			err = fmt.Errorf("znode %s: offset %d is below 0", path, offset)
		}
		if err != nil {
			g.faults = append(g.faults, err)
			return
		}
		g.offsets[p] = offset
	})
	g.fold(written)
	return g, err
}

// fold takes out what a group has under names of Kafka 0.7 when the names of today
// tell the same, or tell of offsets that were written later: members with such names
// write both, and begin at the newer.
func (g *group) fold(written map[part]int64) {
	for p, owner := range g.owners {
		if now := partition(p.topic, p.partition); p.broker >= 0 && g.owners[now] == owner {
			delete(g.owners, p)
		}
	}
	for p, at := range g.offsets {
		today := partition(p.topic, p.partition)
		if now, ok := g.offsets[today]; p.broker >= 0 && ok && (now == at || written[today] > written[p]) {
			delete(g.offsets, p)
		}
	}
}

func (z zkStore) readMembers(ctx context.Context, g *group) error {
	parent := znode.ConsumerIDsPath(g.name)
	all, err := z.childrenOf(ctx, []string{parent}, &g.denied)
	if err != nil {
		return err
	}
	if len(g.denied) > 0 {
		g.state = notKnown
	}
	ids := all[0]
	paths := make([]string, len(ids))
	for i, id := range ids {
		paths[i] = znode.ConsumerIDPath(g.name, id)
	}
	live, err := z.ephemeral(ctx, paths)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if ephemeral, ok := live[paths[i]]; !ok {
			continue // it has just gone
		} else if !ephemeral {
			g.litter = append(g.litter, paths[i])
			continue
		}
		m, err := z.readMember(ctx, g, paths[i])
		if err != nil {
			return err
		}
		m.ID = id
		g.members, g.state = append(g.members, m), withMembers
	}
	return nil
}

// readMember reads what a member registered for, if it can be.
func (z zkStore) readMember(ctx context.Context, g *group, path string) (m member, err error) {
	data, _, err := z.s.Get(ctx, path, false)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return m, nil // it has just gone
	case errors.Is(err, zk.ErrNoAuth):
		g.denied = append(g.denied, path)
		return m, nil
	case err != nil:
		return m, err
	}
	c, err := znode.DecodeConsumer(path, data)
	if err != nil {
		g.faults = append(g.faults, err)
		return m, nil
	}
	return member{Wants: subscription(c)}, nil
}

// subscription is what a member registered for, in words.
func subscription(c znode.Consumer) string {
	all := strings.Join(slices.Sorted(maps.Keys(c.Streams)), ", ")
	switch c.Pattern {
	case znode.WhiteListPattern:
		return "topics like " + all
	case znode.BlackListPattern:
		return "topics unlike " + all
	}
	return all
}

// readParts calls f for each /consumers/G/<what>/T/P, with the node's data and
// stat.
func (z zkStore) readParts(ctx context.Context, g *group, what string, f func(p part, path string, data []byte, stat zk.Stat)) error {
	root := znode.GroupPath(g.name) + "/" + what
	all, err := z.childrenOf(ctx, []string{root}, &g.denied)
	if err != nil {
		return err
	}
	topics := all[0]
	parents := make([]string, len(topics))
	for i, t := range topics {
		parents[i] = root + "/" + t
	}
	numbers, err := z.childrenOf(ctx, parents, &g.denied)
	if err != nil {
		return err
	}
	var paths []string
	var reqs []zk.Request
	for i, parent := range parents {
		for _, n := range numbers[i] {
			paths = append(paths, parent+"/"+n)
			reqs = append(reqs, &zk.GetDataRequest{Path: parent + "/" + n})
		}
	}
	for i, r := range z.s.Do(ctx, reqs) {
		n := znode.ParsePath(paths[i])
		switch {
		case errors.Is(r.Err, zk.ErrNoNode):
			continue
		case errors.Is(r.Err, zk.ErrNoAuth):
			g.denied = append(g.denied, paths[i])
			continue
		case r.Err != nil:
			return fmt.Errorf("read %s: %w", paths[i], r.Err)
		case n.Kind != znode.OwnerNode && n.Kind != znode.OffsetNode:
			g.faults = append(g.faults, fmt.Errorf("znode %s: its name is no number of a partition", paths[i]))
			continue
		}
		data, ok := r.Body.(*zk.GetDataResponse)
		if !ok {
			must.Bug("data of %s are a %T", paths[i], r.Body)
		}
		f(part{n.Topic, n.Broker, n.Partition}, paths[i], data.Data, data.Stat)
	}
	return nil
}
