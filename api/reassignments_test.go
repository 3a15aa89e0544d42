package api

import (
	stdcontext "context"
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

func TestAlterPartitionReassignments(t *testing.T) {
	b := newBench(t)
	brain := &fakeController{}
	b.broker.Controller = brain
	b.broker.Run = func(_ string, f func(stdcontext.Context)) { f(t.Context()) }
	type part = wire.AlterPartitionReassignmentsRequestReassignablePartition
	req := &wire.AlterPartitionReassignmentsRequest{Topics: []wire.AlterPartitionReassignmentsRequestReassignableTopic{
		{Name: "u", Partitions: []part{{PartitionIndex: 1}, {PartitionIndex: 0, Replicas: []int32{9}}, {PartitionIndex: 0, Replicas: []int32{}}}},
		{Name: "t", Partitions: []part{{PartitionIndex: 2, Replicas: []int32{2, 1}}}},
	}}
	at := func(topic string, partition int32) decide.TopicPartition {
		return decide.TopicPartition{Topic: topic, Partition: partition}
	}
	brain.answer = decide.ReassignmentResults{Items: []decide.ReassignmentResult{
		{TopicPartition: at("t", 2)}, {TopicPartition: at("u", 0), Err: wire.CodeInvalidReplicaAssignment, Message: "empty"}, {TopicPartition: at("u", 1)}}}
	resp := ask[*wire.AlterPartitionReassignmentsResponse](b, 0, req)
	var asked []string
	for _, r := range brain.got.(decide.AlterReassignments).Items {
		asked = append(asked, fmt.Sprintf("%s=%v(%t)", r.TopicPartition, r.Target, r.Target == nil))
	}
	if got := strings.Join(asked, " "); got != "t-2=[2 1](false) u-0=[](false) u-1=[](true)" {
		t.Errorf("asked for %s", got)
	}
	var told []string
	for _, topic := range resp.Responses {
		for _, p := range topic.Partitions {
			text := "null"
			if p.ErrorMessage != nil {
				text = *p.ErrorMessage
			}
			told = append(told, fmt.Sprintf("%s-%d=%s(%s)", topic.Name, p.PartitionIndex, p.ErrorCode.Name(), text))
		}
	}
	if got := strings.Join(told, " "); got != "t-2=NONE(null) u-0=INVALID_REPLICA_ASSIGNMENT(empty) u-1=NONE(null)" || resp.ErrorCode != wire.CodeNone {
		t.Errorf("answered %v %s", resp.ErrorCode, got)
	}

	brain.answer = decide.Failed{Err: wire.CodeNotController}
	resp = ask[*wire.AlterPartitionReassignmentsResponse](b, 0, req)
	if resp.ErrorCode != wire.CodeNotController || *resp.ErrorMessage != "This is not the correct controller for this cluster." || len(resp.Responses) != 0 {
		t.Errorf("elsewhere: %+v", resp)
	}
}

func TestListPartitionReassignments(t *testing.T) {
	b := newBench(t)
	brain := &fakeController{}
	b.broker.Controller = brain
	b.broker.Run = func(_ string, f func(stdcontext.Context)) { f(t.Context()) }
	brain.answer = decide.Reassignments{Items: []decide.OngoingReassignment{
		{TopicPartition: decide.TopicPartition{Topic: "t"}, Assignment: decide.Assignment{Replicas: []int32{3, 1, 2}, Adding: []int32{3}, Removing: []int32{2}}},
		{TopicPartition: decide.TopicPartition{Topic: "t", Partition: 4}, Assignment: decide.Assignment{Replicas: []int32{1, 2}, Removing: []int32{2}}},
		{TopicPartition: decide.TopicPartition{Topic: "u"}, Assignment: decide.Assignment{Replicas: []int32{1, 2}, Adding: []int32{2}}},
	}}
	f := func(topics []wire.ListPartitionReassignmentsRequestTopics, asked string) {
		t.Helper()
		resp := ask[*wire.ListPartitionReassignmentsResponse](b, 0, &wire.ListPartitionReassignmentsRequest{Topics: topics})
		ps := brain.got.(decide.ListReassignments).Partitions
		if got := fmt.Sprint(ps, ps == nil); got != asked {
			t.Errorf("asked for %s, want %s", got, asked)
		}
		want := "[{Name:t Partitions:[{PartitionIndex:0 Replicas:[3 1 2] AddingReplicas:[3] RemovingReplicas:[2]} " +
			"{PartitionIndex:4 Replicas:[1 2] AddingReplicas:[] RemovingReplicas:[2]}]} " +
			"{Name:u Partitions:[{PartitionIndex:0 Replicas:[1 2] AddingReplicas:[2] RemovingReplicas:[]}]}]"
		if got := fmt.Sprintf("%+v", resp.Topics); got != want || resp.ErrorCode != wire.CodeNone {
			t.Errorf("%v\n got %s\nwant %s", resp.ErrorCode, got, want)
		}
	}
	f(nil, "[] true")
	f([]wire.ListPartitionReassignmentsRequestTopics{}, "[] false")
	f([]wire.ListPartitionReassignmentsRequestTopics{{Name: "t", PartitionIndexes: []int32{4, 0}}, {Name: "u", PartitionIndexes: []int32{0}}}, "[t-4 t-0 u-0] false")

	brain.answer = decide.Failed{Err: wire.CodeNotController}
	resp := ask[*wire.ListPartitionReassignmentsResponse](b, 0, wire.NewListPartitionReassignmentsRequest())
	if resp.ErrorCode != wire.CodeNotController || *resp.ErrorMessage != "This is not the correct controller for this cluster." || len(resp.Topics) != 0 {
		t.Errorf("elsewhere: %+v", resp)
	}
}
