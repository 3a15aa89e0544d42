package replica

import (
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/index"
	"github.com/gregor-mq/gregor/wire"
)

// Isolation is a fetch's isolation level.
type Isolation int8

// The isolation levels of Fetch and ListOffsets.
const (
	ReadUncommitted Isolation = 0
	ReadCommitted   Isolation = 1
)

// FetchRequest is one Fetch, whatever its version said.
type FetchRequest struct {
	// ReplicaID is a broker's id, consumer or less for one (Kafka has -2 for
	// debugging, which is the same to it here), or futureReplica.
	ReplicaID int32
	// Anywhere says that a follower may answer a consumer as well as the leader.
	Anywhere bool
	// Rack and Listener are where a consumer is that may be sent to a nearer
	// replica; Rack is empty for others.
	Rack, Listener string
	MaxWait        time.Duration
	MinBytes       int
	MaxBytes       int
	Isolation      Isolation
	// WholeBatches asks that the first batch be returned even when it is
	// larger than the limits (version 3 and later).
	WholeBatches bool
	// ByID says that partitions are named by topic id (version 13 and later).
	ByID         bool
	SessionID    int32
	SessionEpoch int32
	Partitions   []FetchPartition
	Forgotten    []PartitionName
}

// consumer is the ReplicaID of consumers, futureReplica that by which Kafka's
// brokers copy from themselves: it sees all that a broker sees, at followers too.
const (
	consumer      int32 = -1
	futureReplica int32 = -3
)

// PartitionName names a partition by topic name or, in a fetch by id, by id.
type PartitionName struct {
	Topic     string
	TopicID   wire.UUID
	Partition int32
}

// FetchPartition is one partition of a FetchRequest.
type FetchPartition struct {
	PartitionName
	Offset      int64
	MaxBytes    int
	LeaderEpoch int32 // -1: no check
	// LastFetchedEpoch is the leader epoch of the last batch that the reader has
	// (version 12 and later); the leader compares histories. -1: no check.
	LastFetchedEpoch int32
	LogStart         int64 // a follower's log start offset
}

// FetchResult answers a FetchRequest. Code is about the session.
type FetchResult struct {
	Code       wire.Code
	SessionID  int32
	Partitions []FetchedPartition
}

// FetchedPartition is one partition of a FetchResult. Who takes it must send or
// release its Span.
type FetchedPartition struct {
	PartitionName
	Err           error // nil, a wire.Code, or an error of storage
	HighWatermark int64
	LastStable    int64
	LogStart      int64
	// Aborted are the aborted transactions to skip; nil unless committed data
	// were asked for and read.
	Aborted []index.Aborted
	// Diverging is where the reader's history ends to agree with the leader's,
	// nil if it does not diverge.
	Diverging *EpochEnd
	// Preferred is the replica to read from instead, -1 for this one.
	Preferred int32
	// Span holds the records; it is empty when there are none.
	Span storage.Span
	// FetchOffset is what was asked for.
	FetchOffset int64
}

// EpochEnd is where a leader epoch ended in this broker's log.
type EpochEnd struct {
	Epoch  int32
	Offset int64
}

// Pending is a parked fetch.
type Pending struct {
	f *fetch
	p *parked
}

// Cancel drops the fetch without an answer: its connection is gone. It may come
// at any time, before or after the fetch was woken.
func (p *Pending) Cancel() {
	if p.f.set.unpark(p.p) {
		p.p.timer.Stop()
	}
	p.f.op.Lock()
	defer p.f.op.Unlock()
	p.f.end()
}

// fetch is one request in work over its interest.
type fetch struct {
	m   *Manager
	req *FetchRequest
	set *interest
	// op is held while the request reads, not while it waits: the session's,
	// or its own.
	op      *sync.Mutex
	session *session // nil without a session
	epoch   int32    // of the session after this request
	full    bool     // the reply names every partition, changed or not

	// A fetch without a session subscribes to its partitions only when it
	// must wait: most find something at once.
	entries    []*entry
	subscribed bool
	ended      bool
	own        struct {
		sync.Mutex
		interest
	}
}

// Fetch reads what is there. When it is enough (or an error, or MaxWait is 0)
// the result is returned at once. Otherwise the fetch is parked and wake is
// called once, later, with no lock held that a result needs: the caller then
// gets the result from resume, on a goroutine where reading may take its time.
func (m *Manager) Fetch(req *FetchRequest, wake func(resume func() *FetchResult)) (*FetchResult, *Pending) {
	f, code := m.openFetch(req)
	if code != wire.CodeNone {
		return &FetchResult{Code: code}, nil
	}
	f.op.Lock()
	defer f.op.Unlock()
	if refused := f.begin(); refused != nil {
		return refused, nil
	}
	for {
		found := f.read()
		if found.urgent || found.available >= f.minBytes() || req.MaxWait <= 0 || f.idle() {
			return f.result(found), nil
		}
		unread, read := f.release(found)
		if f.subscribe() {
			f.set.putBack(unread, read)
			continue // what came before the subscription is seen now
		}
		p := &parked{view: req.view(), minBytes: f.minBytes(), bytes: found.available}
		p.wake = func() { wake(f.resume) }
		if f.set.park(p, unread, read, func() env.Timer { return m.env.Clock.AfterFunc(req.MaxWait, f.expire(p)) }) {
			return nil, &Pending{f: f, p: p}
		}
	}
}

// expire answers the fetch with what is there when its time is over.
func (f *fetch) expire(p *parked) func() {
	return func() {
		if f.set.unpark(p) {
			p.wake()
		}
	}
}

// minBytes is never more than may be returned.
func (f *fetch) minBytes() int { return min(f.req.MinBytes, f.req.MaxBytes) }

func (r *FetchRequest) view() view {
	switch {
	case r.ReplicaID >= 0 || r.ReplicaID == futureReplica:
		return viewEnd
	case r.Isolation == ReadCommitted:
		return viewStable
	}
	return viewWatermark
}

// begin brings the session up to date with the request; the result is not nil
// when nothing is to be read.
func (f *fetch) begin() *FetchResult {
	if f.session == nil {
		return nil
	}
	if res := f.overtaken(); res != nil {
		return res
	}
	f.set.wakeParked()
	if f.set.follower != nil {
		f.set.follower.pulse.Beat(f.m.now())
	}
	f.session.update(f.m, f.req)
	if len(f.session.entries) == 0 {
		// Nothing would ever wake it. As Kafka: a session of no partitions ends.
		f.session.closed = true
		f.m.removeSession(f.session)
		return &FetchResult{}
	}
	return nil
}

// overtaken answers a request whose session has ended, or that a later request
// of the session has replaced; what it wanted is for that one to read.
func (f *fetch) overtaken() *FetchResult {
	switch {
	case f.session == nil:
		return nil
	case f.session.closed:
		return &FetchResult{Code: wire.CodeFetchSessionIDNotFound}
	case f.session.epoch.Load() != f.epoch:
		return &FetchResult{Code: wire.CodeInvalidFetchSessionEpoch, SessionID: f.session.id}
	}
	return nil
}

// subscribe makes the partitions of a fetch without a session mark it; it
// reports whether it just did.
func (f *fetch) subscribe() bool {
	if f.session != nil || f.subscribed {
		return false
	}
	f.subscribed = true
	for _, e := range f.entries {
		if e.part != nil {
			e.part.subscribe(e)
		}
	}
	return true
}

// resume reads again after the wake-up; what is there now is the answer.
func (f *fetch) resume() *FetchResult {
	f.op.Lock()
	defer f.op.Unlock()
	if f.ended {
		return &FetchResult{} // nobody will see it
	}
	if res := f.overtaken(); res != nil {
		return res
	}
	return f.result(f.read())
}

// idle reports a fetch that names no partition: nothing would ever wake it.
func (f *fetch) idle() bool { return f.session == nil && len(f.entries) == 0 }

// readings is what one pass over the dirty entries found.
type readings struct {
	from   []*entry // whose partition parts[i] is
	parts  []FetchedPartition
	more   []bool   // from[i] has records that did not fit, or an error
	unread []*entry // not reached
	bytes  int
	// available is what there is within the partitions' limits, whether the
	// reply takes it or not: by it, as in Kafka, a fetch has waited enough.
	available int
	urgent    bool // something must be answered at once
}

// read looks at the dirty entries in order until the reply is full.
func (f *fetch) read() *readings {
	entries := f.set.take()
	r := &readings{from: make([]*entry, 0, len(entries)), parts: make([]FetchedPartition, 0, len(entries)), more: make([]bool, 0, len(entries))}
	left := f.req.MaxBytes
	for i, e := range entries {
		if left <= 0 && r.bytes > 0 && !f.full && f.req.ReplicaID < 0 {
			r.unread = entries[i:]
			break
		}
		if e.forgotten {
			continue
		}
		r.from = append(r.from, e)
		r.parts = append(r.parts, FetchedPartition{})
		out := &r.parts[len(r.parts)-1]
		more := f.readOne(e, out, max(left, 0), f.req.WholeBatches && r.bytes == 0)
		r.more = append(r.more, more)
		size := out.Span.Size()
		r.bytes += size
		left -= size
		if size == 0 && more && out.Err == nil {
			size = e.want.MaxBytes // its first batch alone is larger
		}
		r.available += size
		r.urgent = r.urgent || out.elsewhere()
	}
	return r
}

// readOne reads one partition; more reports that it is to be looked at again
// even if nothing happens to it.
func (f *fetch) readOne(e *entry, out *FetchedPartition, left int, minOne bool) (more bool) {
	out.PartitionName, out.FetchOffset, out.Preferred = e.want.PartitionName, e.want.Offset, noReplica
	if f.resolve(e); e.part == nil {
		out.Err = f.m.missing(e.want.PartitionName, f.req.ByID)
	} else {
		out.Topic, out.TopicID = e.part.key.topic, e.part.topicID()
		held := f.held(e)
		if e.held.Store(held); held {
			left, minOne = 0, false
		}
		more, out.Err = e.part.read(readRequest{
			offset: e.want.Offset, maxBytes: min(left, e.want.MaxBytes), minOne: minOne,
			leaderEpoch: e.want.LeaderEpoch, lastFetchedEpoch: e.want.LastFetchedEpoch, view: f.req.view(),
			replica: f.req.ReplicaID, anywhere: f.req.Anywhere || f.req.ReplicaID == futureReplica, rack: f.req.Rack, listener: f.req.Listener,
			logStart: e.want.LogStart, entry: e, follower: f.set.follower,
		}, out)
		more = more && (!held || out.Diverging != nil)
		if out.Err != nil && e.part.gone() {
			out.Err = f.m.missing(e.want.PartitionName, f.req.ByID)
		}
	}
	if out.Err == nil {
		return more
	}
	out.HighWatermark, out.LastStable, out.LogStart = -1, -1, -1
	return true
}

// resolve looks a partition up again that was not here, or was deleted: it may
// have come to this broker, or have been made anew.
func (f *fetch) resolve(e *entry) {
	if e.part != nil && !e.part.gone() {
		return
	}
	e.detach()
	if e.part = f.m.find(e.want.PartitionName, f.req.ByID); e.part != nil && (f.session != nil || f.subscribed) {
		e.part.subscribe(e)
	}
}

// elsewhere reports that the reader is to do something else than to wait here.
func (out *FetchedPartition) elsewhere() bool {
	return out.Err != nil || out.Diverging != nil || out.Preferred != noReplica
}

// changed reports what an incremental reply must tell of a partition: records,
// an error or its end, another history, a nearer replica, a moved watermark or
// log start.
func (e *entry) changed(out *FetchedPartition) bool {
	return out.elsewhere() || e.sentFailed || out.Span.Size() > 0 || e.sentHW != out.HighWatermark || e.sentStart != out.LogStart
}

// release gives spans back before the fetch is parked, and returns the entries
// to look at again: what the reply must tell in the end.
func (f *fetch) release(r *readings) (unread, read []*entry) {
	for i, e := range r.from {
		if f.full || r.more[i] || e.outside || e.changed(&r.parts[i]) {
			read = append(read, e)
		}
		r.parts[i].Span.Release()
	}
	return r.unread, read
}

// result keeps what the client must hear: all partitions in a full reply, else
// those that changed.
func (f *fetch) result(r *readings) *FetchResult {
	unread, read := r.unread, []*entry(nil)
	kept := r.parts[:0]
	for i, e := range r.from {
		out := &r.parts[i]
		switch {
		case r.more[i] && out.Span.Size() == 0 && !out.elsewhere():
			unread = append(unread[:len(unread):len(unread)], e) // its first batch did not fit
		case r.more[i] || e.outside:
			read = append(read, e)
		}
		if f.full || e.changed(out) {
			// A reader whose history diverges does not look at the rest yet.
			e.sentFailed, e.sentHW, e.sentStart = out.Err != nil || out.Diverging != nil, out.HighWatermark, out.LogStart
			kept = append(kept, *out)
		}
	}
	f.sent(kept)
	res := &FetchResult{Partitions: kept}
	if f.session != nil {
		f.set.putBack(unread, read)
		res.SessionID = f.session.id
	}
	f.end()
	return res
}

// end lets the partitions forget a fetch without a session; op is held.
func (f *fetch) end() {
	f.ended = true
	if f.subscribed {
		for _, e := range f.entries {
			e.detach()
		}
	}
}
