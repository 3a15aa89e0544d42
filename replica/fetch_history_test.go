package replica

import (
	"fmt"
	"testing"
	"time"
)

// A reader whose last batch is of an epoch that ended earlier in this log is
// told where, at once and in every reply, whoever it is.
func TestFetchComparesHistories(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		for range 3 { // epochs 1 to 3 with two records each
			s.lead("t", topicID(1), 0)
			s.append("t", 0, 1, 10)
			s.append("t", 0, 1, 10)
		}
		if _, err := s.DeleteRecords("t", 0, 1); err != nil {
			t.Fatal(err)
		}
		f := func(what string, offset int64, epoch int32, want string) {
			t.Helper()
			p := want0(offset, epoch)
			expect(t, what, show(s.now(plain(p))), want)
			req := inSession(0, 0, p)
			res := s.now(req)
			expect(t, what+" in a session", show(res), want)
			expect(t, what+" again", show(s.now(inSession(res.SessionID, 1))), want)
			s.closeSession(res.SessionID)
		}
		f("end of an epoch", 2, 1, "[t-0 hw=6 lso=6 start=1 [2 3 4 5]]")
		f("inside of an epoch", 3, 2, "[t-0 hw=6 lso=6 start=1 [3 4 5]]")
		f("not compared", 3, -1, "[t-0 hw=6 lso=6 start=1 [3 4 5]]")
		f("more than the epoch had", 3, 1, "[t-0 hw=6 lso=6 start=1 diverges: epoch 1 to 2 []]")
		f("beyond the end", 7, 3, "[t-0 hw=6 lso=6 start=1 diverges: epoch 3 to 6 []]")
		f("unknown epoch", 2, 4, "[t-0 offset 2 is outside of [1, 6]]")
		f("before the log", 0, 1, "[t-0 offset 0 is outside of [1, 6]]")
		s.epoch++ // epoch 4 is another leader's
		s.lead("t", topicID(1), 0)
		s.append("t", 0, 1, 10)
		f("an epoch that left nothing here", 5, 4, "[t-0 hw=7 lso=7 start=1 diverges: epoch 3 to 6 []]")
		f("the same, before the log", 0, 4, "[t-0 offset 0 is outside of [1, 7]]")
	})
}

// An epoch that brought no data is known to followers that ask where it ends.
func TestAnEpochWithoutRecordsIsKnown(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	s.append("t", 0, 1, 10)
	s.lead("t", topicID(1), 0)
	expect(t, "end of epoch 2", fmt.Sprint(s.EpochEnd("t", 0, 2, 2)), "2 1 <nil>")
	expect(t, "end of epoch 1", fmt.Sprint(s.EpochEnd("t", 0, 1, 2)), "1 1 <nil>")
}

func want0(offset int64, epoch int32) FetchPartition {
	p := want("t", 0, offset)
	p.LastFetchedEpoch = epoch
	return p
}

// Who says to be a replica must be one.
func TestFetchOfAStranger(t *testing.T) {
	s := loaded(t)
	s.withReplicas(me, 2)
	f := func(replica, epoch int32, want string) {
		t.Helper()
		p := want0(0, -1)
		p.LeaderEpoch = epoch
		req := plain(p)
		req.ReplicaID, req.MaxWait = replica, 0
		expect(t, "fetch", show(s.now(req)), want)
	}
	f(2, -1, "[t-0 hw=0 lso=0 start=0 []]")
	f(2, s.epoch, "[t-0 hw=0 lso=0 start=0 []]")
	f(3, -1, "[t-0 NOT_LEADER_OR_FOLLOWER]")
	f(3, s.epoch, "[t-0 UNKNOWN_LEADER_EPOCH]")
	f(3, s.epoch-1, "[t-0 FENCED_LEADER_EPOCH]")
	f(me, -1, "[t-0 NOT_LEADER_OR_FOLLOWER]")
	f(-2, -1, "[t-0 hw=0 lso=0 start=0 []]") // a debugging consumer
}

// A partition named twice is read once, where it came first, as it was asked
// for last.
func TestPartitionNamedTwice(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0, 1)
	s.append("t", 0, 1, 10)
	s.append("t", 0, 1, 10)
	twice := []FetchPartition{want("t", 0, 0), want("t", 1, 0), want("t", 0, 1)}
	const once = "[t-0 hw=2 lso=2 start=0 [1]][t-1 hw=0 lso=0 start=0 []]"
	expect(t, "without a session", show(s.now(plain(twice...))), once)
	expect(t, "in a session", show(s.now(inSession(0, 0, twice...))), once)
}

// Only who reads committed data hears of aborted transactions.
func TestAbortedIsNullUnlessCommitted(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	s.append("t", 0, 1, 10)
	f := func(isolation Isolation, offset int64, null bool) {
		t.Helper()
		req := plain(want("t", 0, offset))
		req.Isolation, req.MaxWait = isolation, time.Duration(0)
		res := s.now(req)
		if got := res.Partitions[0].Aborted; len(got) != 0 || (got == nil) != null {
			t.Errorf("isolation %d at %d: %#v", isolation, offset, got)
		}
		show(res)
	}
	f(ReadUncommitted, 0, true)
	f(ReadUncommitted, 1, true)
	f(ReadCommitted, 0, false)
	f(ReadCommitted, 1, false)
}
