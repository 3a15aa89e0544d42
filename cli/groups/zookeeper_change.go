package groups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// perTransaction bounds the operations of one transaction: a thousand paths of
// usual length are a tenth of jute.maxbuffer.
const perTransaction = 1000

// guard returns operations that fail when the group has members, and change
// nothing: the list of members is deleted, which only an empty one can be, and
// made again as it was.
func (z zkStore) guard(ctx context.Context, name string) ([]zk.Request, error) {
	path := znode.ConsumerIDsPath(name)
	create := &zk.CreateRequest{Path: path, ACL: znode.DefaultACL(path, false)}
	remove := &zk.DeleteRequest{Path: path, Version: -1}
	data, _, err := z.s.Get(ctx, path, false)
	if errors.Is(err, zk.ErrNoNode) {
		return []zk.Request{create, remove}, nil
	}
	if err != nil {
		return nil, err
	}
	if create.ACL, _, err = z.s.GetACL(ctx, path); err != nil {
		return nil, err
	}
	create.Data = data
	return []zk.Request{remove, create}, nil
}

// commit implements store. Offsets that somebody changed since they were read
// are left as they are: the error says so.
func (z zkStore) commit(ctx context.Context, name string, g *group, to map[part]int64) error {
	open := func(path string) []zk.ACL { return znode.DefaultACL(path, false) }
	topics := map[string]bool{}
	for p := range to {
		topics[p.topic] = true
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		_, _, err := z.s.CreateRecursive(ctx, znode.OffsetsPath(name, topic), nil, open, zk.Persistent)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
	for batch := range slices.Chunk(sortedParts(to), perTransaction) {
		ops, err := z.guard(ctx, name)
		if err != nil {
			return err
		}
		for _, p := range batch {
			path, data := znode.OffsetPath(name, p.topic, p.partition), znode.EncodeNumber(to[p])
			version, exists := int32(0), false
			if g != nil {
				version, exists = g.versions[p]
			}
			if exists {
				ops = append(ops, &zk.SetDataRequest{Path: path, Data: data, Version: version})
			} else {
				ops = append(ops, &zk.CreateRequest{Path: path, Data: data, ACL: open(path)})
			}
		}
		if err := z.transact(ctx, name, ops); err != nil {
			return err
		}
	}
	return nil
}

// transact carries out all operations, or none.
func (z zkStore) transact(ctx context.Context, name string, ops []zk.Request) error {
	_, err := z.s.Multi(ctx, ops...)
	switch {
	case errors.Is(err, zk.ErrNotEmpty):
		return fmt.Errorf("group %s in ZooKeeper: %w: %w", name, errActive, err)
	case errors.Is(err, zk.ErrBadVersion), errors.Is(err, zk.ErrNodeExists), errors.Is(err, zk.ErrNoNode):
		return fmt.Errorf("group %s in ZooKeeper was changed meanwhile, look at it again: %w", name, err)
	case err != nil:
		return fmt.Errorf("group %s in ZooKeeper: %w", name, err)
	}
	return nil
}

// remove implements store.
func (z zkStore) remove(ctx context.Context, g *group) error {
	root, ids := znode.GroupPath(g.name), znode.ConsumerIDsPath(g.name)
	below, err := z.below(ctx, root)
	if err != nil {
		return err
	}
	hasIDs := slices.Contains(below, ids)
	var paths []string
	for _, path := range below {
		// A member that is there makes the deletion of ids fail.
		if path != ids && !strings.HasPrefix(path, ids+"/") {
			paths = append(paths, path)
		}
	}
	// Children come after their parents, and go before them.
	slices.Reverse(paths)
	for len(paths) > perTransaction {
		ops, err := z.guard(ctx, g.name)
		if err != nil {
			return err
		}
		if err := z.transact(ctx, g.name, append(ops, deletions(paths[:perTransaction])...)); err != nil {
			return err
		}
		paths = paths[perTransaction:]
	}
	if hasIDs {
		paths = append(paths, ids)
	}
	return z.transact(ctx, g.name, deletions(append(paths, root)))
}

func deletions(paths []string) []zk.Request {
	ops := make([]zk.Request, len(paths))
	for i, path := range paths {
		ops[i] = &zk.DeleteRequest{Path: path, Version: -1}
	}
	return ops
}

// below returns all paths below root, parents first.
func (z zkStore) below(ctx context.Context, root string) ([]string, error) {
	var out []string
	for level := []string{root}; len(level) > 0; {
		children, err := z.childrenOf(ctx, level, nil)
		if err != nil {
			return nil, err
		}
		var next []string
		for i, parent := range level {
			for _, name := range children[i] {
				next = append(next, parent+"/"+name)
			}
		}
		out, level = append(out, next...), next
	}
	return out, nil
}
