package replica

import (
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// Special timestamps of ListOffsets.
const (
	LatestTimestamp        int64 = -1
	EarliestTimestamp      int64 = -2
	MaxTimestamp           int64 = -3 // KIP-734
	EarliestLocalTimestamp int64 = -4 // KIP-405
	LatestTieredTimestamp  int64 = -5 // KIP-1005
)

// FoundOffset answers one partition of ListOffsets.
type FoundOffset struct {
	Offset      int64 // -1: no such record
	Timestamp   int64 // -1 for the special timestamps
	LeaderEpoch int32 // -1: unknown
}

var notFound = FoundOffset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}

// ListOffset finds an offset by time. Consumers see no further than the high
// watermark, those that read committed no further than the last stable offset;
// replicas see all. Ids below -1 may ask followers, too.
func (m *Manager) ListOffset(topic string, partition int32, timestamp int64, isolation Isolation, replica, leaderEpoch int32) (FoundOffset, error) {
	p := m.lookup(topic, partition)
	if p == nil {
		return notFound, m.missing(PartitionName{Topic: topic, Partition: partition}, false)
	}
	if err := p.checkHolder(leaderEpoch, replica < consumer); err != nil {
		return notFound, err
	}
	limit, err := p.visible(isolation, replica)
	if err != nil {
		return notFound, m.observe(err)
	}
	// A new leader may not know yet how far the former one had come: then a
	// consumer would see the end of the log fall.
	lagging := replica == consumer && p.watermarkLags()
	switch timestamp {
	case LatestTimestamp:
		if lagging {
			return notFound, wire.CodeOffsetNotAvailable
		}
		return FoundOffset{Offset: limit, Timestamp: -1, LeaderEpoch: p.epochNow()}, nil
	case EarliestTimestamp, EarliestLocalTimestamp:
		start := p.log().StartOffset()
		epoch, err := p.log().EpochFor(start)
		return FoundOffset{Offset: start, Timestamp: -1, LeaderEpoch: epoch}, m.observe(err)
	case LatestTieredTimestamp:
		return notFound, nil // nothing is tiered
	}
	var found storage.TimeOffset
	var ok bool
	if timestamp == MaxTimestamp {
		found, ok, err = p.log().MaxTimestamp()
	} else {
		found, ok, err = p.log().OffsetForTime(timestamp)
	}
	if err != nil {
		return notFound, m.observe(err)
	}
	if !ok || found.Offset >= limit {
		if lagging {
			return notFound, wire.CodeOffsetNotAvailable
		}
		return notFound, nil
	}
	return FoundOffset{Offset: found.Offset, Timestamp: found.Timestamp, LeaderEpoch: found.LeaderEpoch}, nil
}

// visible is the end of what a reader may see.
func (p *Partition) visible(isolation Isolation, replica int32) (int64, error) {
	switch {
	case replica != consumer:
		return p.log().EndOffset(), nil
	case isolation == ReadCommitted:
		return p.log().LastStableOffset()
	}
	return p.log().HighWatermark(), nil
}

// watermarkLags reports that the high watermark has not reached the offset where
// this leader began.
func (p *Partition) watermarkLags() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.log().HighWatermark() < p.mu.epochStart
}

func (p *Partition) epochNow() int32 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.leaderEpoch
}

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below the one
// asked for, and where it ends; -1, -1 when that is not known.
func (m *Manager) EpochEnd(topic string, partition, epoch, knownLeaderEpoch int32) (found int32, end int64, err error) {
	p := m.lookup(topic, partition)
	if p == nil {
		return -1, -1, m.missing(PartitionName{Topic: topic, Partition: partition}, false)
	}
	if err := p.checkLeader(knownLeaderEpoch); err != nil {
		return -1, -1, err
	}
	found, end, err = p.log().EndOffsetForEpoch(epoch)
	return found, end, m.observe(err)
}

// Producers lists the active producers of a partition, as this replica knows
// them.
func (m *Manager) Producers(topic string, partition int32) ([]producer.Active, error) {
	p := m.lookup(topic, partition)
	if p == nil {
		return nil, m.missing(PartitionName{Topic: topic, Partition: partition}, false)
	}
	if err := p.checkHolder(AnyEpoch, true); err != nil {
		return nil, err
	}
	list, err := p.log().ActiveProducers()
	return list, m.observe(err)
}

// OffsetsBefore answers ListOffsets version 0: at most limit offsets, newest
// first, where segments begin that were last written at or before a time; the
// end of the log counts as written now.
func (m *Manager) OffsetsBefore(topic string, partition int32, timestamp int64, limit int, replica int32) ([]int64, error) {
	p := m.lookup(topic, partition)
	if p == nil {
		return nil, m.missing(PartitionName{Topic: topic, Partition: partition}, false)
	}
	if err := p.checkHolder(AnyEpoch, replica < consumer); err != nil {
		return nil, err
	}
	starts, err := p.log().SegmentStarts()
	if err != nil {
		return nil, m.observe(err)
	}
	if !starts[len(starts)-1].Empty {
		starts = append(starts, storage.SegmentStart{Offset: p.log().EndOffset(), Modified: m.env.Clock.Now().UnixMilli()})
	}
	last := -1
	switch timestamp {
	case LatestTimestamp:
		last = len(starts) - 1
	case EarliestTimestamp:
		last = 0
	default:
		for i, s := range starts {
			if s.Modified <= timestamp {
				last = i
			}
		}
	}
	var out []int64
	for i := last; i >= 0 && len(out) < limit; i-- {
		out = append(out, max(starts[i].Offset, p.log().StartOffset()))
	}
	return capAt(out, p.log().HighWatermark(), replica), nil
}

// capAt shows a consumer the high watermark in place of all that lies above.
func capAt(offsets []int64, hw int64, replica int32) []int64 {
	if replica != consumer {
		return offsets
	}
	above := 0
	for above < len(offsets) && offsets[above] > hw {
		above++
	}
	if above == 0 {
		return offsets
	}
	return append([]int64{hw}, offsets[above:]...)
}
