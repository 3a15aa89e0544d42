package replica

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica/follow"
	"github.com/gregor-mq/gregor/replica/isr"
	"github.com/gregor-mq/gregor/wire"
)

func TestFollowersFetchReleasesAcks(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(1, []int32{me, 2, 3}, []int32{me, 2, 3})
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		consumer := s.parked(plain(want("t", 0, 0)))
		expect(t, "first", s.fetchBy(2, want("t", 0, 0)), "[t-0 hw=0 lso=0 start=0 [0 1]]")
		s.fetchBy(2, want("t", 0, 2))
		expect(t, "one of two has it", acked(&a), "")
		s.fetchBy(3, want("t", 0, 1))
		expect(t, "both have one", acked(&a), "0;")
		expect(t, "consumer", show(consumer.resume()), "[t-0 hw=1 lso=1 start=0 [0]]")
		expect(t, "the reply tells what it moved", s.fetchBy(3, want("t", 0, 2)), "[t-0 hw=2 lso=2 start=0 []]")
		expect(t, "both have all", acked(&a), "1;")
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		bad := want("t", 0, 3)
		bad.LeaderEpoch = s.epoch - 1
		s.fetchBy(2, want("t", 0, 3))
		expect(t, "fenced", s.fetchBy(3, bad), "[t-0 FENCED_LEADER_EPOCH]")
		expect(t, "out of range", s.fetchBy(3, want("t", 0, 4)), "[t-0 offset 4 is outside of [0, 3]]")
		diverging := want("t", 0, 3)
		diverging.LastFetchedEpoch = s.epoch - 1
		s.fetchBy(3, diverging)
		expect(t, "reads that failed count for nothing", acked(&a), "")
		if got := s.fetchBy(4, want("t", 0, 3)); got != "[t-0 NOT_LEADER_OR_FOLLOWER]" {
			t.Errorf("stranger: %s", got)
		}
		s.fetchBy(3, want("t", 0, 3))
		expect(t, "in the end", acked(&a), "2;")
	})
}

// A read under one leadership says nothing about the next one, whose log may
// have other records at the same offsets.
func TestFetchOfAnotherLeadershipCountsForNothing(t *testing.T) {
	s := loaded(t)
	s.replicated(1, []int32{me, 2}, []int32{me, 2})
	p := s.lookup("t", 0)
	since, err := p.checkReader(&readRequest{replica: 2, leaderEpoch: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.epoch++
	st := state("t", 0, s.epoch)
	st.Leader, st.Replicas = 2, []int32{me, 2}
	s.tell(topicID(1), st)
	p.fetched(isr.Fetch{Broker: 2, Offset: 1}, since, nil) // it follows now: nothing to record
	s.replicated(1, []int32{me, 2}, []int32{me, 2})
	s.send(&answers{}, AcksLeader, AnyEpoch, 0)
	p.fetched(isr.Fetch{Broker: 2, Offset: 1}, since, nil)
	if hw := p.log().HighWatermark(); hw != 0 {
		t.Errorf("watermark %d", hw)
	}
	p.fetched(isr.Fetch{Broker: 2, Offset: 1}, s.epoch, nil)
	if hw := p.log().HighWatermark(); hw != 1 {
		t.Errorf("watermark %d", hw)
	}
}

func TestShrink(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.SetBrokerEpoch(7)
		s.replicated(2, []int32{me, 2, 3}, []int32{me, 2, 3})
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Hour)
		consumer := s.parked(plain(want("t", 0, 0)))
		for range 2 {
			time.Sleep(15 * time.Second)
			s.fetchBy(2, want("t", 0, 0))
			s.fetchBy(3, want("t", 0, 1), want("t", 1, 0))
			s.asksNothing()
		}
		time.Sleep(15 * time.Second)
		call := s.asks()
		expect(t, "asked", call.String(), "broker-epoch=7 t-0 epoch=1 v=0 isr=[1 3] t-1 epoch=1 v=0 isr=[1 3]")
		expect(t, "not decided yet", acked(&a)+s.isr(0), "[1 2 3] v=0")
		call.grant()
		expect(t, "decided", acked(&a)+s.isr(0)+s.isr(1), "0;[1 3] v=1[1 3] v=1")
		expect(t, "consumer", show(consumer.resume()), "[t-0 hw=1 lso=1 start=0 [0]]")
	})
}

// Lags are looked at twice in replica.lag.time.max.ms: who falls behind is found
// after one and a half of it at most, and seldom enough to cost nothing.
func TestHowOftenLagsAreLookedAt(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		time.Sleep(45*time.Second - time.Millisecond) // late since 30 s
		s.asksNothing()
		time.Sleep(time.Millisecond)
		s.asks().grant()
		expect(t, "dropped", s.isr(0), "[1] v=1")
	})
}

// looks is a clock that counts how often it is looked at, and ends something when
// that is too often.
type looks struct {
	env.Clock
	n     atomic.Int32
	limit int32
	end   func()
}

// Now implements env.Clock.
func (c *looks) Now() time.Time {
	if c.n.Add(1) == c.limit {
		c.end()
	}
	return c.Clock.Now()
}

// replica.lag.time.max.ms=0 is allowed: who is behind leaves at the next look, and
// looking is not all that the broker does.
func TestNoLagIsTolerated(t *testing.T) {
	after(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := newStand(t)
		clock := &looks{Clock: s.env.Clock, limit: 1000, end: cancel}
		s.env.Clock, s.cfg.MaxLag = clock, 0
		s.renew()
		s.load()
		s.Manager.Start(ctx)
		defer s.Stop()
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		time.Sleep(2 * time.Millisecond)
		s.asks().grant()
		expect(t, "dropped", s.isr(0), "[1] v=1")
		time.Sleep(100 * time.Millisecond)
		if n := clock.n.Load(); n >= clock.limit {
			t.Errorf("the clock was looked at %d times within 102 ms", n)
		}
	})
}

// A new leader may know a watermark below what was committed: who joins has all
// that it began with.
func TestWhoJoinsHasWhatTheLeaderBeganWith(t *testing.T) {
	after(t, func(t *testing.T) {
		all, _ := led(t, 3, 2)
		s := started(t)
		f := s.follows(2)
		expect(t, "append", said(f.Append(follow.Fetched{Records: all, HighWatermark: 2})), "0..6 hw=2 epoch=1")
		s.replicated(1, []int32{me, 2, 3}, []int32{me, 2})
		s.fetchBy(3, want("t", 0, 4))
		s.asksNothing()
		s.fetchBy(3, want("t", 0, 6))
		expect(t, "it has all", s.asks().String(), "broker-epoch=-1 t-0 epoch=2 v=0 isr=[1 2 3]")
	})
}

// Who leads no more acknowledges nothing, and proposes nothing to the controller.
func TestTheEndOfALeadership(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(s *stand)
		want string
	}{
		"it follows": {func(s *stand) { s.follows(2) }, "0 NOT_LEADER_OR_FOLLOWER;"},
		"it stops":   {func(s *stand) { s.StopReplica(0, -1, []Stop{{Topic: "t", LeaderEpoch: s.epoch}}) }, "0 NOT_LEADER_OR_FOLLOWER;"},
		"disk fails": {func(s *stand) { s.lookup("t", 0).becomeOffline(s.Manager) }, "0 KAFKA_STORAGE_ERROR;"},
	} {
		t.Run(what, func(t *testing.T) {
			after(t, func(t *testing.T) {
				s := started(t)
				s.replicated(1, []int32{me, 2}, []int32{me, 2})
				var a answers
				s.send(&a, AcksAll, AnyEpoch, time.Hour)
				c.end(s)
				expect(t, "acks=all", acked(&a), c.want)
				time.Sleep(2 * time.Minute)
				s.asksNothing()
			})
		})
	}
}

// What is to be sent again does not take the place of what came meanwhile.
func TestANewerChangeIsNotReplaced(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(1, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 0, 0))
		expect(t, "no answer", s.asks().lost(), "broker-epoch=-1 t-0 epoch=1 v=0 isr=[1 2]")
		s.replicated(1, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 0, 0))
		time.Sleep(retryISRChange)
		expect(t, "of the new epoch", s.asks().String(), "broker-epoch=-1 t-0 epoch=2 v=0 isr=[1 2]")
	})
}

func TestExpand(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(1, []int32{me, 2}, []int32{me})
		s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		s.fetchBy(2, want("t", 0, 0))
		s.asksNothing()
		s.fetchBy(2, want("t", 0, 1))
		call := s.asks()
		expect(t, "asked", call.String(), "broker-epoch=-1 t-0 epoch=1 v=0 isr=[1 2]")
		// It counts from now on, though nobody decided.
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Hour)
		expect(t, "who is about to join counts", acked(&a), "")
		s.fetchBy(2, want("t", 0, 2))
		expect(t, "it has it", acked(&a), "1;")
		call.grant()
		expect(t, "decided", s.isr(0), "[1 2] v=1")
		s.asksNothing()
	})
}

// What was not decided is sent again, with the epochs of now: an answer that
// was lost, a controller that is none, a broker epoch that a new session
// replaced, a partition that the answer lacks.
func TestUndecidedChangesAreSentAgain(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.SetBrokerEpoch(7)
		s.replicated(2, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 0, 0))
		expect(t, "one", s.asks().lost(), "broker-epoch=7 t-0 epoch=1 v=0 isr=[1 2]")
		s.fetchBy(2, want("t", 1, 0)) // joins the next request
		s.asksNothing()
		s.SetBrokerEpoch(8)
		time.Sleep(50 * time.Millisecond)
		const both = "broker-epoch=8 t-0 epoch=1 v=0 isr=[1 2] t-1 epoch=1 v=0 isr=[1 2]"
		for _, answer := range []func(asked){
			func(a asked) { a.refuse(wire.CodeStaleBrokerEpoch, nil) },
			func(a asked) { a.refuse(wire.CodeNotController, nil) },
			func(a asked) { a.say(wire.CodeNotController) },
			func(a asked) { a.say(wire.CodeUnknownServerError) },
			func(a asked) {
				a.answer <- func(*wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error) {
					return &wire.AlterPartitionResponse{}, nil
				}
			},
		} {
			call := s.asks()
			expect(t, "both", call.String(), both)
			answer(call)
			s.asksNothing()
			time.Sleep(50 * time.Millisecond)
		}
		s.asks().grant()
		expect(t, "decided", s.isr(0)+s.isr(1), "[1 2] v=1[1 2] v=1")
	})
}

// A leader epoch that begins while a change is on its way settles it: neither
// its answer nor its loss matters any more.
func TestLeaderAndIsrOvertakesAChange(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(1, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 0, 0))
		call := s.asks()
		s.replicated(1, []int32{me, 2}, []int32{me})
		call.grant()
		expect(t, "the answer came late", s.isr(0), "[1] v=0")
		s.fetchBy(2, want("t", 0, 0))
		call = s.asks()
		expect(t, "asked anew", call.String(), "broker-epoch=-1 t-0 epoch=2 v=0 isr=[1 2]")
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		call.refuse(wire.CodeStaleBrokerEpoch, nil)
		time.Sleep(time.Minute)
		s.asksNothing()
		expect(t, "as LeaderAndIsr said", s.isr(0), "[1 2] v=0")
		// What only LeaderAndIsr can settle waits for it.
		s.replicated(1, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 0, 0))
		s.asks().say(wire.CodeInvalidUpdateVersion)
		time.Sleep(time.Minute)
		s.fetchBy(2, want("t", 0, 0))
		s.asksNothing()
		s.replicated(1, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 0, 0))
		s.asks().grant()
		expect(t, "in the end", s.isr(0), "[1 2] v=1")
	})
}

// One request is on its way at a time; what comes up meanwhile goes together
// into the next.
func TestChangesAreBatched(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(4, []int32{me, 2}, []int32{me})
		s.fetchBy(2, want("t", 3, 0))
		call := s.asks()
		for _, i := range []int32{2, 0, 1} {
			s.fetchBy(2, want("t", i, 0))
		}
		s.asksNothing()
		call.grant()
		expect(t, "the rest", s.asks().String(), "broker-epoch=-1 t-0 epoch=1 v=0 isr=[1 2] t-1 epoch=1 v=0 isr=[1 2] t-2 epoch=1 v=0 isr=[1 2]")
	})
}

// While fewer are in sync than min.insync.replicas asks, nothing more is
// acknowledged, nor visible.
func TestShrinkBelowTheMinimum(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t)
		s.min = 2
		s.load()
		s.Manager.Start(t.Context())
		defer s.Stop()
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		time.Sleep(45 * time.Second)
		s.asks().grant()
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		expect(t, "after the shrink", s.isr(0)+" "+acked(&a), "[1] v=1 -1 NOT_ENOUGH_REPLICAS;")
		time.Sleep(15 * time.Second)
		synctest.Wait()
		expect(t, "from before it", acked(&a), "0 REQUEST_TIMED_OUT;")
		s.fetchBy(2, want("t", 0, 1))
		p := s.lookup("t", 0)
		if hw := p.log().HighWatermark(); hw != 0 {
			t.Errorf("watermark %d", hw)
		}
		s.asks().grant()
		if hw := p.log().HighWatermark(); hw != 1 {
			t.Errorf("watermark %d when it is back", hw)
		}
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		s.fetchBy(2, want("t", 0, 2))
		expect(t, "as before", acked(&a), "1;")
	})
}

// A batch sent twice is below the watermark at once, but not acknowledged by
// fewer replicas than acks=all asks.
func TestNotEnoughReplicasAfterAppend(t *testing.T) {
	s := loaded(t)
	s.replicated(1, []int32{me, 2}, []int32{me})
	again := specBatch(t, record.Spec{HasProducer: true, ProducerID: 5}, 1, 10)
	if r := s.appendBytes("t", 0, again); r.Err != nil {
		t.Fatal(r.Err)
	}
	// As if the ISR shrank between the look at it and the write.
	p := s.lookup("t", 0)
	p.water.isr.SetMinISR(s.Manager.now(), 2, p.marksLocked())
	record.Batch(again).SetBaseOffset(0)
	if r := s.appendBytes("t", 0, again); r.Err != wire.CodeNotEnoughReplicasAfterAppend || r.BaseOffset != 0 {
		t.Errorf("%+v", r)
	}
}
