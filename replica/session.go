package replica

import (
	"sync"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Session epochs of KIP-227.
const (
	initialEpoch int32 = 0  // ask for a new session
	finalEpoch   int32 = -1 // no session, and close the one named
)

// evictAfter is how long a session is safe from being replaced by a new one
// when all slots are taken (KIP-227's minimum).
const evictAfter = 2 * time.Minute

// session is a fetch session: an interest that outlives its requests.
type session struct {
	id int32
	// op is held while a request of this session reads, not while it waits.
	op      sync.Mutex
	set     interest
	entries map[PartitionName]*entry
	byID    bool
	epoch   int32 // the epoch expected next; guarded by sessions.mu
	used    time.Time
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

// openFetch finds or makes the session of a request and updates what it wants.
func (m *Manager) openFetch(req *FetchRequest) (*fetch, *FetchResult) {
	f := &fetch{m: m, req: req}
	if req.SessionEpoch == initialEpoch || req.SessionEpoch == finalEpoch {
		if req.SessionID != 0 {
			m.closeSession(req.SessionID)
		}
		f.full = true
		if req.SessionEpoch == initialEpoch && len(req.Partitions) > 0 {
			f.session = m.newSession(req)
		}
		if f.session != nil {
			f.set = &f.session.set
			return f, nil
		}
		m.openSessionless(f)
		return f, nil
	}
	s, code := m.claimSession(req)
	if code != wire.CodeNone {
		return nil, &FetchResult{Code: code}
	}
	f.session, f.set = s, &s.set
	s.set.wakeParked()
	s.op.Lock()
	defer s.op.Unlock()
	s.update(m, req)
	return f, nil
}

func (m *Manager) openSessionless(f *fetch) {
	f.set = &interest{}
	f.entries = make([]*entry, 0, len(f.req.Partitions))
	for _, want := range f.req.Partitions {
		e := newEntry(f.set, want)
		e.part = m.find(want.PartitionName, f.req.ByID)
		f.entries = append(f.entries, e)
	}
	f.set.putBack(f.entries)
}

// claimSession checks id and epoch and moves to the next epoch.
func (m *Manager) claimSession(req *FetchRequest) (*session, wire.Code) {
	m.sessions.mu.Lock()
	defer m.sessions.mu.Unlock()
	s, ok := m.sessions.mu.all[req.SessionID]
	switch {
	case !ok:
		return nil, wire.CodeFetchSessionIDNotFound
	case s.epoch != req.SessionEpoch:
		return nil, wire.CodeInvalidFetchSessionEpoch
	case s.byID != req.ByID:
		return nil, wire.CodeFetchSessionTopicIDError
	}
	s.epoch = nextEpoch(s.epoch)
	s.used = m.env.Clock.Now()
	return s, wire.CodeNone
}

// nextEpoch counts from 1 and skips 0 and -1, which mean something else.
func nextEpoch(e int32) int32 {
	if e == 1<<31-1 {
		return 1
	}
	return e + 1
}

// newSession makes a session for a full fetch, or returns nil when all slots
// hold sessions younger than evictAfter: the fetch then goes without.
func (m *Manager) newSession(req *FetchRequest) *session {
	s := &session{byID: req.ByID, epoch: 1, used: m.env.Clock.Now(), entries: make(map[PartitionName]*entry, len(req.Partitions))}
	var evicted *session
	m.sessions.mu.Lock()
	if len(m.sessions.mu.all) >= m.sessions.slots {
		if evicted = m.oldestLocked(s.used); evicted == nil {
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
	s.op.Lock()
	defer s.op.Unlock()
	s.update(m, req)
	return s
}

func (m *Manager) oldestLocked(now time.Time) *session {
	var oldest *session
	for _, s := range m.sessions.mu.all {
		if now.Sub(s.used) >= evictAfter && (oldest == nil || s.used.Before(oldest.used)) {
			oldest = s
		}
	}
	return oldest
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

// drop ends the session: a parked fetch is answered, partitions forget it.
func (s *session) drop() {
	s.set.wakeParked()
	s.op.Lock()
	defer s.op.Unlock()
	for name, e := range s.entries {
		if e.part != nil {
			e.part.unsubscribe(e)
			e.part = nil
		}
		delete(s.entries, name)
	}
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
		e.want = want
		changed = append(changed, e)
	}
	s.set.putBack(changed)
	for _, name := range req.Forgotten {
		e, ok := s.entries[name]
		if !ok {
			continue
		}
		delete(s.entries, name)
		if e.part != nil {
			e.part.unsubscribe(e)
		}
		s.set.remove(e)
	}
}

// remove takes an entry off the list of what is dirty.
func (s *interest) remove(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.dirty {
		return
	}
	e.dirty = false
	for i, other := range s.mu.dirty {
		if other == e {
			s.mu.dirty = append(s.mu.dirty[:i], s.mu.dirty[i+1:]...)
			return
		}
	}
}
