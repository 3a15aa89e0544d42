package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/quota"
	"github.com/gregor-mq/gregor/wire"
)

// throttled is a leader of t-0 and t-1 with replicas 1, 2 and 3, of which 3 is
// not in sync; t-0 is throttled at 1,000 bytes per second.
func throttled(t *testing.T) (*stand, *quota.Replication) {
	s := newStand(t)
	limit := quota.NewReplication(quota.Window{Samples: 11, Length: time.Second})
	limit.SetLimit(1000)
	limit.SetTopic("t", quota.ParseReplicas([]string{"0:1", "1:2"}, me))
	s.cfg.Throttle = limit
	s.renew()
	s.load()
	s.replicated(2, []int32{me, 2, 3}, []int32{me, 2})
	for range 3 {
		s.keep("t", 0, 3000)
		s.keep("t", 1, 3000)
	}
	return s, limit
}

// keep appends one record of that many bytes, acknowledged by the leader alone.
func (s *stand) keep(topic string, index int32, bytes int) {
	s.t.Helper()
	s.Append(&AppendRequest{Topic: topic, Partition: index, Records: batch(s.t, 1, bytes), Acks: AcksLeader, LeaderEpoch: AnyEpoch}, func(r AppendResult) {
		if r.Err != nil {
			s.t.Fatal(r.Err)
		}
	})
}

func little(index int32, offset int64) FetchPartition {
	w := want("t", index, offset)
	w.MaxBytes = 100 // the first batch all the same
	return w
}

// A throttled replica that lags gets what the rate allows; one in sync, and
// partitions that are not throttled, get all.
func TestALeaderHoldsThrottledReplicasBack(t *testing.T) {
	after(t, func(t *testing.T) {
		s, limit := throttled(t)
		expect(t, "at first", s.fetchBy(3, little(0, 0)), "[t-0 hw=0 lso=0 start=0 [0]]")
		expect(t, "too much", s.fetchBy(3, little(0, 1), little(1, 0)), "[t-0 hw=0 lso=0 start=0 []][t-1 hw=0 lso=0 start=0 [0]]")
		expect(t, "in sync", s.fetchBy(2, little(0, 0)), "[t-0 hw=0 lso=0 start=0 [0]]")
		expect(t, "a consumer", show(s.now(&FetchRequest{ReplicaID: -1, MaxBytes: 1, WholeBatches: true, SessionEpoch: finalEpoch,
			Partitions: []FetchPartition{want("t", 0, 0)}})), "[t-0 hw=0 lso=0 start=0 []]")
		if got := s.fetchBy(3, want("t", 0, 9)); got != "[t-0 offset 9 is outside of [0, 3]]" {
			t.Errorf("out of range: %s", got)
		}
		time.Sleep(3 * time.Second)
		expect(t, "both count", s.fetchBy(3, little(0, 1)), "[t-0 hw=0 lso=0 start=0 []]")
		time.Sleep(4 * time.Second)
		expect(t, "later", s.fetchBy(3, little(0, 1)), "[t-0 hw=0 lso=0 start=0 [1]]")
		expect(t, "too much again", s.fetchBy(3, little(0, 2)), "[t-0 hw=0 lso=0 start=0 []]")
		limit.SetLimit(quota.Unlimited)
		expect(t, "no limit", s.fetchBy(3, little(0, 2)), "[t-0 hw=0 lso=0 start=0 [2]]")
		limit.SetLimit(1000)
		limit.SetTopic("t", quota.Replicas{})
		expect(t, "no such replica", s.fetchBy(3, little(0, 2)), "[t-0 hw=0 lso=0 start=0 [2]]")
	})
}

// What a held replica fetched still tells how far it is.
func TestAHeldReplicaStillMakesProgress(t *testing.T) {
	after(t, func(t *testing.T) {
		s, limit := throttled(t)
		limit.Record(s.env.Clock.Now(), 1<<20)
		s.fetchBy(2, want("t", 0, 3))
		s.fetchBy(3, want("t", 0, 2))
		p := s.lookup("t", 0)
		p.water.Lock()
		lags := p.water.isr.Lags(s.Manager.now(), p.marksLocked())
		p.water.Unlock()
		if len(lags) != 2 || lags[1].Broker != 3 || lags[1].End != 2 {
			t.Errorf("%+v", lags)
		}
	})
}

// A fetch that waits is not woken by records that it may not have, and finds
// them when it may.
func TestAHeldFetchWaits(t *testing.T) {
	after(t, func(t *testing.T) {
		for _, session := range []bool{false, true} {
			s, limit := throttled(t)
			limit.Record(s.env.Clock.Now(), 4000)
			fetch := func(parts ...FetchPartition) *FetchRequest {
				req := plain(parts...)
				req.ReplicaID = 3
				return req
			}
			req := fetch(little(0, 0))
			if session {
				req.SessionEpoch = 0
			}
			w := s.parked(req)
			s.keep("t", 0, 3000)
			synctest.Wait()
			if n := w.count(); n != 0 {
				t.Errorf("session %v: woken by what it may not have", session)
			}
			time.Sleep(time.Second)
			res := w.resume()
			expect(t, "after max.wait", show(res), "[t-0 hw=0 lso=0 start=0 []]")
			time.Sleep(3 * time.Second) // nothing happens to the partition
			if session {
				req = fetch()
				req.SessionID, req.SessionEpoch = res.SessionID, 1
			}
			got, _ := s.Fetch(req, func(func() *FetchResult) {})
			expect(t, "when it may", show(got), "[t-0 hw=0 lso=0 start=0 [0]]")
			if got.Code != wire.CodeNone {
				t.Error(got.Code)
			}
		}
	})
}
