package replica

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Session epochs of KIP-227.
const (
	initialEpoch int32 = 0  // ask for a new session
	finalEpoch   int32 = -1 // no session, and close the one named
)

// evictAfter is how long a session is safe from being replaced by a larger one
// when all slots are taken, and how long it may rest before any other replaces
// it (KIP-227).
const evictAfter = 2 * time.Minute

// session is a fetch session: an interest that outlives its requests.
type session struct {
	id   int32
	byID bool
	// epoch is what the next request must name. It moves under sessions.mu.
	epoch   atomic.Int32
	created time.Time
	used    time.Time    // guarded by sessions.mu
	size    atomic.Int64 // how many partitions it holds
	set     interest
	// op is held while a request of this session reads, not while it waits. It
	// guards what follows.
	op      sync.Mutex
	entries map[PartitionName]*entry
	closed  bool // no request may subscribe to anything any more
}

// sessions holds the fetch sessions of this broker, at most
// max.incremental.fetch.session.cache.slots of them.
type sessions struct {
	mu struct {
		sync.Mutex
		all map[int32]*session
	}
	slots int
}

// openFetch finds or makes the session of a request. Nothing of it is read or
// changed before the caller holds the fetch's op lock.
func (m *Manager) openFetch(req *FetchRequest) (*fetch, wire.Code) {
	f := &fetch{m: m, req: req}
	switch req.SessionEpoch {
	case initialEpoch, finalEpoch:
		if req.SessionID != 0 {
			m.closeSession(req.SessionID)
		}
		f.full = true
		if req.SessionEpoch == initialEpoch && len(req.Partitions) > 0 {
			f.session, f.epoch = m.newSession(req), initialEpoch+1
		}
	default:
		var code wire.Code
		if f.session, f.epoch, code = m.claimSession(req); code != wire.CodeNone {
			return nil, code
		}
	}
	if f.session != nil {
		f.set, f.op = &f.session.set, &f.session.op
		return f, wire.CodeNone
	}
	f.set, f.op = &f.own.interest, &f.own.Mutex
	f.list()
	f.set.putBack(nil, f.entries)
	return f, wire.CodeNone
}

// list makes the entries of a fetch without a session: one for each partition,
// with what the request says of it last.
func (f *fetch) list() {
	parts := f.req.Partitions
	f.entries = make([]*entry, 0, len(parts))
	if len(parts) == 1 {
		f.entries = append(f.entries, newEntry(f.set, parts[0]))
		return
	}
	known := make(map[PartitionName]*entry, len(parts))
	for _, want := range parts {
		if e := known[want.PartitionName]; e != nil {
			e.want = want
			continue
		}
		e := newEntry(f.set, want)
		known[want.PartitionName] = e
		f.entries = append(f.entries, e)
	}
}

// claimSession checks id and epoch and moves to the next epoch, which it
// returns: an earlier request that is still parked is overtaken by that.
func (m *Manager) claimSession(req *FetchRequest) (*session, int32, wire.Code) {
	m.sessions.mu.Lock()
	defer m.sessions.mu.Unlock()
	s, ok := m.sessions.mu.all[req.SessionID]
	switch {
	case !ok:
		return nil, 0, wire.CodeFetchSessionIDNotFound
	case s.epoch.Load() != req.SessionEpoch:
		return nil, 0, wire.CodeInvalidFetchSessionEpoch
	case s.byID != req.ByID:
		return nil, 0, wire.CodeFetchSessionTopicIDError
	}
	next := nextEpoch(req.SessionEpoch)
	s.epoch.Store(next)
	s.used = m.env.Clock.Now()
	return s, next, wire.CodeNone
}

// nextEpoch counts from 1 and skips 0 and -1, which mean something else.
func nextEpoch(e int32) int32 {
	if e == 1<<31-1 {
		return 1
	}
	return e + 1
}

// newSession makes a session for a full fetch, or returns nil when all slots
// hold sessions that it may not replace: the fetch then goes without.
func (m *Manager) newSession(req *FetchRequest) *session {
	now := m.env.Clock.Now()
	s := &session{byID: req.ByID, created: now, used: now, entries: make(map[PartitionName]*entry, len(req.Partitions))}
	s.size.Store(int64(len(req.Partitions)))
	if req.ReplicaID >= 0 {
		s.set.follower = &follower{broker: req.ReplicaID}
	}
	s.epoch.Store(initialEpoch + 1)
	var evicted *session
	m.sessions.mu.Lock()
	if len(m.sessions.mu.all) >= m.sessions.slots {
		if evicted = m.replaceableLocked(s); evicted == nil {
			m.sessions.mu.Unlock()
			return nil
		}
		delete(m.sessions.mu.all, evicted.id)
	}
	for s.id == 0 || m.sessions.mu.all[s.id] != nil {
		s.id = int32(m.env.Rand.Uint64() & (1<<31 - 1))
	}
	m.sessions.mu.all[s.id] = s
	m.sessions.mu.Unlock()
	if evicted != nil {
		evicted.drop()
	}
	return s
}

// replaceableLocked is the session that a new one may replace: the one unused
// for longest, if for evictAfter at least; else the one of the lowest rank, if
// the new one's is higher. Those made within evictAfter are safe, though a
// consumer's is not from a follower's.
func (m *Manager) replaceableLocked(next *session) *session {
	var oldest, lowest *session
	for _, s := range m.sessions.mu.all {
		if next.created.Sub(s.used) >= evictAfter && (oldest == nil || s.used.Before(oldest.used)) {
			oldest = s
		}
		safe := next.created.Sub(s.created) <= evictAfter && (s.set.follower != nil || next.set.follower == nil)
		if !safe && (lowest == nil || s.rank(lowest) < 0) {
			lowest = s
		}
	}
	switch {
	case oldest != nil:
		return oldest
	case lowest != nil && next.rank(lowest) > 0:
		return lowest
	}
	return nil
}

// rank compares what two sessions are worth: those of followers are above those
// of consumers, then larger ones above smaller.
func (s *session) rank(other *session) int {
	if follows := s.set.follower != nil; follows != (other.set.follower != nil) {
		if follows {
			return 1
		}
		return -1
	}
	return cmp.Compare(s.size.Load(), other.size.Load())
}

func (m *Manager) closeSession(id int32) {
	m.sessions.mu.Lock()
	s := m.sessions.mu.all[id]
	delete(m.sessions.mu.all, id)
	m.sessions.mu.Unlock()
	if s != nil {
		s.drop()
	}
}

// removeSession takes a session out of the table, if it is still there.
func (m *Manager) removeSession(s *session) {
	m.sessions.mu.Lock()
	defer m.sessions.mu.Unlock()
	if m.sessions.mu.all[s.id] == s {
		delete(m.sessions.mu.all, s.id)
	}
}

// drop ends the session: a parked fetch is answered, partitions forget it.
func (s *session) drop() {
	s.op.Lock()
	defer s.op.Unlock()
	s.closed = true
	for name, e := range s.entries {
		e.detach()
		s.set.forget(e)
		delete(s.entries, name)
	}
	s.set.wakeParked()
}

// update adds, changes and forgets partitions; op is held. What the client
// names is looked at again: it consumed something, or it is new.
func (s *session) update(m *Manager, req *FetchRequest) {
	changed := make([]*entry, 0, len(req.Partitions))
	for _, want := range req.Partitions {
		e, ok := s.entries[want.PartitionName]
		if !ok {
			e = newEntry(&s.set, want)
			s.entries[want.PartitionName] = e
			if e.part = m.find(want.PartitionName, req.ByID); e.part != nil {
				e.part.subscribe(e)
			}
		}
		if e.want.LeaderEpoch != want.LeaderEpoch {
			e.sentFailed = true // what was told may have been dropped with the former epoch
		}
		e.want = want
		changed = append(changed, e)
	}
	for _, name := range req.Forgotten {
		if e, ok := s.entries[name]; ok {
			delete(s.entries, name)
			e.detach()
			s.set.forget(e)
		}
	}
	s.size.Store(int64(len(s.entries)))
	s.set.putBack(nil, changed)
}

// forget takes an entry out for good; it leaves the dirty ones when they are
// taken next.
func (s *interest) forget(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.forgotten = true
}
