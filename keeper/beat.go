package keeper

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"go.etcd.io/raft/v3"
)

// Members give each other signs of life, with the sender's time on them, and send
// those back: so each knows since when, at the latest, it has not been heard. A
// member serves clients for no longer than that plus the lease, and the leader ends
// no session that such a member may still speak for: no client is served whose
// session is over. Followers' signs also name the sessions of which they heard.

// beat is a sign of life.
type beat struct {
	stamp int64  // the sender's elapsed ms
	term  uint64 // the sender's
	// start is the index at which the sender's leadership began, 0 for one that does
	// not lead or not yet.
	start uint64
	// touched are sessions whose clients were heard since the last sign that was
	// answered.
	touched []touch
}

// touch says how many ms ago a session's client was heard.
type touch struct {
	session int64
	age     uint32
}

func (b *beat) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, b.stamp)
	dst = binary.AppendUvarint(dst, b.term)
	dst = binary.AppendUvarint(dst, b.start)
	for _, t := range b.touched {
		dst = binary.BigEndian.AppendUint64(dst, uint64(t.session))
		dst = binary.BigEndian.AppendUint32(dst, t.age)
	}
	return dst
}

func decodeBeat(src []byte) (b beat, ok bool) {
	r := varints{src: src}
	b.stamp, b.term, b.start = r.varint(), r.uvarint(), r.uvarint()
	const size = 8 + 4
	if r.bad || len(r.src)%size != 0 {
		return beat{}, false
	}
	for t := range slices.Chunk(r.src, size) {
		b.touched = append(b.touched, touch{int64(binary.BigEndian.Uint64(t)), binary.BigEndian.Uint32(t[8:])})
	}
	return b, true
}

// varints takes numbers off a message; bad sticks.
type varints struct {
	src []byte
	bad bool
}

func (r *varints) uvarint() uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.bad, r.src = true, nil
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *varints) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1) // zigzag
}

func (r *varints) string() string {
	n := r.uvarint()
	if n > uint64(len(r.src)) {
		r.bad, r.src = true, nil
		return ""
	}
	s := string(r.src[:n])
	r.src = r.src[n:]
	return s
}

// beatNow sends signs of life to all: connections on which nothing is heard end.
// What goes with them is for the leader, or for followers.
func (l *loop) beatNow() {
	st := l.rn.BasicStatus()
	b := beat{stamp: l.k.elapsed(), term: st.GetTerm()}
	if l.prep != nil {
		b.start = l.started
		l.k.touched.take() // the leader's own are known
		l.extend()
	}
	plain := b.append(nil)
	for _, member := range l.servers() {
		msg := plain
		if l.prep == nil && l.stream == b.term && st.Lead != raft.None && memberOf(st.Lead) == member {
			b.touched = l.nameTouched(b.stamp)
			msg = b.append(nil)
		}
		if member != l.k.cfg.Member {
			l.k.quorum.peers.Send(member, msgBeat, msg)
		}
	}
}

// nameTouched lists the sessions whose clients were heard, until the leader answers
// that it knows. This member has applied what was done before the present term: so
// it names none that moved away by then.
func (l *loop) nameTouched(now int64) []touch {
	for _, s := range l.k.touched.take() {
		l.named[s.id] = now
	}
	var out []touch
	for _, id := range slices.Sorted(maps.Keys(l.named)) {
		if l.k.sessions.get(id) == nil {
			delete(l.named, id) // it is over, or with another member
			continue
		}
		out = append(out, touch{id, uint32(min(now-l.named[id], math.MaxUint32))})
	}
	return out
}

// servers are the numbers of all members that raft knows.
func (l *loop) servers() []uint64 {
	m := &l.storage.members
	var out []uint64
	for _, ids := range [][]uint64{m.Voters, m.Learners, m.Outgoing, m.LearnersNext} {
		for _, id := range ids {
			if n := memberOf(id); !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// heardBeat takes a sign of life in.
func (l *loop) heardBeat(member uint64, src []byte) {
	b, ok := decodeBeat(src)
	st := l.rn.BasicStatus()
	if !ok || b.term != st.GetTerm() {
		return
	}
	q := l.k.quorum
	switch {
	case l.prep != nil:
		l.heard[member] = l.k.elapsed()
		for _, t := range b.touched {
			if s := l.k.sessions.get(t.session); s != nil {
				if s.home == 0 {
					s.home = member
				}
				s.touch(l.k.elapsed()-int64(t.age), l.k.tickMillis())
			}
		}
	case st.Lead != raft.None && memberOf(st.Lead) == member && st.RaftState == raft.StateFollower:
		if l.leaderTerm != b.term {
			l.leaderTerm = b.term
			l.beatNow() // so that clients can be served soon
		}
		l.leaderStart = b.start
		l.openStream()
	default:
		return
	}
	echo := beat{stamp: b.stamp, term: b.term}
	q.peers.Send(member, msgEcho, echo.append(nil))
}

// heardEcho extends the time for which clients may be served.
func (l *loop) heardEcho(member uint64, src []byte) {
	b, ok := decodeBeat(src)
	st := l.rn.BasicStatus()
	if !ok || b.term != st.GetTerm() {
		return
	}
	lease := l.k.quorum.lease().Milliseconds()
	if l.prep != nil {
		l.echoed[member] = max(l.echoed[member], b.stamp)
		l.extend()
	} else if st.Lead != raft.None && memberOf(st.Lead) == member {
		l.k.serveUntil(b.stamp + lease)
		maps.DeleteFunc(l.named, func(_, at int64) bool { return at <= b.stamp })
	}
}

// extend extends a leader's own lease: to when a majority was last heard.
func (l *loop) extend() {
	m := &l.storage.members
	until := l.majority(m.Voters)
	if len(m.Outgoing) > 0 {
		until = min(until, l.majority(m.Outgoing))
	}
	l.k.serveUntil(until + l.k.quorum.lease().Milliseconds())
}

// majority is the latest moment at which a majority was heard, in elapsed ms.
func (l *loop) majority(voters []uint64) int64 {
	var at []int64
	for _, id := range voters {
		if id == l.k.dir.raft {
			at = append(at, l.k.elapsed())
			continue
		}
		stamp, ok := l.echoed[memberOf(id)]
		if !ok {
			stamp = unheard
		}
		at = append(at, stamp)
	}
	if len(at) == 0 {
		return unheard
	}
	slices.Sort(at)
	return at[(len(at)-1)/2]
}

// unheard is before every moment, and can be added to.
const unheard = -1 << 60

// mayLive reports whether the member that has a session past its deadline may speak
// for it still: when it was last heard it could not know.
func (l *loop) mayLive(s *session) bool {
	if l.k.quorum == nil || s.home == 0 || s.home == l.k.cfg.Member {
		return false
	}
	heard, ok := l.heard[s.home]
	if ok && heard >= s.deadline.Load() {
		return false // it was heard since, and did not name the session
	}
	if !ok {
		heard = l.ledSince
	}
	return heard+l.k.quorum.lease().Milliseconds()+s.timeout.Load() > l.k.elapsed()
}
