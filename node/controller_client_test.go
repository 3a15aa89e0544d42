package node

import (
	"testing"

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
