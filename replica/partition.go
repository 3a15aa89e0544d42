package replica

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/replica/isr"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/index"
	"github.com/gregor-mq/gregor/wire"
)

// partitionKey names a partition on this broker.
type partitionKey struct {
	topic string
	index int32
}

// role is what this broker does for a partition.
type role uint8

const (
	roleNone     role = iota // known, but no leader was told yet
	roleLeader               // serves clients
	roleFollower             // copies a leader
	roleOffline              // its log directory failed
	roleGone                 // stopped or deleted
)

// Partition is one partition that this broker holds a replica of.
type Partition struct {
	key partitionKey
	m   *Manager
	// current is the log, nil before attachLog. A move to another directory
	// replaces it, with mu and water held.
	current atomic.Pointer[storage.Log]
	// minISR is min.insync.replicas; guarded by mu.
	minISR int

	// mu guards the role. Appends hold it for reading, so that a broker that
	// stopped leading appends no more; a role change holds it for writing.
	mu struct {
		sync.RWMutex
		role           role
		id             wire.UUID
		leader         int32
		leaderEpoch    int32
		partitionEpoch int32
		ledSince       int32 // leader epoch from which on this broker led without a break
		epochStart     int64 // end offset when this leader epoch began
		isr            []int32
		replicas       []int32
		adding         []int32
		removing       []int32
		recovering     bool
	}

	subs struct {
		sync.Mutex
		head *entry // fetches to tell of news
	}
	// water orders changes of the high watermark, which itself lies in log and
	// is read without a lock.
	water struct {
		sync.Mutex
		// isr knows the followers while this broker leads, which it does without
		// a break from leader epoch since on; nil else.
		isr     *isr.State
		since   int32
		waiting []*ackWait // produce requests that wait for it
		// deletions wait until all live replicas begin where they ask.
		deletions []*deleteWait
		above     int   // bytes appended and not yet below the watermark
		held      int   // bytes below the watermark, but not yet stable
		stable    int64 // the last stable offset that fetches were told of
	}
}

// log is where the records lie now. Who uses it twice and must not see a move
// in between holds mu or water, or asks once.
func (p *Partition) log() *storage.Log { return p.current.Load() }

func (p *Partition) topicID() wire.UUID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.id
}

// gone reports that the partition left this broker.
func (p *Partition) gone() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.role == roleGone
}

func (p *Partition) subscribe(e *entry) {
	p.subs.Lock()
	defer p.subs.Unlock()
	if e.linked {
		return
	}
	e.linked, e.next, e.prev = true, p.subs.head, nil
	if e.next != nil {
		e.next.prev = e
	}
	p.subs.head = e
}

func (p *Partition) unsubscribe(e *entry) {
	p.subs.Lock()
	defer p.subs.Unlock()
	if !e.linked {
		return
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		p.subs.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.linked, e.prev, e.next = false, nil, nil
}

// notify tells the fetches what happened, but for the one of an entry that knows
// (nil: all). Those that have enough are woken when no lock is held.
func (p *Partition) notify(n news, knows *entry) {
	var woken *parked
	p.subs.Lock()
	for e := p.subs.head; e != nil; e = e.next {
		if e == knows {
			continue
		}
		if w := e.mark(&n); w != nil {
			w.next, woken = woken, w
		}
	}
	p.subs.Unlock()
	for woken != nil {
		w := woken
		woken, w.next = w.next, nil
		w.fire()
	}
}

// urgent is the news of another role.
var urgent = news{urgent: true}

// readRequest is what a fetch asks of one partition.
type readRequest struct {
	offset      int64
	maxBytes    int
	minOne      bool
	leaderEpoch int32
	// lastFetchedEpoch is that of the last batch the reader has; -1: no check.
	lastFetchedEpoch int32
	view             view
	replica          int32 // who reads; negative for a consumer
	// anywhere says that a follower may serve it; rack and listener are where a
	// consumer is, rack empty when that does not matter.
	anywhere       bool
	rack, listener string
	logStart       int64 // where its log begins, of a replica
	// entry is that of the fetch, follower that of its session; nil without one.
	entry    *entry
	follower *follower
}

// checkLeaderLocked says whether this broker may serve the partition to who
// knows a leader epoch (-1: any); the caller holds mu.
func (p *Partition) checkLeaderLocked(known int32) error {
	switch {
	case p.mu.role == roleOffline:
		return wire.CodeKafkaStorageError
	case p.mu.role == roleGone:
		return p.m.missing(PartitionName{Topic: p.key.topic, Partition: p.key.index}, false)
	case known >= 0 && known < p.mu.leaderEpoch:
		return wire.CodeFencedLeaderEpoch
	case known > p.mu.leaderEpoch:
		return wire.CodeUnknownLeaderEpoch
	case p.mu.role != roleLeader:
		return wire.CodeNotLeaderOrFollower
	}
	return nil
}

// checkHolder is checkLeader, where a follower will do as well if anywhere says so.
func (p *Partition) checkHolder(known int32, anywhere bool) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.checkHolderLocked(known, anywhere)
}

func (p *Partition) checkHolderLocked(known int32, anywhere bool) error {
	err := p.checkLeaderLocked(known)
	if anywhere && p.mu.role == roleFollower && errors.Is(err, wire.CodeNotLeaderOrFollower) {
		return nil
	}
	return err
}

// checkLeader is checkLeaderLocked for who does not hold mu.
func (p *Partition) checkLeader(known int32) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.checkLeaderLocked(known)
}

// checkReader says whether this broker may serve the partition to a reader: a
// consumer, or another broker that holds a replica. since is the leader epoch
// from which on it leads without a break.
func (p *Partition) checkReader(r *readRequest) (since int32, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err := p.checkHolderLocked(r.leaderEpoch, r.anywhere); err != nil {
		return 0, err
	}
	if r.replica < 0 || r.replica != p.m.cfg.BrokerID && slices.Contains(p.mu.replicas, r.replica) {
		return p.mu.ledSince, nil
	}
	if r.leaderEpoch >= 0 {
		// The reader may have heard of a reassignment that we have not.
		return 0, wire.CodeUnknownLeaderEpoch
	}
	return 0, wire.CodeNotLeaderOrFollower
}

// diverges compares the history of a reader, whose last batch is of an epoch,
// with this log's; nil when the reader's is a part of it.
func (p *Partition) diverges(r *readRequest, start, end int64) (*EpochEnd, error) {
	epoch, ended, err := p.log().EndOffsetForEpoch(r.lastFetchedEpoch)
	switch {
	case err != nil:
		return nil, p.m.observe(err)
	case epoch < 0 || ended < 0 || r.offset < start:
		return nil, &storage.OffsetError{Offset: r.offset, Start: start, End: end}
	case epoch < r.lastFetchedEpoch || ended < r.offset:
		return &EpochEnd{Epoch: epoch, Offset: ended}, nil
	}
	return nil, nil
}

// read finds what a reader may see; more reports that there are records at the
// offset, whether or not they fit, or that the reader is to do something else
// first. What a replica asks for tells how far it is.
func (p *Partition) read(r readRequest, out *FetchedPartition) (more bool, err error) {
	since, err := p.checkReader(&r)
	if err != nil {
		return false, err
	}
	end := p.log().EndOffset()
	more, err = p.readLog(r, end, out)
	if r.replica < 0 || err != nil || out.Diverging != nil {
		return more, err
	}
	f := isr.Fetch{Broker: r.replica, Offset: r.offset, LogStart: r.logStart, LeaderEnd: end}
	if r.follower != nil && r.follower.broker == r.replica {
		f.Pulse = &r.follower.pulse
	}
	p.fetched(f, since, r.entry)
	if high := p.log().HighWatermark(); high != out.HighWatermark { // it rose by this fetch
		out.HighWatermark = high
		if stable, err := p.log().LastStableOffset(); err == nil {
			out.LastStable = stable
		}
	}
	return more, nil
}

// readLog is read without its consequences. end is where the log ended before.
func (p *Partition) readLog(r readRequest, end int64, out *FetchedPartition) (more bool, err error) {
	out.HighWatermark, out.LogStart = p.log().HighWatermark(), p.log().StartOffset()
	if out.LastStable, err = p.log().LastStableOffset(); err != nil {
		return false, p.m.observe(err)
	}
	if r.rack != "" && p.m.cfg.RackAware {
		if out.Preferred = p.preferred(r.rack, r.listener, r.offset); out.Preferred != noReplica {
			return true, nil
		}
	}
	if r.lastFetchedEpoch >= 0 {
		if out.Diverging, err = p.diverges(&r, out.LogStart, end); err != nil || out.Diverging != nil {
			return out.Diverging != nil, err
		}
	}
	limit := out.HighWatermark
	switch r.view {
	case viewEnd:
		limit = end
	case viewStable:
		limit = out.LastStable
	}
	if r.offset > end || r.offset < out.LogStart {
		return false, &storage.OffsetError{Offset: r.offset, Start: out.LogStart, End: end}
	}
	if r.view == viewStable {
		out.Aborted = []index.Aborted{}
	}
	if r.offset >= limit {
		return false, nil
	}
	if r.maxBytes <= 0 && !r.minOne {
		return true, nil
	}
	out.Span, err = p.log().Read(r.offset, limit, r.maxBytes, r.minOne)
	if err != nil {
		return false, p.m.observe(err)
	}
	if out.Span.Size() > 0 && r.view == viewStable {
		err = p.aborted(r.offset, out)
	}
	return true, err
}

// aborted adds the aborted transactions that a read_committed consumer must
// skip in what it gets.
func (p *Partition) aborted(offset int64, out *FetchedPartition) error {
	found, err := p.log().AbortedTxns(offset, p.log().SpanEnd(out.Span))
	if err != nil {
		out.Span.Release()
		out.Span = storage.Span{}
		return p.m.observe(err)
	}
	out.Aborted = append(out.Aborted, found...)
	return nil
}
