package node

import (
	"context"
	"errors"

	"github.com/gregor-mq/gregor/api"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// oldOffsets implements api.OldOffsets: the offsets of the first consumers, in
// /consumers/<group>/offsets/<topic>/<partition>.
type oldOffsets struct{ n *Node }

// Commit implements api.OldOffsets.
func (o oldOffsets) Commit(group string, offsets []api.OldOffset, done func([]api.OldOffset)) {
	o.n.runTask("commit-offsets-v0", func(ctx context.Context) {
		for i := range offsets {
			f := &offsets[i]
			f.Err = o.commit(ctx, znode.OffsetPath(group, f.Topic, f.Partition), znode.EncodeNumber(f.Offset))
		}
		done(offsets)
	})
}

func (o oldOffsets) commit(ctx context.Context, path string, data []byte) error {
	z := o.n.zk.Load().Retrying()
	_, err := z.Set(ctx, path, data, -1)
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	_, _, err = z.CreateRecursive(ctx, path, data, o.n.acl, zk.Persistent)
	if errors.Is(err, zk.ErrNodeExists) { // made by another consumer meanwhile
		_, err = z.Set(ctx, path, data, -1)
	}
	return err
}

// Fetch implements api.OldOffsets.
func (o oldOffsets) Fetch(group string, offsets []api.OldOffset, done func([]api.OldOffset)) {
	o.n.runTask("fetch-offsets-v0", func(ctx context.Context) {
		for i := range offsets {
			f := &offsets[i]
			path := znode.OffsetPath(group, f.Topic, f.Partition)
			data, _, err := o.n.zk.Load().Retrying().Get(ctx, path, false)
			f.Offset = -1
			switch {
			case errors.Is(err, zk.ErrNoNode):
				f.Err = wire.CodeUnknownTopicOrPartition
			case err != nil:
				f.Err = err
			default:
				if f.Offset, f.Err = znode.DecodeOffset(path, data); f.Err != nil {
					f.Offset = -1
				}
			}
		}
		done(offsets)
	})
}
