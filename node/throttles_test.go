package node

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/quota"
	"github.com/gregor-mq/gregor/wire"
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
	s.setTopic("t", map[string]string{"leader.replication.throttled.replicas": "0:7,1:8", "follower.replication.throttled.replicas": "*"}, moment{1, 1})
	replicas("t", 0, true, true)
	replicas("t", 1, false, true)
	replicas("u", 0, false, false)

	change(map[string]string{"leader.replication.throttled.rate": "100", "follower.replication.throttled.rate": "200"},
		map[string]string{"follower.replication.throttled.rate": "300", "replica.alter.log.dirs.io.max.bytes.per.second": "400"})
	limits(100, 300, 400)
	replicas("t", 0, true, true)
	change(map[string]string{"follower.replication.throttled.rate": "200"}, nil)
	limits(quota.Unlimited, 200, quota.Unlimited)

	s.setTopic("t", map[string]string{"leader.replication.throttled.replicas": "1:7"}, moment{1, 2})
	replicas("t", 0, false, false)
	replicas("t", 1, true, false)
	s.setID(8)
	replicas("t", 1, false, false)
	s.setTopic("t", map[string]string{"leader.replication.throttled.replicas": "1:8"}, moment{1, 3})
	replicas("t", 1, true, false)
	s.setTopic("t", nil, moment{1, 4}) // its node is gone
	replicas("t", 1, false, false)
}

// A broker that comes back copies what it missed at the rate that the leader's or
// its own throttle allows, and gets in sync.
func TestReplicationIsThrottled(t *testing.T) {
	const records, size, rate = 40, 9000, 30_000
	catchUp := func(topic, broker map[string]string) (took time.Duration) {
		onMachine(t, func(t *testing.T, m *machine) {
			connect, stop := m.ensemble()
			defer stop()
			start := func(id int) *Node {
				return m.start(connect, fmt.Sprint("broker.id=", id), fmt.Sprint("listeners=PLAINTEXT://127.0.0.1:", 9092+id),
					fmt.Sprint("log.dirs=/logs", id), "replica.fetch.max.bytes=10000", "replica.fetch.response.max.bytes=10000")
			}
			leader, follower := start(0), start(1)
			inSync := func(n int) func() bool {
				return func() bool { p := partition(leader); return p.Leader == 0 && len(p.ISR) == n }
			}
			m.eventually("both are known", func() bool { return len(leader.cache.Image().Brokers) == 2 })
			req := wire.NewCreateTopicsRequest()
			create := wire.NewCreateTopicsRequestCreatableTopic()
			create.Name, create.NumPartitions, create.ReplicationFactor = "t", -1, -1
			create.Assignments = []wire.CreateTopicsRequestCreatableReplicaAssignment{{BrokerIDs: []int32{0, 1}}}
			req.Topics, req.TimeoutMs = append(req.Topics, create), 10_000
			if resp := ask[*wire.CreateTopicsResponse](m, leader, req, 7); resp.Topics[0].ErrorCode != wire.CodeNone {
				t.Fatal(resp.Topics[0].ErrorCode)
			}
			m.eventually("both are in sync", inSync(2))
			m.leave(follower)
			m.eventually("one is away", inSync(1))
			for range records {
				if _, code := m.produce(leader, "t", strings.Repeat("v", size)); code != wire.CodeNone {
					t.Fatal(code)
				}
			}
			for key, value := range topic {
				m.alter(leader, resourceTopic, "t", key, value)
			}
			for key, value := range broker {
				m.alter(leader, resourceBroker, "", key, value)
			}
			m.eventually("the settings hold", func() bool {
				b := leader.settings.Broker()
				return broker == nil || b.Long("leader.replication.throttled.rate") == rate || b.Long("follower.replication.throttled.rate") == rate
			})
			follower = start(1)
			began := m.env.Clock.Now()
			m.eventually("it is in sync again", inSync(2))
			took = m.env.Clock.Now().Sub(began)
			m.leave(follower)
			m.leave(leader)
		})
		return took
	}
	limit := fmt.Sprint(rate)
	free := catchUp(nil, nil)
	least := records*size/rate*time.Second/2 + free
	for _, side := range []string{"leader", "follower"} {
		took := catchUp(map[string]string{side + ".replication.throttled.replicas": "0:0,0:1"}, map[string]string{side + ".replication.throttled.rate": limit})
		t.Logf("%s: in sync after %v, without a throttle after %v", side, took, free)
		if took < least || took > 4*least {
			t.Errorf("throttled by the %s: in sync after %v, without after %v", side, took, free)
		}
	}
}
