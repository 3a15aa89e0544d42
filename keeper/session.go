package keeper

import (
	"crypto/subtle"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// session is what only the leader knows about a session: who is connected and
// when it expires.
type session struct {
	id int64
	// timeout is what the present connection negotiated, in ms.
	timeout atomic.Int64
	// deadline is when the session expires, in elapsed ms: the end of a tick.
	// Packets move it forward; the loop looks when the tick comes.
	deadline atomic.Int64
	conn     *conn // guarded by sessionTable.mu
	gone     bool  // the loop's
	// home is the member that the session's client is connected to, 0 while a leader
	// does not know it; the loop's.
	home uint64
	// named is set while it is in Keeper.touched.
	named atomic.Bool
}

// sessionTable finds sessions by id.
type sessionTable struct {
	mu sync.Mutex
	m  map[int64]*session
	// next is the id of the next session; the loop's.
	next int64
}

func (t *sessionTable) get(id int64) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[id]
}

// connOf returns a session's connection, nil for none.
func (t *sessionTable) connOf(id int64) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.m[id]; s != nil {
		return s.conn
	}
	return nil
}

// attach makes c the session's connection and returns the one before.
func (t *sessionTable) attach(s *session, c *conn) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := s.conn
	s.conn = c
	return old
}

// detach forgets a connection that ended.
func (t *sessionTable) detach(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := c.session.Load(); s != nil && s.conn == c {
		s.conn = nil
	}
}

// byDeadline lists all sessions under the tick at which they expire.
func (t *sessionTable) byDeadline() (ticks []int64, sets map[int64][]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sets = map[int64][]int64{}
	for id, s := range t.m {
		d := s.deadline.Load()
		sets[d] = append(sets[d], id)
	}
	for _, ids := range sets {
		slices.Sort(ids)
	}
	return slices.Sorted(maps.Keys(sets)), sets
}

// touch moves a session's end: to the end of the tick in which its timeout
// passes.
func (s *session) touch(now, tick int64) {
	d := ((now+s.timeout.Load())/tick + 1) * tick
	for { // seldom more than once a tick
		old := s.deadline.Load()
		if old >= d || s.deadline.CompareAndSwap(old, d) {
			return
		}
	}
}

func (k *Keeper) tickMillis() int64 { return k.cfg.TickTime.Milliseconds() }

// obtain returns a session's entry, made where there is none.
func (t *sessionTable) obtain(id int64, timeout int32) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.m[id]
	if s == nil {
		s = &session{id: id}
		t.m[id] = s
	}
	s.timeout.Store(int64(timeout))
	return s
}

// keepConnected forgets sessions of which no client is connected here.
func (t *sessionTable) keepConnected() {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.m, func(_ int64, s *session) bool { return s.conn == nil })
	for _, s := range t.m {
		s.home = 0
	}
}

// track begins to watch over a session's life, of which some ms more may pass than
// its timeout.
func (l *loop) track(id int64, timeout int32, more int64) *session {
	s := l.k.sessions.obtain(id, timeout)
	s.touch(l.k.elapsed()+more, l.k.tickMillis())
	d := s.deadline.Load()
	l.wheel[d] = append(l.wheel[d], s)
	return s
}

// expire ends sessions whose last tick is over. Those that were touched since
// move to the tick they live to now.
func (l *loop) expire() {
	k := l.k
	now := k.elapsed()
	tick := k.tickMillis()
	due := l.due
	l.due = nil
	for t := (l.ticked/tick + 1) * tick; t <= now; t += tick {
		due = append(due, l.wheel[t]...)
		delete(l.wheel, t)
		l.ticked = t
	}
	for _, s := range due {
		if c := k.sessions.connOf(s.id); c != nil && c.waits.Load() {
			s.touch(now, tick)
		}
		d := s.deadline.Load()
		switch {
		case s.gone || l.prep.Closing(s.id):
		case d > l.ticked:
			l.wheel[d] = append(l.wheel[d], s)
		case l.mayLive(s):
			l.due = append(l.due, s)
		default:
			k.measures.expired.Add(1)
			k.log.Info("session expired", "session", sessionName(s.id), "timeout_ms", s.timeout.Load())
			l.add(l.prep.CloseSession(l.nextZxid(), l.now(), s.id, 0), origin{})
		}
	}
}

// sessionChanged follows a transaction that begins, moves or ends a session.
func (l *loop) sessionChanged(x *tree.Txn, from origin) {
	switch x.Op {
	case zk.OpCreateSession:
		if l.prep != nil {
			l.track(x.Session, x.Timeout, 0).home = from.member
		}
	case tree.OpAttach:
		if x.Err == zk.OK && from.member != l.k.cfg.Member {
			l.movedAway(x.Session)
		}
	case tree.OpRestore:
		l.stateRestored(x.Zxid, l.res.Err)
	case zk.OpCloseSession:
		l.k.auditSession(x)
		if c := l.k.sessions.remove(x.Session); c != nil {
			c.closeAfterReplies()
			l.touch(c)
		}
	}
}

// movedAway sees that the client of a session is with another member now. What it
// asked for here and is not done yet never will be: a new leader, who does not know
// where the client is, would do it behind what was asked for there.
func (l *loop) movedAway(id int64) {
	for _, c := range l.waiting.calls {
		if c.req.Session == id && c.kind != callAttach {
			c.moot = true
		}
	}
	c := l.k.sessions.connOf(id)
	if l.prep == nil {
		c = l.k.sessions.remove(id) // nobody speaks for it here
	}
	if c != nil {
		c.close()
	}
}

// remove forgets a session that is over, or elsewhere, and returns its connection.
func (t *sessionTable) remove(id int64) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.m[id]
	if s == nil {
		return nil
	}
	s.gone = true
	delete(t.m, id)
	return s.conn
}

// owns reports whether no other connection took the call's session over. What a
// client sent before its connection broke still counts.
func (l *loop) owns(c *call) bool {
	now := l.k.sessions.connOf(c.req.Session)
	return now == nil || now == c.conn
}

// greet reads what a client says first. It reports whether the session is now to
// be made or attached; other clients are sent away.
func (l *loop) greet(c *call) bool {
	k := l.k
	req := c.hello
	if req.LastZxidSeen > k.state.tree.LastZxid() {
		k.log.Info("client has seen a later state than this server has, closing",
			"remote", c.conn.addr, "zxid", req.LastZxidSeen)
		c.conn.close()
		close(c.conn.welcomed) // its reader waits for a word
		return false
	}
	c.timeout = int32(k.negotiate(req.Timeout))
	c.req.Session = req.SessionID
	if req.SessionID == 0 {
		c.req.Session = l.nextSession()
		if c.conn.local {
			c.process = k.cfg.Member
		}
		return true
	}
	c.kind = callAttach
	want := password(req.SessionID)
	if subtle.ConstantTimeCompare(want[:], req.Password) != 1 {
		l.sendAway(c)
		return false
	}
	return true
}

// sendAway tells a client that it has no session.
func (l *loop) sendAway(c *call) {
	l.k.log.Info("session is unknown, expired or its password wrong", "session", sessionName(c.req.Session), "remote", c.conn.addr)
	c.conn.welcome(&zk.ConnectResponse{Password: make([]byte, zk.PasswordSize), Old: c.hello.Old}, nil)
	c.conn.closeAfterReplies()
	l.touch(c.conn)
}

// welcome answers a client whose session was made or attached, or could not be.
func (l *loop) welcome(c *call, x *tree.Txn) {
	if _, ok := l.k.state.tree.Session(x.Session); x.Err != zk.OK || !ok {
		l.sendAway(c)
		return
	}
	l.bindSession(c, l.k.sessions.obtain(x.Session, x.Timeout))
}

// moved reports whether the session of a call is with another member than the one
// it comes from, and takes note of where a session is attached.
func (l *loop) moved(member uint64, c *call) bool {
	s := l.k.sessions.get(c.req.Session)
	switch {
	case s == nil || c.kind == callConnect || c.kind == callBorn:
		return false
	case c.kind == callAttach:
		s.home = member
		s.timeout.Store(int64(c.timeout))
		s.touch(l.k.elapsed(), l.k.tickMillis())
	case s.home == 0:
		s.home = member
	}
	return s.home != member
}

func (l *loop) bindSession(c *call, s *session) {
	k := l.k
	s.touch(k.elapsed(), k.tickMillis())
	if k.quorum != nil {
		k.touched.note(s)
	}
	if old := k.sessions.attach(s, c.conn); old != nil && old != c.conn {
		old.close()
	}
	pw := password(s.id)
	c.conn.welcome(&zk.ConnectResponse{
		Timeout: int32(s.timeout.Load()), SessionID: s.id, Password: pw[:], Old: c.hello.Old,
	}, s)
	l.touch(c.conn)
}

// nextSession returns an id as ZooKeeper makes them: the member in the highest
// byte, then the time, then a count.
func (l *loop) nextSession() int64 {
	t := &l.k.sessions
	if t.next == 0 {
		t.next = int64(uint64(l.now())<<24>>8) | int64(l.k.cfg.Member)<<56
	}
	for {
		id := t.next
		t.next++
		if _, taken := l.k.state.tree.Session(id); !taken && t.get(id) == nil {
			return id
		}
	}
}

// passwordSalt is ZooKeeper's superSecret. It is no secret: the password only
// keeps clients from taking over a session by mistake.
const passwordSalt = 0xB3415C00

// password returns the session's password: the bytes of java.util.Random seeded
// with its id, so that sessions survive restarts and imports.
func password(id int64) [zk.PasswordSize]byte {
	const (
		multiplier = 0x5DEECE66D
		mask       = 1<<48 - 1
	)
	var p [zk.PasswordSize]byte
	seed := (uint64(id^passwordSalt) ^ multiplier) & mask
	for i := 0; i < len(p); i += 4 {
		seed = (seed*multiplier + 0xB) & mask
		binary.LittleEndian.PutUint32(p[i:], uint32(seed>>16))
	}
	return p
}
