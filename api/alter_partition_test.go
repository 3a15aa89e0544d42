package api

import (
	stdcontext "context"
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// fakeController gives one answer to whatever it is asked.
type fakeController struct {
	Controller
	got    decide.Event
	answer decide.Answer
}

func (f *fakeController) Ask(_ stdcontext.Context, with func(uint64) decide.Event) decide.Answer {
	f.got = with(1)
	return f.answer
}

func TestAlterPartition(t *testing.T) {
	b := newBench(t)
	brain := &fakeController{}
	b.broker.Controller = brain
	b.broker.Run = func(_ string, f func(stdcontext.Context)) { f(t.Context()) }
	leads := decide.Leadership{Leader: 4, LeaderEpoch: 5, ISR: []int32{4, 6}, Recovering: true, PartitionEpoch: 9}
	f := func(version int16, topic wire.AlterPartitionRequestTopicData, asked, answered string) {
		t.Helper()
		brain.answer = decide.ISRResults{Items: []decide.ISRResult{
			{Partition: 3, Leadership: leads}, {Partition: 1, Err: wire.CodeFencedLeaderEpoch}, {Partition: 3, Err: wire.CodeUnknownTopicID}}}
		other := topic
		other.Partitions = topic.Partitions[:1]
		req := &wire.AlterPartitionRequest{BrokerID: 4, BrokerEpoch: 77, Topics: []wire.AlterPartitionRequestTopicData{topic, other}}
		resp := ask[*wire.AlterPartitionResponse](b, version, req)
		ev := brain.got.(decide.AlterPartition)
		if ev.Tag != 1 || ev.Broker != 4 || ev.BrokerEpoch != 77 || ev.Version != version || len(ev.Items) != 3 {
			t.Errorf("v%d: event %+v", version, ev)
		}
		if got := fmt.Sprintf("%+v", ev.Items[0]); got != asked {
			t.Errorf("v%d: asked\n got %s\nwant %s", version, got, asked)
		}
		if len(resp.Topics) != 2 || len(resp.Topics[0].Partitions) != 2 || len(resp.Topics[1].Partitions) != 1 {
			t.Fatalf("v%d: %+v", version, resp)
		}
		if got := fmt.Sprintf("%+v", resp.Topics[0].Partitions[0]); got != answered {
			t.Errorf("v%d: answered\n got %s\nwant %s", version, got, answered)
		}
		if p := resp.Topics[0].Partitions[1]; p.PartitionIndex != 1 || p.ErrorCode != wire.CodeFencedLeaderEpoch {
			t.Errorf("v%d: %+v", version, p)
		}
		if p := resp.Topics[1].Partitions[0]; p.ErrorCode != wire.CodeUnknownTopicID {
			t.Errorf("v%d: %+v", version, p)
		}
	}
	part := wire.AlterPartitionRequestPartitionData{PartitionIndex: 3, LeaderEpoch: 5, NewIsr: []int32{4, 6}, PartitionEpoch: 8}
	none := fmt.Sprintf("%+v", wire.UUID{})
	id := wire.UUID{15: 't'}
	withParts := func(name string, id wire.UUID, p wire.AlterPartitionRequestPartitionData) wire.AlterPartitionRequestTopicData {
		return wire.AlterPartitionRequestTopicData{TopicName: name, TopicID: id, Partitions: []wire.AlterPartitionRequestPartitionData{p, {PartitionIndex: 1}}}
	}
	const answer = "{PartitionIndex:3 ErrorCode:NONE (0): no error LeaderID:4 LeaderEpoch:5 Isr:[4 6] LeaderRecoveryState:%d PartitionEpoch:9}"
	item := "{TopicID:%s Topic:%s Partition:3 LeaderEpoch:5 ISR:[4 6] Recovering:%v PartitionEpoch:8}"
	f(0, withParts("t", wire.UUID{}, part), fmt.Sprintf(item, none, "t", false), fmt.Sprintf(answer, 0))
	part.LeaderRecoveryState = 1
	f(1, withParts("t", wire.UUID{}, part), fmt.Sprintf(item, none, "t", true), fmt.Sprintf(answer, 1))
	f(2, withParts("", id, part), fmt.Sprintf(item, fmt.Sprintf("%+v", id), "", true), fmt.Sprintf(answer, 1))
	part.NewIsr, part.NewIsrWithEpochs = nil, []wire.AlterPartitionRequestBrokerState{{BrokerID: 4, BrokerEpoch: 1}, {BrokerID: 6, BrokerEpoch: -1}}
	f(3, withParts("", id, part), fmt.Sprintf(item, fmt.Sprintf("%+v", id), "", true), fmt.Sprintf(answer, 1))

	brain.answer = decide.Failed{Err: wire.CodeNotController}
	for version := range int16(4) {
		resp := ask[*wire.AlterPartitionResponse](b, version, wire.NewAlterPartitionRequest())
		if resp.ErrorCode != wire.CodeNotController || len(resp.Topics) != 0 {
			t.Errorf("v%d: %+v", version, resp)
		}
	}
}
