package offset

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// twofold is the store in ZooKeeper of partitions with a second name, their alias.
type twofold struct {
	zookeeper
	aliases map[Partition]string
}

// Find implements Store. Names with the id of another broker than the aliases have
// count as well: they are from before the partition moved.
func (t twofold) Find(ctx context.Context, partitions []Partition) (map[Partition]int64, error) {
	paths, err := t.names(ctx, partitions)
	if err != nil {
		return nil, err
	}
	reqs := make([]zk.Request, len(paths))
	for i, path := range paths {
		reqs[i] = &zk.GetDataRequest{Path: path}
	}
	out := make(map[Partition]int64, len(partitions))
	for _, p := range partitions {
		out[p] = -1
	}
	newest := make(map[Partition]int, len(partitions))
	resps := t.session.DoRetry(ctx, reqs)
	written := func(i int) int64 { return resps[i].Body.(*zk.GetDataResponse).Stat.Mzxid }
	for i, resp := range resps {
		n := znode.ParsePath(paths[i])
		p := Partition{Topic: n.Topic, Partition: n.Partition}
		_, ok := resp.Body.(*zk.GetDataResponse)
		switch {
		case errors.Is(resp.Err, zk.ErrNoNode):
			continue
		case resp.Err != nil || !ok:
			return nil, fmt.Errorf("read %s: %w", paths[i], resp.Err)
		}
		if last, ok := newest[p]; !ok || written(i) > written(last) {
			newest[p] = i
		}
	}
	for p, i := range newest {
		if out[p], err = znode.DecodeOffset(paths[i], resps[i].Body.(*zk.GetDataResponse).Data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// names returns the paths of all nodes that partitions have below offsets.
func (t twofold) names(ctx context.Context, partitions []Partition) ([]string, error) {
	wanted := make(map[Partition]bool, len(partitions))
	for _, p := range partitions {
		wanted[p] = true
	}
	var out []string
	for _, of := range byTopic(partitions) {
		parent := znode.OffsetsPath(t.group, of[0].Topic)
		children, _, err := t.session.Retrying().Children(ctx, parent, false)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return nil, err
		}
		for _, name := range children {
			n := znode.ParsePath(parent + "/" + name)
			if n.Kind == znode.OffsetNode && wanted[Partition{Topic: n.Topic, Partition: n.Partition}] {
				out = append(out, parent+"/"+name)
			}
		}
	}
	return out, nil
}

// Commit implements Store. The number's node goes first: it is what members without
// aliases read.
func (t twofold) Commit(ctx context.Context, offsets map[Partition]int64) error {
	if err := t.zookeeper.Commit(ctx, offsets); err != nil {
		return err
	}
	named := maps.Clone(offsets)
	maps.DeleteFunc(named, func(p Partition, _ int64) bool { return t.aliases[p] == "" })
	return t.write(ctx, named, func(p Partition) string { return znode.OffsetsPath(t.group, p.Topic) + "/" + t.aliases[p] })
}
