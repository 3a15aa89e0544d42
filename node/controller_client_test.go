package node

import (
	"context"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// A leader's changes reach the controller, in the version that the topics and
// inter.broker.protocol.version allow.
func TestAlterPartitionReachesTheController(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		f := func(protocol string, byID, byName wire.Code) {
			t.Helper()
			n := m.start("inter.broker.protocol.version=" + protocol)
			defer m.stop(n)
			m.createTopic(n, "t"+protocol, 1)
			id := n.cache.Image().Topic("t" + protocol).ID
			tell := func(topic wire.AlterPartitionRequestTopicData) wire.Code {
				t.Helper()
				topic.Partitions = []wire.AlterPartitionRequestPartitionData{{
					NewIsrWithEpochs: []wire.AlterPartitionRequestBrokerState{{BrokerID: 0, BrokerEpoch: -1}}}}
				resp, err := n.brain.AlterPartition(t.Context(), &wire.AlterPartitionRequest{
					BrokerEpoch: n.epoch.Load(), Topics: []wire.AlterPartitionRequestTopicData{topic}})
				if err != nil {
					t.Fatal(err)
				}
				if resp.ErrorCode != wire.CodeNone {
					return resp.ErrorCode
				}
				p := resp.Topics[0].Partitions[0]
				if p.ErrorCode == wire.CodeNone && (p.LeaderID != 0 || len(p.Isr) != 1) {
					t.Errorf("%+v", p)
				}
				return p.ErrorCode
			}
			if got := tell(wire.AlterPartitionRequestTopicData{TopicName: "t" + protocol, TopicID: id}); got != wire.CodeNone {
				t.Errorf("%s: %v", protocol, got)
			}
			if got := tell(wire.AlterPartitionRequestTopicData{TopicName: "u", TopicID: wire.UUID{1}}); got != byID {
				t.Errorf("%s: unknown id: %v", protocol, got)
			}
			if got := tell(wire.AlterPartitionRequestTopicData{TopicName: "u"}); got != byName {
				t.Errorf("%s: unknown name: %v", protocol, got)
			}
			resp, err := n.brain.AlterPartition(t.Context(), &wire.AlterPartitionRequest{BrokerEpoch: n.epoch.Load() + 1})
			if err != nil || resp.ErrorCode != wire.CodeStaleBrokerEpoch {
				t.Errorf("%s: another broker epoch: %v, %v", protocol, resp, err)
			}
		}
		f("3.9", wire.CodeUnknownTopicID, wire.CodeUnknownTopicOrPartition)
		f("2.7", wire.CodeUnknownTopicOrPartition, wire.CodeUnknownTopicOrPartition)
	})
}

// A controller that does not answer holds nobody up for longer than
// controller.socket.timeout.ms allows: here it is one that has lost ZooKeeper,
// and a broker that stops asks it three times. A broker that sees for itself that
// ZooKeeper is gone does not ask, nor wait for what it was about.
func TestStopWithAStuckController(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		connect, stop := m.ensemble()
		quick := []string{connect, "controller.socket.timeout.ms=1000", "controlled.shutdown.retry.backoff.ms=100"}
		brain := m.start(quick...)
		other := m.start(append(quick, "broker.id=1", "listeners=PLAINTEXT://127.0.0.1:9093", "log.dirs=/logs1")...)
		m.eventually("both know each other", func() bool {
			return len(brain.cache.Image().Brokers) == 2 && len(other.cache.Image().Brokers) == 2
		})
		req := wire.NewCreateTopicsRequest()
		topic := wire.NewCreateTopicsRequestCreatableTopic()
		topic.Name, topic.NumPartitions, topic.ReplicationFactor = "t", 1, 2
		req.Topics, req.TimeoutMs = append(req.Topics, topic), 10_000
		if code := ask[*wire.CreateTopicsResponse](m, brain, req, 7).Topics[0].ErrorCode; code != wire.CodeNone {
			t.Fatal(code)
		}
		m.eventually("both are in sync", func() bool { return len(partition(other).ISR) == 2 })
		stop()
		soon := func(what string, do func()) {
			t.Helper()
			began := m.env.Clock.Now()
			do()
			if took := m.env.Clock.Now().Sub(began); took > answerTimeout+loneTimeout {
				t.Errorf("%s took %v", what, took)
			}
		}
		soon("asking the controller", func() { other.controlledShutdown(t.Context()) })
		soon("the stop", func() { m.leave(other) })
		soon("the stop of the controller", func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := brain.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	})
}
