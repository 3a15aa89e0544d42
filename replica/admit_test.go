package replica

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

// A new controller may be heard of first in UpdateMetadata; from then on the
// former one tells nobody what to lead.
func TestAFormerControllerIsRefused(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	s.heard.take()
	s.SetBrokerEpoch(10)
	f := func(controllerEpoch int32, brokerEpoch int64, want wire.Code) {
		t.Helper()
		applied := false
		if code := s.Admit(controllerEpoch, brokerEpoch, func() wire.Code { applied = true; return wire.CodeNone }); code != want || applied != (want == wire.CodeNone) {
			t.Errorf("controller epoch %d, broker epoch %d: %v, want %v; applied %t", controllerEpoch, brokerEpoch, code, want, applied)
		}
	}
	f(7, 10, wire.CodeNone)
	f(7, -1, wire.CodeNone)
	f(8, 9, wire.CodeStaleBrokerEpoch)
	f(6, 10, wire.CodeStaleControllerEpoch)

	req := wire.NewLeaderAndIsrRequest()
	req.ControllerEpoch, req.BrokerEpoch = 6, 10
	late := state("t", 0, s.epoch+1)
	req.TopicStates = []wire.LeaderAndIsrRequestTopicState{{TopicName: "t", TopicID: topicID(1),
		PartitionStates: []wire.LeaderAndIsrRequestPartitionState{late}}}
	refused := func(what string) {
		t.Helper()
		resp := s.LeaderAndIsr(req)
		want := wire.LeaderAndIsrResponsePartitionError{PartitionIndex: 0, ErrorCode: wire.CodeStaleControllerEpoch, TopicName: "t"}
		if resp.ErrorCode != wire.CodeStaleControllerEpoch || !slices.Equal(resp.PartitionErrors, []wire.LeaderAndIsrResponsePartitionError{want}) {
			t.Errorf("%s: %+v", what, resp)
		}
	}
	refused("by topic")
	req.TopicStates = nil
	late.TopicName = "t"
	req.UngroupedPartitionStates = []wire.LeaderAndIsrRequestPartitionState{late}
	refused("ungrouped")
	if got := s.heard.take(); len(got) != 0 {
		t.Errorf("obeyed: %q", got)
	}
}
