package isr

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// decided is the controller's side of a partition, and who lives.
type decided struct {
	epoch, version int32
	isr            []int32
	dead           map[int32]bool
	told           []Leadership // on its way to the leader
}

// judge decides about a proposal in Kafka's order of checks.
func (c *decided) judge(p *Proposal) Verdict {
	code := wire.CodeNone
	switch {
	case p.LeaderEpoch > c.epoch || p.PartitionEpoch > c.version:
		code = wire.CodeNotController
	case p.LeaderEpoch < c.epoch:
		code = wire.CodeFencedLeaderEpoch
	case slices.Equal(p.ISR, c.isr):
	case p.PartitionEpoch < c.version:
		code = wire.CodeInvalidUpdateVersion
	case slices.ContainsFunc(p.ISR, func(id int32) bool { return c.dead[id] }):
		code = wire.CodeIneligibleReplica
	default:
		c.isr, c.version = p.ISR, c.version+1
	}
	return Verdict{Code: code, LeaderEpoch: c.epoch, PartitionEpoch: c.version, ISR: c.isr}
}

// elect is a new leader epoch of the same leader.
func (c *decided) elect(isr []int32) {
	c.epoch, c.version, c.isr = c.epoch+1, c.version+1, isr
	c.told = append(c.told, Leadership{LeaderEpoch: c.epoch, PartitionEpoch: c.version, ISR: isr})
}

// TestNothingIsCommittedThatTheISRLacks lets a leader, its followers and the
// controller act at random, with requests and answers that come late or never.
// (One request is on its way at a time; that one which is sent again has been
// carried out before, or never will be, is all that is asked of the network.)
// Whatever the controller has decided, whether the leader knows it or not: all
// members of its ISR have what is below the watermark, and the watermark never
// falls.
func TestNothingIsCommittedThatTheISRLacks(t *testing.T) {
	moved, proposed := 0, 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		brain := &decided{isr: []int32{1, 2, 3, 4}, dead: map[int32]bool{}}
		cfg := Config{Self: 1, MaxLag: 30 * time.Second, Alive: func(id int32) bool { return !brain.dead[id] }}
		s, now, marks := New(&cfg), Time(0), Marks{}
		ends := map[int32]int64{} // of the followers' logs
		pulses := map[int32]*Pulse{2: {}, 3: {}, 4: {}}
		var asked *Proposal // on its way to the controller
		var answer func()   // on its way back
		take := func(e Effects) {
			if e.Watermark >= 0 {
				if e.Watermark <= marks.High || e.Watermark > marks.End {
					t.Fatalf("seed %d: watermark from %d to %d, end %d", seed, marks.High, e.Watermark, marks.End)
				}
				marks.High = e.Watermark
				moved++
			}
			if e.Proposal != nil {
				proposed++
			}
		}
		lead := func() {
			for _, l := range brain.told {
				l.Replicas, l.MinISR, l.Start, l.Kept = []int32{1, 2, 3, 4}, 1+int(seed%2), marks.End, l.LeaderEpoch > 1
				take(s.Lead(now, l, marks))
			}
			brain.told = nil
		}
		brain.elect(brain.isr)
		lead()
		for range 800 {
			id := 2 + r.Int32N(3)
			switch r.IntN(13) {
			case 0, 1:
				marks.End += r.Int64N(5)
				take(s.Appended(now, marks))
			case 2, 3, 4, 5:
				if brain.dead[id] {
					continue
				}
				take(s.Fetched(now, Fetch{Broker: id, Offset: ends[id], LeaderEnd: marks.End, Pulse: pulses[id]}, marks))
				pulses[id].Beat(now)
				ends[id] += r.Int64N(marks.End - ends[id] + 1) // from the reply
			case 6:
				now += time.Duration(r.IntN(20)) * time.Second
			case 7:
				take(s.Tick(now, marks))
			case 8: // a request leaves, or arrives, or is lost
				p := asked
				switch asked = nil; {
				case answer != nil || p != nil && r.IntN(4) == 0:
				case p == nil:
					asked = s.Pending()
				default:
					v := brain.judge(p)
					answer = func() {
						e, _ := s.Settled(now, p, v, marks)
						take(e)
					}
				}
			case 9: // an answer arrives, or is lost
				if answer != nil && r.IntN(4) > 0 {
					answer()
				}
				answer = nil
			case 10:
				if brain.dead[id] = !brain.dead[id]; brain.dead[id] && len(brain.isr) > 1 {
					brain.elect(slices.DeleteFunc(slices.Clone(brain.isr), func(o int32) bool { return o == id }))
				}
				s.Left(id, pulses[id], marks)
			case 11:
				if r.IntN(5) == 0 {
					brain.elect(brain.isr)
				}
			case 12:
				if r.IntN(3) == 0 { // LeaderAndIsr arrives, often late
					lead()
				}
			}
			for _, id := range brain.isr {
				if id != 1 && ends[id] < marks.High {
					t.Fatalf("seed %d: watermark %d, but %d of %v ends at %d", seed, marks.High, id, brain.isr, ends[id])
				}
			}
		}
	}
	if moved < 1000 || proposed < 1000 {
		t.Errorf("%d moves of the watermark, %d proposals: too few to tell", moved, proposed)
	}
}
