package replica

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// DeleteRecords deletes where nobody is to be waited for.
func (s *stand) DeleteRecords(topic string, index int32, offset int64) (low int64, err error) {
	s.t.Helper()
	answered := false
	s.Manager.DeleteRecords(&DeleteRecordsRequest{Topic: topic, Partition: index, Offset: offset, Timeout: time.Minute}, func(l int64, e error) {
		low, err, answered = l, e, true
	})
	if !answered {
		s.t.Fatal("DeleteRecords waits")
	}
	return low, err
}

// deletion is one that may have to wait.
func (s *stand) deletion(offset int64, timeout time.Duration) (answer func() string) {
	got := make(chan string, 2)
	s.Manager.DeleteRecords(&DeleteRecordsRequest{Topic: "t", Offset: offset, Timeout: timeout}, func(low int64, err error) {
		if err != nil {
			got <- fmt.Sprint(low, " ", brief(err))
			return
		}
		got <- fmt.Sprint(low)
	})
	return func() string {
		synctest.Wait()
		out := ""
		for len(got) > 0 {
			out += <-got + ";"
		}
		return out
	}
}

// begins is a follower's partition in a fetch.
func begins(offset, logStart int64) FetchPartition {
	p := want("t", 0, offset)
	p.LogStart = logStart
	return p
}

func TestDeleteRecordsWaitsForFollowers(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(1, []int32{me, 2, 3}, []int32{me, 2, 3})
		for range 6 {
			s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		}
		unknown := s.deletion(0, 10*time.Second)
		expect(t, "nobody has fetched", unknown(), "")
		s.fetchBy(2, begins(6, 0))
		s.fetchBy(3, begins(6, 0))
		expect(t, "all begin there", unknown(), "0;")
		to3, to5 := s.deletion(3, time.Minute), s.deletion(5, time.Minute)
		if start := s.lookup("t", 0).log().StartOffset(); start != 5 {
			t.Errorf("start %d", start)
		}
		f := s.follow(2, begins(6, 0))
		f.fetch(begins(6, 4))
		expect(t, "one of two", to3()+to5(), "")
		s.fetchBy(3, begins(6, 5))
		expect(t, "the lowest decides", to3()+to5(), "4;")
		f.fetch(begins(6, 5))
		expect(t, "both", to3()+to5(), "5;")
		if low, err := s.DeleteRecords("t", 0, 5); low != 5 || err != nil {
			t.Errorf("again: %d %v", low, err)
		}
		all := s.deletion(-1, time.Second)
		time.Sleep(time.Second)
		expect(t, "its time is over", all(), "5 REQUEST_TIMED_OUT;")
		expect(t, "no time at all", s.deletion(6, 0)(), "5 REQUEST_TIMED_OUT;")
		// Who is dead is not waited for.
		s.fetchBy(2, begins(6, 6))
		waits := s.deletion(6, time.Minute)
		expect(t, "broker 3 lags", waits(), "")
		s.live(me, 2)
		s.fetchBy(2, begins(6, 6))
		expect(t, "and dies", waits(), "6;")
		time.Sleep(time.Hour)
		expect(t, "answered once", unknown()+to3()+to5()+all()+waits(), "")
	})
}

// What waits when this broker leads no more is answered at once.
func TestDeleteRecordsEndsWithTheLeadership(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		waits := s.deletion(0, time.Hour)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		expect(t, "it leads on", waits(), "")
		s.epoch++
		st := state("t", 0, s.epoch)
		st.Leader, st.Replicas = 2, []int32{me, 2}
		s.tell(topicID(1), st)
		expect(t, "a follower", waits(), "-1 NOT_LEADER_OR_FOLLOWER;")
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		waits = s.deletion(0, time.Hour)
		s.lookup("t", 0).becomeOffline(s.Manager)
		expect(t, "offline", waits(), "-1 KAFKA_STORAGE_ERROR;")
	})
}

// One that comes to wait when the leadership has ended is not left to its
// timeout.
func TestAwaitDeletionLooksAtTheRole(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		p := s.lookup("t", 0)
		epoch, _, err := p.deleteBefore(0)
		if err != nil {
			t.Fatal(err)
		}
		s.epoch++
		st := state("t", 0, s.epoch)
		st.Leader, st.Replicas = 2, []int32{me, 2}
		s.tell(topicID(1), st)
		var got error
		p.awaitDeletion(&deleteWait{done: func(_ int64, err error) { got = err }}, epoch, time.Hour)
		if got != wire.CodeNotLeaderOrFollower {
			t.Error(got)
		}
	})
}
