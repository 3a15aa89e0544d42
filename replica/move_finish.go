package replica

import (
	"errors"
	"time"

	"github.com/gregor-mq/gregor/storage"
)

// lastPieces is how much is copied while appends to the partition wait: else a
// log that grows steadily would never be caught up with.
const lastPieces = 4

// finish puts a copy in the place of its log. storage.ErrBehind says that there
// is more to copy.
func (c *copier) finish(mv *move) error {
	if err := mv.copy.Flush(); err != nil { // nearly all of it, while appends go on
		return err
	}
	m := c.m
	m.control.Lock()
	defer m.control.Unlock()
	if m.stopped || m.moves.find(mv.key) != mv {
		return storage.ErrClosed
	}
	from, to := c.part.log(), mv.copy
	m.checkpoints.Lock()
	left, err := c.replace(mv, m.logsOf(to.Dir()))
	m.checkpoints.Unlock()
	if c.part.log() != to {
		return err
	}
	m.logCount[from.Dir()]--
	if err != nil {
		return errors.Join(err, m.keepLeft(from))
	}
	delay := time.Duration(to.Config().FileDeleteMs) * time.Millisecond
	// A full inbox leaves the directory for the next start, which removes it.
	_ = m.deletions.TryPut(deletion{dir: from.Dir(), part: left, at: m.env.Clock.Now().Add(delay)})
	m.log.Info("a replica has moved", "partition", to.Partition().String(), "from", from.Dir().Path(), "to", to.Dir().Path())
	err = m.checkpointDir(from.Dir())
	if m.dirMissing() == nil {
		err = errors.Join(err, to.DropMark())
	}
	return err
}

// replace is the moment of the change: nobody appends to the partition, moves
// its watermark or writes checkpoints. logs are those of the directory that the
// copy lies in. It returns the former log's directory, to be removed. An error
// leaves everything as it was unless the partition has the copy as its log; then
// the directory of one of them failed.
func (c *copier) replace(mv *move, logs []*storage.Log) (left storage.PartitionDir, err error) {
	p, to := c.part, mv.copy
	p.mu.Lock()
	defer p.mu.Unlock()
	p.water.Lock()
	defer p.water.Unlock()
	from := p.log()
	for i := 0; ; i++ {
		n, err := c.piece(from, to)
		if err != nil {
			return left, err
		}
		if n == 0 {
			break
		}
		if i == lastPieces {
			return left, storage.ErrBehind
		}
	}
	if err := to.TakeOver(from); err != nil {
		return left, err
	}
	// A start finds either directory with what its checkpoints say of it.
	if err := tell(to.Dir(), logs, storage.HighWatermarks, storage.RecoveryPoints, storage.LogStarts); err != nil {
		return left, err
	}
	err = to.Rename(storage.Current)
	if to.Kind() != storage.Current {
		return left, err
	}
	c.m.moves.remove(mv)
	p.current.Store(to)
	if err != nil {
		return left, err
	}
	return from.Retire(to)
}

// keepLeft leaves a log alone whose place was taken while a directory failed: the
// next start finds out which of the two is the newer, and needs all that the
// checkpoints say of it. It reports why it cannot.
func (m *Manager) keepLeft(from *storage.Log) error {
	if from.Dir().Failed() != nil {
		from.Abandon()
		return nil
	}
	m.moves.mu.Lock()
	m.moves.mu.left = append(m.moves.mu.left, from)
	m.moves.mu.Unlock()
	return from.Close()
}
