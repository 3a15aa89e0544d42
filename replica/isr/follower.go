package isr

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Pulse tells when a follower last fetched in a fetch session. Partitions of
// the session in which nothing happens look at it instead of being told: so a
// fetch costs what changed, not what the session holds.
type Pulse struct{ last atomic.Int64 }

// Beat notes a fetch.
func (p *Pulse) Beat(now Time) { p.last.Store(int64(now)) }

// Last is when the last fetch was.
func (p *Pulse) Last() Time { return Time(p.last.Load()) }

// follower is what the leader knows of one other replica.
type follower struct {
	id       int32
	end      int64 // where it fetches: its end offset
	logStart int64
	// leaderEnd was the leader's end offset when the follower fetched last, at
	// fetched.
	leaderEnd int64
	fetched   Time
	// caughtUp is the last moment at which it had all that the leader had.
	caughtUp Time
	// pulse is that of the session that keeps this partition; nil without one.
	pulse *Pulse
}

// catchUp takes over what happened since the follower was last told of.
func (f *follower) catchUp(leaderEnd int64) {
	if f.pulse == nil {
		return
	}
	f.fetched = max(f.fetched, f.pulse.Last())
	if f.end == leaderEnd {
		f.caughtUp = max(f.caughtUp, f.fetched)
	}
}

// inTime reports whether the follower has all, or had it lately enough.
func (f *follower) inTime(now Time, leaderEnd int64, maxLag time.Duration) bool {
	return f.end == leaderEnd || f.caughtUp != never && now-f.caughtUp <= maxLag
}

// Fetch is a follower's request for more, as the leader read for it without an
// error and found its history the same.
type Fetch struct {
	Broker int32
	// Offset is where it reads from: its end offset. LogStart is where its log
	// begins.
	Offset, LogStart int64
	// LeaderEnd is where the leader's log ended before it read: what is appended
	// meanwhile keeps no follower from being in sync.
	LeaderEnd int64
	// Pulse is that of its fetch session; nil without one.
	Pulse *Pulse
}

// Fetched notes a follower's progress. A broker that is no replica is ignored.
func (s *State) Fetched(now Time, f Fetch, m Marks) Effects {
	i := slices.IndexFunc(s.followers, func(o follower) bool { return o.id == f.Broker })
	if i < 0 {
		return nothing
	}
	s.grow(m.End)
	o := &s.followers[i]
	switch {
	case f.Offset >= f.LeaderEnd:
		o.caughtUp = max(o.caughtUp, now)
	case o.leaderEnd >= 0 && f.Offset >= o.leaderEnd:
		// Under steady load it is never at the end, but where that was when it
		// came before.
		o.caughtUp = max(o.caughtUp, o.fetched)
	}
	o.end, o.logStart, o.leaderEnd, o.fetched, o.pulse = f.Offset, f.LogStart, max(o.leaderEnd, f.LeaderEnd), now, f.Pulse
	proposal := s.expand(o, m.High)
	e := s.effects(now, m)
	e.Proposal = proposal
	return e
}

// Left says that a follower's session no longer keeps this partition, so its
// pulse tells nothing more about it.
func (s *State) Left(broker int32, pulse *Pulse, m Marks) {
	s.grow(m.End)
	for i := range s.followers {
		if f := &s.followers[i]; f.id == broker && f.pulse == pulse {
			f.catchUp(m.End)
			f.pulse = nil
		}
	}
}

// expand proposes a follower for the ISR that has all that is committed, and
// all that this leader began with.
func (s *State) expand(f *follower, high int64) *Proposal {
	if s.pending != nil || slices.Contains(s.isr, f.id) || f.end < high || f.end < s.start || !s.cfg.Alive(f.id) {
		return nil
	}
	isr := append(slices.Clone(s.isr), f.id)
	s.pending = &Proposal{LeaderEpoch: s.leaderEpoch, PartitionEpoch: s.partitionEpoch, ISR: isr, Joining: f.id}
	return s.pending
}

// Tick looks for members of the ISR that are behind for too long. It is due
// twice in MaxLag.
func (s *State) Tick(now Time, m Marks) Effects {
	if s.pending != nil || len(s.isr) <= 1 {
		return nothing
	}
	s.grow(m.End)
	var late []int32
	for i := range s.followers {
		f := &s.followers[i]
		f.catchUp(m.End)
		if slices.Contains(s.isr, f.id) && !f.inTime(now, m.End, s.cfg.MaxLag) {
			late = append(late, f.id)
		}
	}
	if late == nil {
		return nothing
	}
	isr := slices.DeleteFunc(slices.Clone(s.isr), func(id int32) bool { return slices.Contains(late, id) })
	s.pending = &Proposal{LeaderEpoch: s.leaderEpoch, PartitionEpoch: s.partitionEpoch, ISR: isr, Joining: -1, Leaving: late}
	return Effects{Watermark: -1, Proposal: s.pending}
}

// Lag is one follower's distance, for those who describe a partition.
type Lag struct {
	Broker int32
	// End is its end offset, Start where its log begins; -1 while unknown.
	End, Start int64
	// InSync says that it is in the ISR.
	InSync bool
	// Behind is for how long it has not had everything; 0 when it has, the
	// longest time when it never had.
	Behind time.Duration
}

// Lags lists the followers in the order of the assignment.
func (s *State) Lags(now Time, m Marks) []Lag {
	s.grow(m.End)
	out := make([]Lag, len(s.followers))
	for i := range s.followers {
		f := &s.followers[i]
		f.catchUp(m.End)
		out[i] = Lag{Broker: f.id, End: f.end, Start: f.logStart, InSync: slices.Contains(s.isr, f.id)}
		switch {
		case f.end == m.End:
		case f.caughtUp == never:
			out[i].Behind = math.MaxInt64
		default:
			out[i].Behind = now - f.caughtUp
		}
	}
	return out
}
