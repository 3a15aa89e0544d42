package api

import (
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

// LeaderAndIsr is answered topic by topic from version 5 on, even for a topic
// without an id.
func TestLeaderAndIsrAnswersAsTheVersionHasIt(t *testing.T) {
	b := leads(t, nil, "a")
	b.broker.Refresh = func([]string) {}
	for v := int16(2); v <= 7; v++ {
		req := wire.NewLeaderAndIsrRequest()
		req.BrokerEpoch = -1
		req.TopicStates = []wire.LeaderAndIsrRequestTopicState{{TopicName: "n", PartitionStates: []wire.LeaderAndIsrRequestPartitionState{
			{Leader: 1, LeaderEpoch: int32(v), Isr: []int32{1}, Replicas: []int32{1}, IsNew: true}}}}
		got := ask[*wire.LeaderAndIsrResponse](b, v, req)
		if v < 5 && (len(got.PartitionErrors) != 1 || got.PartitionErrors[0].TopicName != "n") ||
			v >= 5 && (len(got.Topics) != 1 || len(got.Topics[0].PartitionErrors) != 1) {
			t.Errorf("v%d: %+v", v, got)
		}
	}
}
