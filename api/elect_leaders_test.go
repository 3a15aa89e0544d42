package api

import (
	stdcontext "context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

func election(kind int8, timeoutMs int32, partitions ...wire.ElectLeadersRequestTopicPartitions) *wire.ElectLeadersRequest {
	return &wire.ElectLeadersRequest{ElectionType: kind, TopicPartitions: partitions, TimeoutMs: timeoutMs}
}

// told prints an answer: topic-partition=error(message).
func told(resp *wire.ElectLeadersResponse) string {
	var out []string
	for _, t := range resp.ReplicaElectionResults {
		for _, p := range t.PartitionResult {
			s := fmt.Sprintf("%s-%d=%s", t.Topic, p.PartitionID, p.ErrorCode.Name())
			if p.ErrorMessage != nil {
				s += "(" + *p.ErrorMessage + ")"
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

func TestElectLeaders(t *testing.T) {
	b := newBench(t)
	b.topic("u", 1)
	brain := &fakeController{}
	b.broker.Controller = brain
	b.broker.Run = func(_ string, f func(stdcontext.Context)) { f(t.Context()) }
	t0, t1, u0 := decide.TopicPartition{Topic: "t"}, decide.TopicPartition{Topic: "t", Partition: 1}, decide.TopicPartition{Topic: "u"}
	f := func(version int16, req *wire.ElectLeadersRequest, answer decide.Answer, asked []decide.TopicPartition, want string) {
		t.Helper()
		brain.answer = answer
		resp := ask[*wire.ElectLeadersResponse](b, version, req)
		ev := brain.got.(decide.ElectLeaders)
		if int8(ev.Type) != req.ElectionType || !slices.Equal(ev.Partitions, asked) {
			t.Errorf("v%d: asked the controller %+v, want %v", version, ev, asked)
		}
		if got := told(resp); got != want || resp.ErrorCode != wire.CodeNone {
			t.Errorf("v%d: %v\n got %s\nwant %s", version, resp.ErrorCode, got, want)
		}
	}
	some := []wire.ElectLeadersRequestTopicPartitions{{Topic: "u", Partitions: []int32{0}}, {Topic: "t", Partitions: []int32{1, 0, 1}}}
	all := []decide.TopicPartition{t0, t1, u0}
	results := decide.ElectionResults{Items: []decide.ElectionResult{
		{TopicPartition: t0, Leader: 1},
		{TopicPartition: t1, Err: wire.CodeElectionNotNeeded, Message: "not needed", Leader: -1},
		{TopicPartition: u0, Err: wire.CodePreferredLeaderNotAvailable, Message: "nobody there", Leader: -1},
	}}
	for v := range int16(3) {
		f(v, election(0, 1000, some...), results, all, "t-0=NONE t-1=ELECTION_NOT_NEEDED(not needed) u-0=PREFERRED_LEADER_NOT_AVAILABLE(nobody there)")
		f(v, election(0, 1000), results, all, "t-0=NONE u-0=PREFERRED_LEADER_NOT_AVAILABLE(nobody there)")
		f(v, election(0, 1000), decide.Failed{Err: wire.CodeNotController}, all, "t-0=NOT_CONTROLLER t-1=NOT_CONTROLLER u-0=NOT_CONTROLLER")
	}
	f(1, election(1, 1000, some[:1]...), decide.ElectionResults{}, []decide.TopicPartition{u0}, "")
	// Without time to wait, the metadata is looked at once.
	f(2, election(0, 0, some...), results, all, "t-0=NONE t-1=ELECTION_NOT_NEEDED(not needed) u-0=PREFERRED_LEADER_NOT_AVAILABLE(nobody there)")

	brain.got = nil
	for v := int16(1); v < 3; v++ {
		resp := ask[*wire.ElectLeadersResponse](b, v, election(7, 1000, some[:1]...))
		if got := told(resp); resp.ErrorCode != wire.CodeUnknownServerError || got != "u-0=UNKNOWN_SERVER_ERROR" || brain.got != nil {
			t.Errorf("unknown kind: %v %s, asked %v", resp.ErrorCode, got, brain.got)
		}
	}
}

// The answer is held until this broker has heard of the new leader.
func TestElectLeadersWaitsForMetadata(t *testing.T) {
	f := func(news func(b *bench), want string, after time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			elected := decide.ElectionResult{TopicPartition: decide.TopicPartition{Topic: "t"}, Leader: 2}
			b.broker.Controller = &fakeController{answer: decide.ElectionResults{Items: []decide.ElectionResult{elected}}}
			answered := make(chan struct{})
			b.broker.Run = func(_ string, f func(stdcontext.Context)) {
				go func() {
					f(t.Context())
					close(answered)
				}()
			}
			began := time.Now()
			call := b.send(2, election(0, 3000, wire.ElectLeadersRequestTopicPartitions{Topic: "t", Partitions: []int32{0}}))
			synctest.Wait()
			select {
			case <-answered:
				t.Fatal("answered at once")
			case <-time.After(time.Second):
			}
			news(b)
			<-answered
			if got := told(decoded[*wire.ElectLeadersResponse](t, 2, call)); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if took := time.Since(began); took != after {
				t.Errorf("answered after %v, want %v", took, after)
			}
		})
	}
	f(func(b *bench) { b.topic("t", 2, 1) }, "t-0=NONE", time.Second)
	f(func(b *bench) { b.topic("t", 1, 2) }, "t-0=REQUEST_TIMED_OUT", 3*time.Second)
	f(func(*bench) {}, "t-0=REQUEST_TIMED_OUT", 3*time.Second)
}
