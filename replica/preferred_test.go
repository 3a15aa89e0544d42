package replica

import (
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

// racks makes brokers live in racks, by id from 1 on, with a listener L; those
// in a rack of upper case have none.
func (s *stand) racks(names ...string) {
	s.t.Helper()
	req := wire.NewUpdateMetadataRequest()
	for i, rack := range names {
		b := wire.UpdateMetadataRequestBroker{ID: int32(i + 1), Rack: &rack}
		if rack == "" {
			b.Rack = nil
		}
		if rack < "A" || rack > "Z" {
			b.Endpoints = []wire.UpdateMetadataRequestEndpoint{{Listener: "L", Host: "h", Port: 1}}
		}
		req.LiveBrokers = append(req.LiveBrokers, b)
	}
	if _, err := s.cache.Apply(req); err != nil {
		s.t.Fatal(err)
	}
}

func TestPreferredReplica(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t)
		s.cfg.RackAware = true
		s.renew()
		s.load()
		all := []int32{me, 2, 3, 4, 5, 6}
		s.replicated(1, all, []int32{me, 2, 3, 4, 6})
		s.racks("a", "b", "b", "C", "c", "")
		for range 9 {
			s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		}
		fetched := func(broker int32, end, start int64) { s.fetchBy(broker, begins(end, start)) }
		f := func(rack string, offset int64, want int32) {
			t.Helper()
			req := plain(begins(offset, 0))
			req.Rack, req.Listener = rack, "L"
			res := s.now(req)
			p := res.Partitions[0]
			if p.Err != nil || p.Preferred != want {
				t.Errorf("rack %q, offset %d: replica %d, %v; want %d", rack, offset, p.Preferred, p.Err, want)
			}
			if want != noReplica && (p.Span.Size() > 0 || p.HighWatermark != s.lookup("t", 0).log().HighWatermark()) {
				t.Errorf("rack %q: %d bytes, watermark %d", rack, p.Span.Size(), p.HighWatermark)
			}
			p.Span.Release()
		}
		for _, broker := range all[1:] {
			fetched(broker, 1, 0)
		}
		f("b", 0, 3) // nothing but the id tells it from 2
		fetched(2, 4, 0)
		f("b", 0, 2) // it has more
		fetched(3, 9, 2)
		f("b", 2, 3)
		f("b", 0, 2) // 3 begins behind it
		f("a", 0, noReplica)
		f("d", 0, noReplica)
		f("", 0, noReplica)
		f("C", 0, noReplica) // broker 4 does not listen there
		f("c", 0, noReplica) // broker 5 is not in sync
		s.Manager.cfg.RackAware = false
		f("b", 0, noReplica)
		s.Manager.cfg.RackAware = true
		fenced := plain(want("t", 0, 0))
		fenced.Rack, fenced.Listener, fenced.Partitions[0].LeaderEpoch = "b", "L", s.epoch-1
		expect(t, "epochs first", show(s.now(fenced)), "[t-0 FENCED_LEADER_EPOCH]")
		// A session tells it with each reply, and never waits.
		open := inSession(0, 0, want("t", 0, 0))
		open.Rack, open.Listener = "b", "L"
		id := s.now(open).SessionID
		for epoch := range int32(3) {
			next := inSession(id, epoch+1)
			next.Rack, next.Listener = "b", "L"
			if res := s.now(next); len(res.Partitions) != 1 || res.Partitions[0].Preferred != 2 {
				t.Errorf("%+v", res)
			}
		}
	})
}

// Consumers read from a follower what it knows to be committed; others are
// sent to the leader.
func TestConsumersReadFromFollowers(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.replicated(1, []int32{me, 2}, []int32{me, 2})
		for range 3 {
			s.send(&answers{}, AcksLeader, AnyEpoch, 0)
		}
		s.fetchBy(2, want("t", 0, 1))
		s.epoch++
		st := state("t", 0, s.epoch)
		st.Leader, st.Replicas = 2, []int32{me, 2}
		s.tell(topicID(1), st)
		read := func(offset int64, leaderEpoch int32) string {
			req := plain(want("t", 0, offset))
			req.Anywhere, req.MaxWait, req.Partitions[0].LeaderEpoch = true, 0, leaderEpoch
			return show(s.now(req))
		}
		expect(t, "committed", read(0, s.epoch), "[t-0 hw=1 lso=1 start=0 [0]]")
		expect(t, "not known to be committed", read(2, -1), "[t-0 hw=1 lso=1 start=0 []]")
		expect(t, "not here", read(4, -1), "[t-0 offset 4 is outside of [0, 3]]")
		expect(t, "before", read(0, s.epoch-1), "[t-0 FENCED_LEADER_EPOCH]")
		expect(t, "ahead", read(0, s.epoch+1), "[t-0 UNKNOWN_LEADER_EPOCH]")
		expect(t, "a consumer that knows leaders only", show(s.parkedNow(want("t", 0, 0))), "[t-0 NOT_LEADER_OR_FOLLOWER]")
		expect(t, "a broker", s.fetchBy(2, want("t", 0, 0)), "[t-0 NOT_LEADER_OR_FOLLOWER]")
		debug := plain(want("t", 0, 0))
		debug.ReplicaID = -2
		expect(t, "a debugging consumer", show(s.now(debug)), "[t-0 NOT_LEADER_OR_FOLLOWER]")
		debug.Anywhere = true
		expect(t, "a debugging consumer of version 11", show(s.now(debug)), "[t-0 hw=1 lso=1 start=0 [0]]")
		debug.ReplicaID, debug.Anywhere = futureReplica, false
		expect(t, "who looks at everything", show(s.now(debug)), "[t-0 hw=1 lso=1 start=0 [0 1 2]]")
		for replica, want := range map[int32]error{consumer: wire.CodeNotLeaderOrFollower, 2: wire.CodeNotLeaderOrFollower, -2: nil} {
			found, err := s.ListOffset("t", 0, LatestTimestamp, ReadUncommitted, replica, AnyEpoch)
			if err != want || err == nil && found.Offset != 3 {
				t.Errorf("ListOffset by %d: %+v %v", replica, found, err)
			}
			if _, err := s.OffsetsBefore("t", 0, LatestTimestamp, 1, replica); err != want {
				t.Errorf("OffsetsBefore by %d: %v", replica, err)
			}
		}
		if _, _, err := s.EpochEnd("t", 0, 1, AnyEpoch); err != wire.CodeNotLeaderOrFollower {
			t.Errorf("EpochEnd: %v", err)
		}
		if _, err := s.Producers("t", 0); err != nil {
			t.Errorf("Producers: %v", err)
		}
		// What the leader tells of its watermark is what a consumer here waits for.
		w := plain(want("t", 0, 1))
		w.Anywhere = true
		parked := s.parked(w)
		var out outcome
		p := s.lookup("t", 0)
		p.water.Lock()
		p.riseLocked(2, &out)
		p.water.Unlock()
		p.carryOut(&out, nil)
		expect(t, "the watermark rose", show(parked.resume()), "[t-0 hw=2 lso=2 start=0 [1]]")
	})
}
