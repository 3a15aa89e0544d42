package replica

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// sessionOf is a follower that fetches in a session.
type sessionOf struct {
	s      *stand
	broker int32
	id     int32
	epoch  int32
}

// follow opens a follower's session.
func (s *stand) follow(broker int32, parts ...FetchPartition) *sessionOf {
	s.t.Helper()
	f := &sessionOf{s: s, broker: broker}
	req := f.request(parts...)
	res := s.now(req)
	f.id = res.SessionID
	show(res)
	if f.id == 0 {
		s.t.Fatal("no session")
	}
	return f
}

func (f *sessionOf) request(parts ...FetchPartition) *FetchRequest {
	req := inSession(f.id, f.epoch, parts...)
	req.ReplicaID, req.MaxWait = f.broker, 0
	f.epoch++
	return req
}

// fetch is the session's next request; it names what moved.
func (f *sessionOf) fetch(parts ...FetchPartition) string {
	f.s.t.Helper()
	return show(f.s.now(f.request(parts...)))
}

func (f *sessionOf) forget(index int32) {
	req := f.request()
	req.Forgotten = []PartitionName{{Topic: "t", Partition: index}}
	show(f.s.now(req))
}

// A session's fetch that names no partition tells that its broker lives and has
// all of those that nothing happened to.
func TestSessionVouchesForIdlePartitions(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(3, []int32{me, 2}, []int32{me, 2})
		f := s.follow(2, want("t", 0, 0), want("t", 1, 0), want("t", 2, 0))
		pass := func(d time.Duration) {
			for range d / time.Second {
				time.Sleep(time.Second)
				f.fetch()
			}
		}
		pass(5 * time.Minute)
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Hour) // it had all of t-0 until now
		time.Sleep(29 * time.Second)
		s.asksNothing()
		f.fetch(want("t", 0, 1))
		expect(t, "acked", acked(&a), "0;")
		// It forgets t-0, as when its disk failed; and goes on with the others.
		f.forget(0)
		pass(5 * time.Minute)
		s.send(&a, AcksAll, AnyEpoch, time.Hour)
		time.Sleep(15 * time.Second)
		f.fetch()
		call := s.asks()
		expect(t, "only t-0", call.String(), "broker-epoch=-1 t-0 epoch=1 v=0 isr=[1]")
		call.grant()
		expect(t, "alone", acked(&a), "1;")
		// Its session ends: so does its word for the rest.
		s.closeSession(f.id)
		time.Sleep(time.Minute)
		s.Append(&AppendRequest{Topic: "t", Partition: 1, Records: batch(t, 1, 1), Acks: AcksAll, LeaderEpoch: AnyEpoch, Timeout: time.Hour}, a.add)
		time.Sleep(15 * time.Second)
		expect(t, "then t-1", s.asks().String(), "broker-epoch=-1 t-1 epoch=1 v=0 isr=[1]")
	})
}

// A new session takes over from an older one of the same broker, whose end
// does not speak for it.
func TestANewSessionTakesOver(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		old := s.follow(2, want("t", 0, 0))
		next := s.follow(2, want("t", 0, 0))
		s.closeSession(old.id)
		for range 100 {
			time.Sleep(time.Second)
			next.fetch()
		}
		s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		time.Sleep(20 * time.Second)
		s.asksNothing()
		time.Sleep(25 * time.Second)
		s.asks()
	})
}

// A follower that was dropped while it came back joins again, though nothing
// happens to the partition and its session does not name it.
func TestAnIdlePartitionGetsItsFollowerBack(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		f := s.follow(2, want("t", 0, 0))
		s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		show(s.now(f.request()))
		time.Sleep(46 * time.Second)
		call := s.asks()
		expect(t, "it is late", call.String(), "broker-epoch=-1 t-0 epoch=1 v=0 isr=[1]")
		f.fetch(want("t", 0, 1)) // it has all again
		call.grant()
		expect(t, "dropped", s.isr(0), "[1] v=1")
		f.fetch()
		expect(t, "back", s.asks().String(), "broker-epoch=-1 t-0 epoch=1 v=1 isr=[1 2]")
	})
}

// A watermark that moves is told with the next reply, and wakes nobody who
// reads to the end.
func TestWatermarkReachesFollowersWithTheNextReply(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(2, []int32{me, 2, 3}, []int32{me, 2, 3})
		f := s.follow(2, want("t", 0, 0), want("t", 1, 0))
		s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		expect(t, "data", f.fetch(), "[t-0 hw=0 lso=0 start=0 [0]]")
		req := f.request(want("t", 0, 1))
		req.MaxWait = 500 * time.Millisecond
		w := s.parked(req)
		s.fetchBy(3, want("t", 0, 1))
		synctest.Wait()
		if hw := s.lookup("t", 0).log().HighWatermark(); hw != 1 || w.count() != 0 {
			t.Errorf("watermark %d, woken %d times", hw, w.count())
		}
		s.Append(&AppendRequest{Topic: "t", Partition: 1, Records: batch(t, 1, 1), Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(AppendResult) {})
		expect(t, "with data of another partition", show(w.resume()), "[t-0 hw=1 lso=1 start=0 []][t-1 hw=0 lso=0 start=0 [0]]")
		s.fetchBy(3, want("t", 1, 1))
		req = f.request(want("t", 1, 1))
		req.MaxWait = 500 * time.Millisecond
		w = s.parked(req)
		time.Sleep(500 * time.Millisecond)
		expect(t, "when its time is over", show(w.resume()), "[t-1 hw=1 lso=1 start=0 []]")
		expect(t, "told once", f.fetch(), "")
	})
}

// What a reply has no room for still counts as fetched.
func TestProgressIsRecordedBeyondTheLimit(t *testing.T) {
	s := loaded(t)
	s.replicated(3, []int32{me, 2}, []int32{me, 2})
	produce := func() {
		for i := range int32(3) {
			s.Append(&AppendRequest{Topic: "t", Partition: i, Records: batch(t, 1, 100), Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(AppendResult) {})
		}
	}
	produce()
	f := s.follow(2, want("t", 0, 0), want("t", 1, 0), want("t", 2, 0))
	produce()
	req := f.request(want("t", 0, 1), want("t", 1, 1), want("t", 2, 1))
	req.MaxBytes = 100
	expect(t, "one fits", show(s.now(req)), "[t-0 hw=1 lso=1 start=0 [1]][t-1 hw=1 lso=1 start=0 []][t-2 hw=1 lso=1 start=0 []]")
	for i := range int32(3) {
		if hw := s.lookup("t", i).log().HighWatermark(); hw != 1 {
			t.Errorf("t-%d: watermark %d", i, hw)
		}
	}
	req = f.request(want("t", 0, 2))
	req.MaxBytes = 100
	expect(t, "the next", show(s.now(req)), "[t-1 hw=1 lso=1 start=0 [1]][t-0 hw=2 lso=2 start=0 []]")
}

// Slots go to followers first, then to the larger sessions.
func TestSessionRanks(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(9, []int32{me, 2}, []int32{me, 2})
		open := func(broker int32, size int) int32 {
			req := inSession(0, 0)
			req.ReplicaID, req.MaxWait = broker, 0
			for i := range size {
				req.Partitions = append(req.Partitions, want("t", int32(i), 0))
			}
			res := s.now(req)
			show(res)
			return res.SessionID
		}
		alive := func(ids ...int32) string {
			s.sessions.mu.Lock()
			defer s.sessions.mu.Unlock()
			var out []bool
			for _, id := range ids {
				out = append(out, s.sessions.mu.all[id] != nil)
			}
			return fmt.Sprint(out)
		}
		small, large, follower := open(-1, 2), open(-1, 5), open(2, 1)
		if id := open(-1, 9); id != 0 {
			t.Error("a consumer replaced what is new")
		}
		second := open(2, 1)
		expect(t, "a follower replaces the smallest", alive(small, large, follower, second), "[false true true true]")
		// Kept in use, but old enough now.
		time.Sleep(90 * time.Second)
		for _, id := range []int32{large, follower, second} {
			req := inSession(id, 1)
			req.MaxWait = 0
			if id != large {
				req.ReplicaID = 2
			}
			if res := s.now(req); res.Code != wire.CodeNone {
				t.Fatal(res.Code)
			}
		}
		time.Sleep(90 * time.Second)
		if id := open(-1, 5); id != 0 {
			t.Error("a consumer replaced one as large")
		}
		larger := open(-1, 6)
		expect(t, "a larger one", alive(large, follower, second, larger), "[false true true true]")
		if id := open(-1, 9); id != 0 {
			t.Error("a consumer replaced a follower, or what is new")
		}
		third := open(2, 3)
		expect(t, "consumers go first", alive(follower, second, larger, third), "[true true false true]")
		fourth := open(2, 2)
		if alive(follower, second) == "[true true]" || fourth == 0 {
			t.Error("a larger follower's session replaced none")
		}
		time.Sleep(evictAfter)
		if id := open(-1, 1); id == 0 {
			t.Error("a session out of use was not replaced")
		}
	})
}

// A request reads what changed, and nothing else of what its session holds.
func TestIdlePartitionsAreNotRead(t *testing.T) {
	s := loaded(t)
	s.replicated(200, []int32{me, 2}, []int32{me, 2})
	var all []FetchPartition
	for i := range int32(200) {
		all = append(all, want("t", i, 0))
	}
	f := s.follow(2, all...)
	reads := func() int {
		set := &s.sessions.mu.all[f.id].set
		set.mu.Lock()
		defer set.mu.Unlock()
		return len(set.mu.dirty)
	}
	f.fetch()
	if n := reads(); n != 0 {
		t.Errorf("%d partitions to read though nothing happened", n)
	}
	for i := range int32(3) {
		s.Append(&AppendRequest{Topic: "t", Partition: i, Records: batch(t, 1, 1), Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(AppendResult) {})
	}
	if n := reads(); n != 3 {
		t.Errorf("%d partitions to read, 3 changed", n)
	}
	expect(t, "data", f.fetch(), "[t-0 hw=0 lso=0 start=0 [0]][t-1 hw=0 lso=0 start=0 [0]][t-2 hw=0 lso=0 start=0 [0]]")
	expect(t, "watermarks", f.fetch(want("t", 0, 1), want("t", 1, 1), want("t", 2, 1)),
		"[t-0 hw=1 lso=1 start=0 []][t-1 hw=1 lso=1 start=0 []][t-2 hw=1 lso=1 start=0 []]")
	if n := reads(); n != 0 {
		t.Errorf("%d partitions to read after all was told", n)
	}
}
