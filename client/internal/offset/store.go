package offset

import (
	"context"

	"github.com/gregor-mq/gregor/client/internal/assign"
)

// Partition is where an offset belongs.
type Partition = assign.TopicPartition

// Store keeps one offset for each partition of a group: that of the record to read
// next.
type Store interface {
	// Find returns the offsets of partitions, -1 for those that have none.
	Find(ctx context.Context, partitions []Partition) (map[Partition]int64, error)
	// Commit stores offsets. After an error some may be stored.
	Commit(ctx context.Context, offsets map[Partition]int64) error
}

// Both returns a store that writes to main and then to other, and of two offsets
// that it reads takes the larger: for groups that move from one to the other.
func Both(main, other Store) Store { return both{main, other} }

type both struct{ main, other Store }

// Find implements Store.
func (b both) Find(ctx context.Context, partitions []Partition) (map[Partition]int64, error) {
	out, err := b.main.Find(ctx, partitions)
	if err != nil {
		return nil, err
	}
	more, err := b.other.Find(ctx, partitions)
	if err != nil {
		return nil, err
	}
	for p, o := range more {
		out[p] = max(out[p], o)
	}
	return out, nil
}

// Commit implements Store.
func (b both) Commit(ctx context.Context, offsets map[Partition]int64) error {
	if err := b.main.Commit(ctx, offsets); err != nil {
		return err
	}
	return b.other.Commit(ctx, offsets)
}
