package node

import (
	"log/slog"
	"testing"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/quota"
)

// Replication quotas follow the topics' and the brokers' settings as they change.
func TestThrottlesFollowTheSettings(t *testing.T) {
	b, _, err := config.Load(config.Source{Overrides: []string{"broker.id=7"}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSettings(b, slog.New(slog.DiscardHandler))
	limits := func(leader, follower, moves int64) {
		t.Helper()
		if l, f, m := s.throttles.leader.Limit(), s.throttles.follower.Limit(), s.throttles.moves.Limit(); l != leader || f != follower || m != moves {
			t.Errorf("limits %d, %d, %d, want %d, %d, %d", l, f, m, leader, follower, moves)
		}
	}
	replicas := func(topic string, partition int32, leader, follower bool) {
		t.Helper()
		if l, f := s.throttles.leader.Throttled(topic, partition), s.throttles.follower.Throttled(topic, partition); l != leader || f != follower {
			t.Errorf("%s-%d: %v, %v, want %v, %v", topic, partition, l, f, leader, follower)
		}
	}
	change := func(all, own map[string]string) {
		t.Helper()
		if err := s.setBroker(all, own); err != nil {
			t.Fatal(err)
		}
	}
	limits(quota.Unlimited, quota.Unlimited, quota.Unlimited)
	s.setTopic("t", map[string]string{"leader.replication.throttled.replicas": "0:7,1:8", "follower.replication.throttled.replicas": "*"})
	replicas("t", 0, true, true)
	replicas("t", 1, false, true)
	replicas("u", 0, false, false)

	change(map[string]string{"leader.replication.throttled.rate": "100", "follower.replication.throttled.rate": "200"},
		map[string]string{"follower.replication.throttled.rate": "300", "replica.alter.log.dirs.io.max.bytes.per.second": "400"})
	limits(100, 300, 400)
	replicas("t", 0, true, true)
	change(map[string]string{"follower.replication.throttled.rate": "200"}, nil)
	limits(quota.Unlimited, 200, quota.Unlimited)

	s.setTopic("t", map[string]string{"leader.replication.throttled.replicas": "1:7"})
	replicas("t", 0, false, false)
	replicas("t", 1, true, false)
	s.setID(8)
	replicas("t", 1, false, false)
	s.setTopic("t", map[string]string{"leader.replication.throttled.replicas": "1:8"})
	replicas("t", 1, true, false)
	s.setTopic("t", nil) // its node is gone
	replicas("t", 1, false, false)
}
