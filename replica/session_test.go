package replica

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func TestSessionTellsOnlyChanges(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0, 1, 2)
		s.append("t", 1, 1, 10)
		res := s.now(inSession(0, 0, want("t", 0, 0), want("t", 1, 0), want("t", 2, 0)))
		id := res.SessionID
		expect(t, "first reply", show(res),
			"[t-0 hw=0 lso=0 start=0 []][t-1 hw=1 lso=1 start=0 [0]][t-2 hw=0 lso=0 start=0 []]")
		// What was sent and not consumed is sent again.
		expect(t, "not consumed", show(s.now(inSession(id, 1))), "[t-1 hw=1 lso=1 start=0 [0]]")
		w := s.parked(inSession(id, 2, want("t", 1, 1)))
		s.append("t", 2, 1, 10)
		res = w.resume()
		if res.SessionID != id {
			t.Errorf("session %d, not %d", res.SessionID, id)
		}
		expect(t, "one busy partition", show(res), "[t-2 hw=1 lso=1 start=0 [0]]")

		// Records below the log start are gone: the start is news by itself.
		if _, err := s.DeleteRecords("t", 1, 1); err != nil {
			t.Fatal(err)
		}
		w = s.parked(inSession(id, 3, want("t", 2, 1)))
		time.Sleep(time.Second)
		expect(t, "log start", show(w.resume()), "[t-1 hw=1 lso=1 start=1 []]")

		// An error is told every time, and its end once.
		expect(t, "unknown partition", show(s.now(inSession(id, 4, want("t", 3, 0)))), "[t-3 UNKNOWN_TOPIC_OR_PARTITION]")
		expect(t, "still unknown", show(s.now(inSession(id, 5))), "[t-3 UNKNOWN_TOPIC_OR_PARTITION]")
		s.lead("t", topicID(1), 3)
		w = s.parked(inSession(id, 6))
		time.Sleep(time.Second)
		expect(t, "known now", show(w.resume()), "[t-3 hw=0 lso=0 start=0 []]")
		w = s.parked(inSession(id, 7))
		s.append("t", 3, 1, 10)
		expect(t, "and marks the session", show(w.resume()), "[t-3 hw=1 lso=1 start=0 [0]]")

		req := inSession(id, 8)
		req.Forgotten = []PartitionName{{Topic: "t", Partition: 3}, {Topic: "t", Partition: 0}, {Topic: "x"}}
		w = s.parked(req)
		if s.linked("t", 3) != 0 || s.linked("t", 0) != 0 || s.linked("t", 1) != 1 {
			t.Errorf("subscribers %d %d %d", s.linked("t", 3), s.linked("t", 0), s.linked("t", 1))
		}
		s.append("t", 0, 1, 10)
		if w.count() != 0 {
			t.Error("woken by what it forgot")
		}
		w.Cancel()

		req = inSession(id, 9)
		req.Forgotten = []PartitionName{{Topic: "t", Partition: 1}, {Topic: "t", Partition: 2}}
		if res = s.now(req); res.SessionID != 0 || len(res.Partitions) != 0 || res.Code != wire.CodeNone {
			t.Errorf("a session of nothing: %+v", res)
		}
		expect(t, "has ended", show(s.now(inSession(id, 10))), "FETCH_SESSION_ID_NOT_FOUND ")
	})
}

// A partition whose first batch does not fit any more, or that was not reached,
// is read first next time; one that has endless data does not starve others.
func TestSessionReadsUnreadPartitionsFirst(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0, 1, 2)
	for i := range int32(3) {
		for range 3 {
			s.append("t", i, 1, 1000)
		}
	}
	size := len(batch(t, 1, 1000))
	req := inSession(0, 0, want("t", 0, 0), want("t", 1, 0), want("t", 2, 0))
	req.MaxBytes = size + size/2
	var order []string
	next := [3]int64{}
	for epoch := int32(0); epoch < 9; epoch++ {
		res := s.now(req)
		var consumed []FetchPartition
		for _, p := range res.Partitions {
			if p.Span.Size() > 0 {
				order = append(order, fmt.Sprint(p.Partition))
				next[p.Partition]++
				consumed = append(consumed, want("t", p.Partition, next[p.Partition]))
			}
			p.Span.Release()
		}
		req = inSession(res.SessionID, epoch+1, consumed...)
		req.MaxBytes, req.MaxWait = size+size/2, 0
	}
	expect(t, "partitions in order of their turns", strings.Join(order, ""), "012012012")
}

func TestSessionErrors(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	s.append("t", 0, 1, 10)
	res := s.now(inSession(0, 0, want("t", 0, 0)))
	id := res.SessionID
	show(res)
	expect(t, "wrong epoch", show(s.now(inSession(id, 2))), "INVALID_FETCH_SESSION_EPOCH ")
	expect(t, "unknown id", show(s.now(inSession(id+1, 1))), "FETCH_SESSION_ID_NOT_FOUND ")
	req := inSession(id, 1)
	req.ByID = true
	expect(t, "ids in a session of names", show(s.now(req)), "FETCH_SESSION_TOPIC_ID_ERROR ")
	if res = s.now(inSession(id, finalEpoch, want("t", 0, 0))); res.SessionID != 0 {
		t.Error("a session after the final epoch")
	}
	expect(t, "final epoch", show(res), "[t-0 hw=1 lso=1 start=0 [0]]")
	expect(t, "after the final epoch", show(s.now(inSession(id, 1))), "FETCH_SESSION_ID_NOT_FOUND ")
	if n := s.linked("t", 0); n != 0 {
		t.Errorf("%d subscribers after the session ended", n)
	}
	for in, want := range map[int32]int32{1: 2, 1<<31 - 1: 1} {
		if got := nextEpoch(in); got != want {
			t.Errorf("nextEpoch(%d) = %d", in, got)
		}
	}
}

// Two requests of one session at once: the later one takes over, the earlier is
// answered and takes nothing of what the later one asked for.
func TestSessionOvertaken(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		first := inSession(0, 0, want("t", 0, 0))
		first.MaxWait = 0
		id := s.now(first).SessionID
		early := s.parked(inSession(id, 1))
		late := s.parked(inSession(id, 2))
		if early.count() != 1 {
			t.Fatal("the earlier request is not answered")
		}
		s.append("t", 0, 1, 10)
		expect(t, "earlier", show(early.resume()), "INVALID_FETCH_SESSION_EPOCH ")
		if late.count() != 1 {
			t.Fatal("the later request was not woken")
		}
		expect(t, "later", show(late.resume()), "[t-0 hw=1 lso=1 start=0 [0]]")

		w := s.parked(inSession(id, 3, want("t", 0, 1)))
		s.closeSession(id)
		if w.count() != 1 {
			t.Fatal("the end of the session wakes nobody")
		}
		expect(t, "ended", show(w.resume()), "FETCH_SESSION_ID_NOT_FOUND ")
		if n := s.linked("t", 0); n != 0 {
			t.Errorf("%d subscribers of a session that ended", n)
		}
	})
}

func TestSessionEviction(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		open := func() int32 {
			req := inSession(0, 0, want("t", 0, 0))
			req.MaxWait = 0
			return s.now(req).SessionID
		}
		var ids []int32
		for range s.cfg.SessionSlots {
			ids = append(ids, open())
			time.Sleep(time.Second)
		}
		if open() != 0 {
			t.Error("a session beyond the slots")
		}
		w := s.parked(inSession(ids[0], 1)) // used again: ids[1] is the oldest now
		w.Cancel()
		time.Sleep(evictAfter)
		if open() == 0 {
			t.Error("no session though one was idle for long")
		}
		expect(t, "evicted", show(s.now(inSession(ids[1], 1))), "FETCH_SESSION_ID_NOT_FOUND ")
		if n := s.linked("t", 0); n != 3 {
			t.Errorf("%d subscribers for 3 sessions", n)
		}
		s.sessions.slots = 0
		for _, id := range ids {
			s.closeSession(id)
		}
	})
}

// A partition is deleted and made anew, with another id, while sessions by name
// and by id look at it.
func TestSessionOverRecreation(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		s.append("t", 0, 1, 10)
		named := inSession(0, 0, want("t", 0, 1))
		named.MaxWait = 0
		ids := inSession(0, 0, byID(topicID(1), 0, 1))
		ids.MaxWait, ids.ByID = 0, true
		name, id := s.now(named).SessionID, s.now(ids).SessionID
		more := inSession(id, 1)
		more.ByID = true
		a, b := s.parked(inSession(name, 1)), s.parked(more)
		old := s.lookup("t", 0)
		s.delete("t", 0)
		s.lead("t", topicID(2), 0)
		if a.count() != 1 || b.count() != 1 {
			t.Fatal("not woken by the deletion")
		}
		expect(t, "by name", show(a.resume()), "[t-0 offset 1 is outside of [0, 0]]")
		expect(t, "by id", show(b.resume()), "[1-0 UNKNOWN_TOPIC_ID]")
		if n := old.subscribers(); n != 0 {
			t.Errorf("%d subscribers of a deleted partition", n)
		}
		a = s.parked(inSession(name, 2, want("t", 0, 0)))
		s.append("t", 0, 1, 10)
		synctest.Wait()
		expect(t, "the new one", show(a.resume()), "[t-0 hw=1 lso=1 start=0 [0]]")
	})
}

// Appends, fetches of sessions and without, cancellations, deletions and role
// changes all at once: nothing is lost, nothing is left behind. The race
// detector watches.
func TestStorm(t *testing.T) {
	s := newStand(t)
	s.cfg.SessionSlots = 100
	s.renew()
	s.load()
	s.lead("t", topicID(1), 0, 1, 2, 3)
	const perPartition = 150
	var producers, consumers sync.WaitGroup
	for i := range int32(4) {
		data := batch(t, 1, 10)
		producers.Go(func() {
			for range perPartition {
				record.Batch(data).SetBaseOffset(0)
				s.Append(&AppendRequest{Topic: "t", Partition: i, Records: data, Acks: AcksAll, LeaderEpoch: AnyEpoch, Timeout: time.Minute}, func(r AppendResult) {
					if r.Err != nil {
						t.Error(r.Err)
					}
				})
			}
		})
	}
	for c := range 4 {
		consumers.Go(func() { consume(t, s, c%2 == 0, perPartition) })
	}
	consumers.Go(func() {
		for range 100 {
			req := plain(want("t", 0, perPartition), want("t", 3, perPartition))
			req.MaxWait = time.Millisecond
			if res, p := s.Fetch(req, func(resume func() *FetchResult) { show(resume()) }); p != nil {
				p.Cancel()
			} else {
				show(res)
			}
		}
	})
	consumers.Go(func() {
		for i := range int32(20) {
			s.lead("u", topicID(byte(100+i)), 0)
			s.append("u", 0, 1, 10)
			s.delete("u", 0)
			s.checkpointLogs()
		}
	})
	producers.Wait()
	consumers.Wait()
	for id := range s.sessions.mu.all {
		s.closeSession(id)
	}
	for i := range int32(4) {
		if n := s.linked("t", i); n != 0 {
			t.Errorf("%d subscribers left at t-%d", n, i)
		}
	}
}

// consume reads all four partitions to their ends.
func consume(t *testing.T, s *stand, session bool, records int64) {
	var next [4]int64
	all := func() (out []FetchPartition) {
		for i := range int32(4) {
			out = append(out, want("t", i, next[i]))
		}
		return out
	}
	id, epoch := int32(0), int32(0)
	deadline := time.Now().Add(30 * time.Second)
	for next != [4]int64{records, records, records, records} {
		if time.Now().After(deadline) {
			t.Errorf("stuck at %v, session %v", next, session)
			return
		}
		req := plain(all()...)
		if session {
			req = inSession(id, epoch, all()...)
		}
		answer := make(chan *FetchResult, 1)
		res, pending := s.Fetch(req, func(resume func() *FetchResult) {
			go func() { answer <- resume() }()
		})
		if pending != nil {
			res = <-answer
		}
		if res.Code != wire.CodeNone {
			t.Errorf("session: %v", res.Code)
			return
		}
		id, epoch = res.SessionID, epoch+1
		for _, p := range res.Partitions {
			raw, err := p.Span.AppendTo(nil)
			p.Span.Release()
			if p.Err != nil || err != nil {
				t.Errorf("%v %v", p.Err, err)
				return
			}
			for b, err := range record.All(raw) {
				if err != nil {
					break
				}
				if b.BaseOffset() != next[p.Partition] {
					t.Errorf("offset %d where %d comes", b.BaseOffset(), next[p.Partition])
					return
				}
				next[p.Partition]++
			}
		}
	}
}
