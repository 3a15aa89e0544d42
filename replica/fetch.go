package replica

import (
	"time"

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

// ConsumerReplica is the replica id of a client that is no broker.
const ConsumerReplica int32 = -1

// FetchRequest is one Fetch, whatever its version said.
type FetchRequest struct {
	ReplicaID int32
	MaxWait   time.Duration
	MinBytes  int
	MaxBytes  int
	Isolation Isolation
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
	LogStart    int64 // a follower's log start offset
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
	Aborted       []index.Aborted
	// Span holds the records; it is empty when there are none.
	Span storage.Span
	// FetchOffset is what was asked for.
	FetchOffset int64
}

// Pending is a parked fetch.
type Pending struct {
	f *fetch
	p *parked
}

// Cancel drops the fetch without an answer: its connection is gone.
func (p *Pending) Cancel() {
	if p.f.set.unpark(p.p) {
		p.p.timer.Stop()
		p.f.end()
	}
}

// fetch is one request in work over its interest.
type fetch struct {
	m       *Manager
	req     *FetchRequest
	set     *interest
	session *session // nil without a session
	full    bool     // the reply names every partition, changed or not
	// A fetch without a session subscribes to its partitions only when it
	// must wait: most find something at once.
	entries    []*entry
	subscribed bool
}

// Fetch reads what is there. When it is enough (or an error, or MaxWait is 0)
// the result is returned at once. Otherwise the fetch is parked and wake is
// called once, later: the caller then gets the result from resume, on a
// goroutine where reading may take its time.
func (m *Manager) Fetch(req *FetchRequest, wake func(resume func() *FetchResult)) (*FetchResult, *Pending) {
	f, refused := m.openFetch(req)
	if refused != nil {
		return refused, nil
	}
	if f.session != nil {
		f.session.op.Lock()
		defer f.session.op.Unlock()
	}
	for {
		found, bytes, urgent := f.read()
		if urgent || bytes >= req.MinBytes || req.MaxWait <= 0 || f.idle() {
			return f.result(found), nil
		}
		back := f.release(found)
		if f.subscribe() {
			f.set.putBack(back)
			continue // what came before the subscription is seen now
		}
		p := &parked{minBytes: req.MinBytes}
		p.wake = func() { wake(f.resume) }
		p.timer = m.env.Clock.AfterFunc(req.MaxWait, func() {
			if f.set.unpark(p) {
				p.wake()
			}
		})
		if f.set.park(p, bytes, back) {
			return nil, &Pending{f: f, p: p}
		}
		p.timer.Stop()
		f.set.putBack(back)
	}
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
	if f.session != nil {
		f.session.op.Lock()
		defer f.session.op.Unlock()
	}
	found, _, _ := f.read()
	return f.result(found)
}

// idle reports a fetch that names no partition: nothing would ever wake it.
func (f *fetch) idle() bool {
	if f.session != nil {
		return len(f.session.entries) == 0
	}
	return len(f.entries) == 0
}

// reading is one entry with what was found.
type reading struct {
	e   *entry
	out FetchedPartition
}

// read looks at the dirty entries in order until the reply is full. urgent
// reports something that must be answered at once.
func (f *fetch) read() (found []reading, bytes int, urgent bool) {
	left := f.req.MaxBytes
	entries := f.set.take()
	found = make([]reading, 0, len(entries))
	var again []*entry
	for i, e := range entries {
		if left <= 0 && bytes > 0 && !f.full {
			again = append(again, entries[i:]...)
			break
		}
		found = append(found, reading{e: e})
		out := &found[len(found)-1].out
		f.readOne(e, out, max(left, 0), f.req.WholeBatches && bytes == 0)
		bytes += out.Span.Size()
		left -= out.Span.Size()
		urgent = urgent || out.Err != nil
		if out.Span.Size() > 0 || out.Err != nil || left <= 0 {
			again = append(again, e) // there may be more
		}
	}
	f.set.putBack(again)
	return found, bytes, urgent
}

func (f *fetch) readOne(e *entry, out *FetchedPartition, left int, minOne bool) {
	out.PartitionName, out.FetchOffset = e.want.PartitionName, e.want.Offset
	if e.part == nil {
		f.resolve(e)
	}
	if e.part == nil {
		out.Err = f.m.missing(e.want.PartitionName, f.req.ByID)
	} else {
		out.Topic, out.TopicID = e.part.key.topic, e.part.topicID()
		out.Err = e.part.read(readRequest{
			offset: e.want.Offset, maxBytes: min(left, e.want.MaxBytes), minOne: minOne,
			leaderEpoch: e.want.LeaderEpoch, isolation: f.req.Isolation, replica: f.req.ReplicaID,
		}, out)
	}
	if out.Err == nil {
		return
	}
	out.HighWatermark, out.LastStable, out.LogStart = -1, -1, -1
	if e.part != nil && e.part.gone() {
		e.part.unsubscribe(e)
		e.part = nil
	}
}

// resolve looks the partition up again: it may have come to this broker.
func (f *fetch) resolve(e *entry) {
	if e.part = f.m.find(e.want.PartitionName, f.req.ByID); e.part == nil {
		return
	}
	if f.session != nil || f.subscribed {
		e.part.subscribe(e)
	}
}

// release gives spans back before the fetch is parked, and returns the entries
// to look at again: those that had records, and in a full reply all.
func (f *fetch) release(found []reading) []*entry {
	var back []*entry
	for _, r := range found {
		r.out.Span.Release()
		if f.full || r.out.Span.Size() > 0 {
			back = append(back, r.e)
		}
	}
	return back
}

// result keeps what the client must hear: all partitions in a full reply, else
// those with records, an error, or a moved watermark or log start.
func (f *fetch) result(found []reading) *FetchResult {
	res := &FetchResult{Partitions: make([]FetchedPartition, 0, len(found))}
	for _, r := range found {
		e, failed := r.e, r.out.Err != nil
		news := failed || e.sentFailed || r.out.Span.Size() > 0 ||
			e.sentHW != r.out.HighWatermark || e.sentStart != r.out.LogStart
		if f.full || news {
			res.Partitions = append(res.Partitions, r.out)
			e.sentFailed, e.sentHW, e.sentStart = failed, r.out.HighWatermark, r.out.LogStart
		}
	}
	if f.session != nil {
		res.SessionID = f.session.id
	}
	f.end()
	return res
}

// end lets the partitions forget a fetch without a session.
func (f *fetch) end() {
	if !f.subscribed {
		return
	}
	for _, e := range f.entries {
		if e.part != nil {
			e.part.unsubscribe(e)
		}
	}
}
