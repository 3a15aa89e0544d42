package replica

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica/follow"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// FollowConfig is what followers need beside what the manager knows: it sets
// BrokerID, BrokerEpoch, Address and Settle of Config itself.
type FollowConfig struct {
	follow.Config
	// Listener is the inter-broker listener, at which leaders are asked.
	Listener string
}

// followers ties the partitions that this broker follows to the fetchers that
// copy them.
type followers struct {
	fetchers *follow.Fetchers
	// begin and end are what the controller's request in work changes; guarded by
	// Manager.control.
	begin []follow.Assignment
	end   []follow.Partition
	// cut directories have logs that were cut below what the checkpoints tell; the
	// map itself never changes. settling makes writing them one step, so that who
	// finds nothing to write knows that it is written.
	cut      map[*storage.Dir]*atomic.Bool
	settling sync.Mutex
}

func (m *Manager) initFollowers() {
	m.followers.cut = make(map[*storage.Dir]*atomic.Bool, len(m.dirs))
	for _, d := range m.dirs {
		m.followers.cut[d] = new(atomic.Bool)
	}
	cfg := m.cfg.Follow.Config
	cfg.BrokerID, cfg.BrokerEpoch, cfg.Address, cfg.Settle = m.cfg.BrokerID, m.BrokerEpoch, m.leaderAddress, m.settleCuts
	m.followers.fetchers = follow.New(cfg, m.env, m.log)
}

// Following describes the fetchers for metrics.
func (m *Manager) Following() follow.Stats { return m.followers.fetchers.Stats() }

// SetFetchers changes num.replica.fetchers.
func (m *Manager) SetFetchers(n int) { m.followers.fetchers.Resize(n) }

// leaderAddress is where a broker listens for others.
func (m *Manager) leaderAddress(broker int32) (string, error) {
	b, ok := m.cache.Image().Broker(broker)
	if !ok {
		return "", fmt.Errorf("broker %d is not known", broker)
	}
	e, ok := b.Endpoint(m.cfg.Follow.Listener)
	if !ok {
		return "", fmt.Errorf("broker %d has no listener %s", broker, m.cfg.Follow.Listener)
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), nil
}

// retarget notes whom a partition follows from now on, for handOver. id is the
// topic's id as the controller tells it. control is held.
func (m *Manager) retarget(p *Partition, id wire.UUID, s *wire.LeaderAndIsrRequestPartitionState) {
	name := p.followed()
	if s.Leader == m.cfg.BrokerID || s.Leader == metadata.NoLeader {
		m.followers.end = append(m.followers.end, name)
		return
	}
	if !m.cache.Image().Alive(s.Leader) {
		m.log.Error("the leader is none of the live brokers: waiting for it", "partition", name.String(), "leader", s.Leader, "epoch", s.LeaderEpoch)
	}
	m.followers.begin = append(m.followers.begin, follow.Assignment{
		Partition: name, TopicID: id, Leader: s.Leader, LeaderEpoch: s.LeaderEpoch,
		Replica: &following{p: p, leader: s.Leader, epoch: s.LeaderEpoch},
	})
}

// handOver tells the fetchers what a request of the controller changed, all at
// once. control is held.
func (m *Manager) handOver() {
	f := &m.followers
	f.fetchers.Unfollow(f.end)
	m.settleCuts() // of former leaders, before more is appended behind them
	f.fetchers.Follow(f.begin)
	f.begin, f.end = nil, nil
}

// unfollow ends copying a partition outside of a request of the controller.
func (m *Manager) unfollow(p *Partition) {
	m.followers.fetchers.Unfollow([]follow.Partition{p.followed()})
}

// followed is the partition's name among the fetchers.
func (p *Partition) followed() follow.Partition {
	return follow.Partition{Topic: p.key.topic, Index: p.key.index}
}

// settleCuts writes the checkpoints of directories in which logs were cut: a
// recovery that trusts the old ones would skip what is appended from now on.
func (m *Manager) settleCuts() {
	m.followers.settling.Lock()
	defer m.followers.settling.Unlock()
	for _, d := range m.dirs {
		if m.followers.cut[d].Swap(false) {
			_ = m.checkpointDir(d) // it has told the log
		}
	}
}

// following is a partition that this broker follows in one leader epoch, as its
// fetcher sees it.
type following struct {
	p             *Partition
	leader, epoch int32
}

var _ follow.Replica = (*following)(nil)

// with runs f while the partition is followed in that epoch: a change of role
// comes before or after it, never in between.
func (f *following) with(do func(l *storage.Log) error) (follow.Position, error) {
	p := f.p
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.mu.role != roleFollower || p.mu.leaderEpoch != f.epoch || p.mu.leader != f.leader {
		return follow.Position{}, follow.ErrRevoked
	}
	l := p.log()
	if err := do(l); err != nil {
		return follow.Position{}, err
	}
	at := follow.Position{Start: l.StartOffset(), End: l.EndOffset(), HighWatermark: l.HighWatermark(), Epoch: -1}
	e, ok, err := l.LatestEpoch()
	if ok {
		at.Epoch = e.Epoch
	}
	return at, err
}

// outcomeOf sorts an error of storage into what a fetcher can do about it.
func outcomeOf(err error) error {
	_, corrupt := errors.AsType[*record.CorruptError](err)
	_, failed := errors.AsType[*storage.DirError](err)
	switch {
	case err == nil, failed, errors.Is(err, follow.ErrRetry):
		return err
	case errors.Is(err, storage.ErrClosed):
		return follow.ErrRevoked // deleted, or the broker stops
	case corrupt || errors.Is(err, storage.ErrExhausted):
		return fmt.Errorf("%w: %w", follow.ErrRetry, err)
	}
	return err
}

// Position implements follow.Replica.
func (f *following) Position() (follow.Position, error) {
	at, err := f.with(func(*storage.Log) error { return nil })
	return at, outcomeOf(err)
}

// Append implements follow.Replica.
func (f *following) Append(from follow.Fetched) (follow.Position, error) {
	at, err := f.append(from)
	if order, ok := errors.AsType[*storage.OrderError](err); ok && order.First < from.Offset && order.Last >= from.Offset {
		at, err = f.beginInside(from, order)
	}
	return at, outcomeOf(err)
}

func (f *following) append(from follow.Fetched) (follow.Position, error) {
	var out outcome
	var info storage.AppendInfo
	var log *storage.Log
	at, err := f.with(func(l *storage.Log) (err error) {
		log = l
		info, err = f.p.copyLocked(l, from, &out)
		return err
	})
	if info.Rolled {
		f.p.m.flushSoon(log)
	}
	f.p.carryOut(&out, nil)
	return at, err
}

// beginInside handles the first batch of an empty log that begins before it: the
// leader's log starts inside of a batch. The log then begins where that does.
func (f *following) beginInside(from follow.Fetched, order *storage.OrderError) (follow.Position, error) {
	_, err := f.with(func(l *storage.Log) error {
		if l.StartOffset() != l.EndOffset() {
			return order
		}
		f.p.m.followers.cut[l.Dir()].Store(true)
		return l.TruncateFullyAndStartAt(order.First, order.First)
	})
	if err != nil {
		return follow.Position{}, err
	}
	f.p.m.settleCuts()
	from.Offset = order.First
	return f.append(from)
}

// copyLocked takes over what the leader sent; mu is held for reading.
func (p *Partition) copyLocked(l *storage.Log, from follow.Fetched, out *outcome) (info storage.AppendInfo, err error) {
	if end := l.EndOffset(); from.Offset != end {
		return info, fmt.Errorf("%w: offset %d was asked for, and the log ends at %d", follow.ErrRetry, from.Offset, end)
	}
	if len(from.Records) > 0 {
		records := upTo(from.Records, p.mu.leaderEpoch)
		if len(records) == 0 {
			return info, fmt.Errorf("%w: the source sent what a later leader wrote", follow.ErrRetry)
		}
		if info, err = l.AppendFollower(records); err != nil {
			return info, err
		}
	}
	p.water.Lock()
	p.water.above += info.Bytes
	// A new leader may know less of what is committed than this broker.
	if high := min(from.HighWatermark, l.EndOffset()); high > l.HighWatermark() {
		p.riseLocked(high, out)
	}
	p.water.Unlock()
	if from.LogStart > l.StartOffset() {
		err = l.RaiseStart(min(from.LogStart, l.HighWatermark()))
	}
	return info, err
}

// upTo returns the batches before the first one of a leader epoch above the one
// that is followed. Such a batch comes of a source that lost its leadership while
// its answer was under way: answers are sent from the file, which was cut and
// filled again meanwhile. It need not fit what is in this log.
func upTo(records []byte, epoch int32) []byte {
	for rest := records; ; {
		b, next, err := record.Next(rest)
		switch {
		case err != nil:
			return records // the end, or for storage to judge
		case b.LeaderEpoch() > epoch:
			return records[:len(records)-len(rest)]
		}
		rest = next
	}
}

// EpochEnd implements follow.Replica.
func (f *following) EpochEnd(epoch int32) (found int32, end int64, err error) {
	_, err = f.with(func(l *storage.Log) (err error) {
		found, end, err = l.EndOffsetForEpoch(epoch)
		return err
	})
	return found, end, outcomeOf(err)
}

// Truncate implements follow.Replica.
func (f *following) Truncate(to int64) (follow.Position, error) {
	return f.cut(func(l *storage.Log) error {
		_, err := l.TruncateTo(to)
		return err
	})
}

// Restart implements follow.Replica.
func (f *following) Restart(at int64) (follow.Position, error) {
	return f.cut(func(l *storage.Log) error { return l.TruncateFullyAndStartAt(at, at) })
}

// cut changes the log so that it may have less. Readers learn when that is below
// the high watermark.
func (f *following) cut(do func(l *storage.Log) error) (follow.Position, error) {
	p, lower := f.p, false
	at, err := f.with(func(l *storage.Log) error {
		p.water.Lock()
		defer p.water.Unlock()
		point, high, start := l.RecoveryPoint(), l.HighWatermark(), l.StartOffset()
		err := do(l)
		lower = l.HighWatermark() < high
		if lower || l.RecoveryPoint() < point || l.StartOffset() != start {
			p.m.followers.cut[l.Dir()].Store(true)
		}
		return err
	})
	if lower {
		p.notify(urgent, nil)
	}
	return at, outcomeOf(err)
}

// Fail implements follow.Replica.
func (f *following) Fail(err error) { _ = f.p.m.observe(err) } // the fetcher has told the log
