package decide

import "testing"

// TestElections tells whom each strategy makes the leader of a partition that is
// led by broker 1 in epoch 5, and with which ISR: from outside of the ISR only
// where an unclean election is allowed, and then alone.
func TestElections(t *testing.T) {
	for what, c := range map[string]struct {
		how               strategy
		replicas, isr     []int32
		target            []int32 // of a reassignment
		gone, going, disk []int32 // brokers that died, shut down, lost the replica's disk
		unclean           bool
		want              string
	}{
		"the next of the assignment": {how: electOffline{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 3, 2}, gone: []int32{1},
			want: "leader=2 epoch=6 isr=3,2 v0 to 2,3"},
		"who is in sync": {how: electOffline{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 3}, gone: []int32{1}, unclean: true,
			want: "leader=3 epoch=6 isr=3 v0 to 2,3"},
		"nobody in sync": {how: electOffline{}, replicas: []int32{1, 2, 3}, isr: []int32{1}, gone: []int32{1},
			want: "nobody"},
		"nobody in sync on a good disk": {how: electOffline{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, gone: []int32{1}, disk: []int32{2},
			want: "nobody"},
		"nobody in sync that stays": {how: electOffline{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, gone: []int32{1}, going: []int32{2},
			want: "nobody"},
		"unclean: one that lives, alone": {how: electOffline{}, replicas: []int32{1, 2, 3}, isr: []int32{1}, gone: []int32{1}, unclean: true,
			want: "leader=2 epoch=6 isr=2 v0 recovering to 2,3"},
		"unclean, and none lives": {how: electOffline{}, replicas: []int32{1, 2}, isr: []int32{1}, gone: []int32{1, 2}, unclean: true,
			want: "nobody"},
		"reassigned: the first target in sync": {how: electReassigned{}, replicas: []int32{4, 3, 2, 1}, target: []int32{4, 3, 2}, isr: []int32{1, 2, 3},
			want: "leader=3 epoch=6 isr=1,2,3 v0 to 4,3,2"},
		"reassigned: and living": {how: electReassigned{}, replicas: []int32{4, 3, 2, 1}, target: []int32{4, 3, 2}, isr: []int32{1, 2, 3}, gone: []int32{3},
			want: "leader=2 epoch=6 isr=1,2,3 v0 to 4,3,2"},
		"reassigned: no target in sync": {how: electReassigned{}, replicas: []int32{4, 3, 1}, target: []int32{4, 3}, isr: []int32{1, 2}, unclean: true,
			want: "nobody"},
		"preferred: in sync": {how: electPreferred{}, replicas: []int32{2, 1, 3}, isr: []int32{1, 2},
			want: "leader=2 epoch=6 isr=1,2 v0 to 2,1,3"},
		"preferred: not in sync": {how: electPreferred{}, replicas: []int32{3, 1, 2}, isr: []int32{1, 2}, unclean: true,
			want: "nobody"},
		"preferred: not living": {how: electPreferred{}, replicas: []int32{2, 1, 3}, isr: []int32{1, 2}, gone: []int32{2},
			want: "nobody"},
		"shutdown: one that stays, without who goes": {how: electShutdown{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 2, 3}, going: []int32{1, 2},
			want: "leader=3 epoch=6 isr=3 v0 to 1,2,3"},
		"shutdown: who stays is not in sync": {how: electShutdown{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, going: []int32{1, 2}, unclean: true,
			want: "nobody"},
		"shutdown: who is in sync has died": {how: electShutdown{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 2, 3}, going: []int32{1}, gone: []int32{2},
			want: "leader=3 epoch=6 isr=2,3 v0 to 1,3"},
		"shutdown: or lost its disk": {how: electShutdown{}, replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, going: []int32{1}, disk: []int32{2},
			want: "nobody"},
	} {
		s, p := lone()
		s.cfg.LeaderRecovery = true
		p.assignment = Assignment{Replicas: c.replicas}
		if c.target != nil {
			p.assignment = Assignment{Replicas: c.target}.ReassignTo(c.target)
			p.assignment.Replicas, p.assignment.Removing = c.replicas, without(c.replicas, c.target)
		}
		p.lead = &Leadership{Leader: 1, LeaderEpoch: 5, ISR: c.isr}
		for id := int32(1); id <= 4; id++ {
			s.brokers[id] = &Broker{ID: id}
		}
		for _, id := range c.gone {
			delete(s.brokers, id)
		}
		for _, id := range c.going {
			s.shuttingDown[id] = true
		}
		for _, id := range c.disk {
			s.offline[id] = map[*partition]bool{p: true}
		}
		got := "nobody"
		if l, to, ok := c.how.choose(s, p, c.unclean); ok {
			l.PartitionEpoch = 0
			got = lead(l) + " to " + join(to)
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, c.want)
		}
	}
}
