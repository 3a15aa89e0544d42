package isr

import (
	"slices"
	"time"
)

// Time is a moment of a clock that never jumps: time since the process began.
type Time = time.Duration

// never is before any moment at which a follower could be in sync.
const never Time = -1 << 62

// unknown is the end offset of a follower that has not fetched yet.
const unknown int64 = -1

// Config is what all partitions of a broker have in common.
type Config struct {
	// Self is this broker's id.
	Self int32
	// MaxLag is replica.lag.time.max.ms: how long a follower may stay behind the
	// end of the log before it counts as out of sync.
	MaxLag time.Duration
	// Alive reports whether a broker is registered, as far as this one knows.
	Alive func(broker int32) bool
}

// Leadership is what the controller decided about a partition (LeaderAndIsr).
type Leadership struct {
	LeaderEpoch, PartitionEpoch int32
	// ISR and Replicas hold broker ids, the leader's among them. The machine
	// keeps the slices and does not change them.
	ISR, Replicas []int32
	// MinISR is min.insync.replicas of the topic.
	MinISR int
	// Start is where the log ended when this leader epoch began.
	Start int64
	// Kept says that this broker led in the epoch before, too: what it knows of
	// the followers still holds.
	Kept bool
}

// Marks are the offsets of the leader's own log.
type Marks struct {
	// End is the end offset, High the high watermark.
	End, High int64
}

// Effects is what follows from an event.
type Effects struct {
	// Watermark is the new high watermark; it is above Marks.High, or -1 when
	// that stays.
	Watermark int64
	// Proposal is to be sent to the controller, until it is answered; nil for none.
	Proposal *Proposal
}

var nothing = Effects{Watermark: -1}

// Proposal is a change of the ISR on its way to the controller
// (AlterPartition). It must not be changed.
type Proposal struct {
	LeaderEpoch, PartitionEpoch int32
	ISR                         []int32
	// Joining is the follower that is to be added; -1 when some are to go.
	Joining int32
	// Leaving are those to go.
	Leaving []int32
}

// State is one led partition.
type State struct {
	cfg    *Config
	minISR int // min.insync.replicas

	leaderEpoch, partitionEpoch int32
	start                       int64
	replicas, isr               []int32
	pending                     *Proposal
	followers                   []follower // by the order of replicas
	// end is where the leader's log ended at the event before.
	end int64
}

// New returns the state of a partition that waits for Lead. The caller keeps cfg
// as it is.
func New(cfg *Config) *State { return &State{cfg: cfg} }

// Lead begins a leader epoch. What was on its way to the controller is
// forgotten: its answer would be about another epoch.
func (s *State) Lead(now Time, l Leadership, m Marks) Effects {
	s.leaderEpoch, s.partitionEpoch, s.start, s.minISR = l.LeaderEpoch, l.PartitionEpoch, l.Start, l.MinISR
	s.replicas, s.isr, s.pending, s.end = l.Replicas, l.ISR, nil, m.End
	old := s.followers
	s.followers = make([]follower, 0, max(len(l.Replicas)-1, 0))
	for _, id := range l.Replicas {
		if id == s.cfg.Self {
			continue
		}
		f := follower{id: id, end: unknown, logStart: unknown, leaderEnd: unknown, fetched: never, caughtUp: never}
		if i := slices.IndexFunc(old, func(f follower) bool { return f.id == id }); i >= 0 && l.Kept {
			f = old[i]
			f.pulse, f.leaderEnd, f.fetched, f.caughtUp = nil, m.End, never, never
		}
		if slices.Contains(l.ISR, id) {
			f.caughtUp = now
			if l.Kept {
				f.fetched = now
			}
		}
		s.followers = append(s.followers, f)
	}
	return s.effects(now, m)
}

// SetMinISR changes min.insync.replicas.
func (s *State) SetMinISR(now Time, n int, m Marks) Effects {
	s.minISR = n
	return s.effects(now, m)
}

// ISR returns the brokers in sync, as the controller last confirmed; the caller
// must not change the slice.
func (s *State) ISR() []int32 { return s.isr }

// PartitionEpoch is the epoch of ISR.
func (s *State) PartitionEpoch() int32 { return s.partitionEpoch }

// Pending returns the proposal on its way, nil if there is none.
func (s *State) Pending() *Proposal { return s.pending }

// Enough reports whether the ISR is as large as min.insync.replicas asks, which
// the number of replicas bounds.
func (s *State) Enough() bool { return len(s.isr) >= s.required() }

// EnoughForAck is Enough with the replicas that are about to join counted in: a
// write that all of them have is acknowledged.
func (s *State) EnoughForAck() bool {
	n := len(s.isr)
	if s.pending != nil && s.pending.Joining >= 0 {
		n++
	}
	return n >= s.required()
}

func (s *State) required() int { return min(s.minISR, max(len(s.replicas), 1)) }

// LowWatermark is the lowest start of the log among the replicas that live:
// what DeleteRecords waits for. leaderStart is the leader's own.
func (s *State) LowWatermark(leaderStart int64) int64 {
	low := leaderStart
	for i := range s.followers {
		if f := &s.followers[i]; f.logStart < low && s.cfg.Alive(f.id) {
			low = f.logStart
		}
	}
	return low
}

// Appended notes that the leader's log grew to m.End, or is to be called when
// who is alive may have changed.
func (s *State) Appended(now Time, m Marks) Effects { return s.effects(now, m) }

// effects looks whether the high watermark may rise.
func (s *State) effects(now Time, m Marks) Effects {
	s.grow(m.End)
	return Effects{Watermark: s.watermark(now, m)}
}

// grow takes over the leader's end offset. Followers that had all until now
// first hear of their pulses: those beat while they had.
func (s *State) grow(end int64) {
	if end == s.end {
		return
	}
	for i := range s.followers {
		s.followers[i].catchUp(s.end)
	}
	s.end = end
}

// watermark is the lowest end offset of the replicas that count: those in sync,
// those about to join, and those that could: else a follower that catches up
// would chase a watermark that the leader alone moves. It rests while the ISR is
// smaller than min.insync.replicas.
func (s *State) watermark(now Time, m Marks) int64 {
	if !s.Enough() {
		return -1
	}
	next := m.End
	for i := range s.followers {
		f := &s.followers[i]
		if f.end < next && (s.counted(f.id) || f.inTime(now, m.End, s.cfg.MaxLag) && s.cfg.Alive(f.id)) {
			next = f.end
		}
	}
	if next <= m.High {
		return -1
	}
	return next
}

// counted reports whether a broker is in the largest ISR that the controller
// may have confirmed: a shrink on its way has not happened yet, a growth may
// have.
func (s *State) counted(id int32) bool {
	return slices.Contains(s.isr, id) || s.pending != nil && s.pending.Joining == id
}
