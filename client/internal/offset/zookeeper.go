package offset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// ZooKeeper returns the store in /consumers/GROUP/offsets. It writes in one session
// alone: a member whose session has expired writes nothing.
//
// Offsets of partitions with an alias, a name in the form of Kafka 0.7, are written
// under both names, and found under the one that was written last, whichever
// broker it has.
func ZooKeeper(s *session.Session, group string, aliases map[Partition]string) Store {
	z := zookeeper{s, group}
	if len(aliases) == 0 {
		return z
	}
	return twofold{z, aliases}
}

type zookeeper struct {
	session *session.Session
	group   string
}

func (z zookeeper) path(p Partition) string { return znode.OffsetPath(z.group, p.Topic, p.Partition) }

// Find implements Store.
func (z zookeeper) Find(ctx context.Context, partitions []Partition) (map[Partition]int64, error) {
	reqs := make([]zk.Request, len(partitions))
	for i, p := range partitions {
		reqs[i] = &zk.GetDataRequest{Path: z.path(p)}
	}
	out := make(map[Partition]int64, len(partitions))
	for i, resp := range z.session.DoRetry(ctx, reqs) {
		p := partitions[i]
		body, ok := resp.Body.(*zk.GetDataResponse)
		switch {
		case errors.Is(resp.Err, zk.ErrNoNode):
			out[p] = -1
		case resp.Err != nil || !ok:
			return nil, fmt.Errorf("read %s: %w", z.path(p), resp.Err)
		default:
			n, err := znode.DecodeOffset(z.path(p), body.Data)
			if err != nil {
				return nil, err
			}
			out[p] = n
		}
	}
	return out, nil
}

// Commit implements Store.
func (z zookeeper) Commit(ctx context.Context, offsets map[Partition]int64) error {
	return z.write(ctx, offsets, z.path)
}

// write stores offsets under the paths that path gives to partitions.
func (z zookeeper) write(ctx context.Context, offsets map[Partition]int64, path func(Partition) string) error {
	partitions := slices.SortedFunc(maps.Keys(offsets), Partition.Compare)
	reqs := make([]zk.Request, len(partitions))
	for i, p := range partitions {
		reqs[i] = &zk.SetDataRequest{Path: path(p), Data: znode.EncodeNumber(offsets[p]), Version: -1}
	}
	for i, resp := range z.session.DoRetry(ctx, reqs) {
		p := partitions[i]
		switch {
		case errors.Is(resp.Err, zk.ErrNoNode):
			if err := z.create(ctx, path(p), offsets[p]); err != nil {
				return err
			}
		case resp.Err != nil:
			return fmt.Errorf("write %s: %w", path(p), resp.Err)
		}
	}
	return nil
}

// create makes the node of a first offset; when it is there by then, it is this
// member's own doing, or nobody's who reads the partition.
func (z zookeeper) create(ctx context.Context, path string, offset int64) error {
	data := znode.EncodeNumber(offset)
	_, _, err := z.session.Retrying().CreateRecursive(ctx, path, data, func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
	if errors.Is(err, zk.ErrNodeExists) {
		_, err = z.session.Retrying().Set(ctx, path, data, -1)
	}
	return err
}
